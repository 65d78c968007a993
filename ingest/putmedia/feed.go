package putmedia

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/live"
	"weir/internal/media"
)

// feed publishes the fragments of a session to the live hub: those of its
// tracks that players can read.
type feed struct {
	pub    *live.Publisher
	tracks []media.Track // published
	last   [media.MaxTracks + 1]media.Ticks
}

// playable picks the tracks that players can read.
func playable(tracks []media.Track) []media.Track {
	return slices.DeleteFunc(slices.Clone(tracks), func(t media.Track) bool {
		var err error
		switch t.Codec {
		case media.H264:
			_, err = media.ParseAVCConfig(t.Config)
		case media.H265:
			_, err = media.ParseHEVCConfig(t.Config)
		case media.AAC:
			_, err = media.ReadAAC(t.Config)
		}
		return t.Codec == media.Opaque || err != nil
	})
}

// sampleAt is a sample with its decode time on a common axis.
type sampleAt struct {
	*media.Sample
	at int64 // ns since the epoch
}

// publish hands the samples of a fragment to the hub. An error means that the
// session is the producer no longer.
func (d *feed) publish(raw *mkv.Raw, tracks []media.Track, now time.Time) error {
	set := playable(tracks)
	if len(set) == 0 {
		return d.pub.Err()
	}
	if !media.EqualTracks(set, d.tracks) {
		if err := d.pub.SetTracks(set); err != nil {
			return fmt.Errorf("publish tracks: %w", err)
		}
		d.tracks = set
	}
	var out []sampleAt
	for _, t := range set {
		err := raw.Walk(t.ID, func(x fragments.Sample) error {
			s := &media.Sample{Track: t.ID, Key: x.Key, DTS: x.DTS, Offset: x.Offset, Data: x.Data, Received: now}
			out = append(out, sampleAt{s, x.DTS.Nanos(t.Timescale)})
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the fragment: %w", err)
		}
	}
	slices.SortStableFunc(out, func(a, b sampleAt) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, s := range out {
		if s.DTS <= d.last[s.Track] {
			continue // the producer's clock went back
		}
		d.last[s.Track] = s.DTS
		if err := d.pub.Write(s.Sample); err != nil && !errors.Is(err, live.ErrOrder) {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}
