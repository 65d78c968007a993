package putmedia

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/live"
	"weir/internal/media"
)

// feed publishes the media of a session to the live hub: those of its tracks
// that players can read. Frames that are shown in the order in which they are
// decoded go out as they come; when they may not be, the decode times are known
// at the end of a fragment, and all of it goes out then.
type feed struct {
	pub     *live.Publisher
	decided bool          // whether frames go out as they come
	direct  bool          // they do
	tracks  []media.Track // published
	last    [media.MaxTracks + 1]media.Ticks
}

// mayReorder tells whether frames of a track may be shown in another order
// than they are decoded in.
func mayReorder(t media.Track) bool {
	var v media.VideoParams
	switch t.Codec {
	case media.H264:
		p, err := media.ParseAVCConfig(t.Config)
		if err == nil {
			v, err = media.ReadSPS(p.SPS[0])
		}
		return err != nil || !v.ReorderKnown || v.Reorder > 0
	case media.H265:
		p, err := media.ParseHEVCConfig(t.Config)
		if err == nil {
			v, err = media.ReadHEVCSPS(p.SPS[0])
		}
		return err != nil || !v.ReorderKnown || v.Reorder > 0
	}
	return false
}

// decide looks at the tracks that a producer declared.
func (d *feed) decide(tracks []media.Track) {
	known := 0
	for _, t := range tracks {
		if t.Codec != media.Opaque {
			known++
		}
	}
	set := playable(tracks)
	d.decided = true
	d.direct = len(set) > 0 && len(set) == known && !slices.ContainsFunc(set, mayReorder)
}

// add hands the frames of a block to the hub, if they go out as they come.
func (d *feed) add(a *mkv.Assembler, b mkv.Block, now time.Time) error {
	if !d.decided {
		d.decide(a.Tracks())
	}
	if !d.direct {
		return nil
	}
	if d.tracks == nil {
		if err := d.setTracks(a.Tracks()); err != nil {
			return err
		}
	}
	var err error
	a.Frames(b, func(id media.TrackID, pts media.Ticks, data []byte) {
		if _, ok := media.FindTrack(d.tracks, id); ok && err == nil {
			err = d.write(&media.Sample{Track: id, Key: b.Key, DTS: pts, Data: data, Received: now})
		}
	})
	return err
}

// setTracks tells the hub the tracks that players can read.
func (d *feed) setTracks(tracks []media.Track) error {
	set := playable(tracks)
	if len(set) == 0 || media.EqualTracks(set, d.tracks) {
		return d.pub.Err()
	}
	if err := d.pub.SetTracks(set); err != nil {
		return fmt.Errorf("publish tracks: %w", err)
	}
	d.tracks = set
	return nil
}

// write publishes a sample, but for one that does not follow: the producer's
// clock went back.
func (d *feed) write(s *media.Sample) error {
	if s.DTS <= d.last[s.Track] {
		return nil
	}
	d.last[s.Track] = s.DTS
	if err := d.pub.Write(s); err != nil && !errors.Is(err, live.ErrOrder) {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
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

// publish hands the samples of a fragment to the hub, unless they are there
// already. An error means that the session is the producer no longer.
func (d *feed) publish(raw *mkv.Raw, tracks []media.Track, now time.Time) error {
	if err := d.setTracks(tracks); err != nil || d.direct {
		return err
	}
	var out []sampleAt
	for _, t := range d.tracks {
		err := raw.Walk(t.ID, func(x fragments.Sample) error {
			s := &media.Sample{Track: t.ID, Key: x.Key, DTS: x.DTS, Offset: x.Offset, Data: x.Data, Received: now}
			out = append(out, sampleAt{s, x.DTS.Nanos(t.Timescale)})
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the fragment: %w", err)
		}
	}
	slices.SortStableFunc(out, func(a, b sampleAt) int { return cmp.Compare(a.at, b.at) })
	for _, s := range out {
		if err := d.write(s.Sample); err != nil {
			return err
		}
	}
	return nil
}
