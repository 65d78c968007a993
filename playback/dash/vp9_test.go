package dash_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
	"weir/internal/vfs"
	"weir/playback/dash"
	"weir/playback/segments"
)

// TestPicturesAsVP9 lists VP8 as VP9, live and recorded: each segment begins
// when the manifest says and is as long. Without a maker it is listed as it is.
func TestPicturesAsVP9(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	vp9 := segments.NewVP9(d, 2)
	defer func() { vp9.Close(); d.Close() }()
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	shoot(t, r, s)
	window := "?start=" + time.Unix(0, decodetest.Epoch).UTC().Format(time.RFC3339) + "&end=" + r.Clock.Now().UTC().Format(time.RFC3339)
	for _, query := range []string{"", window} {
		p := dash.NewPlayer(r.Clock, segments.Makers{VP9: vp9})
		mpd, err := fetch(p, s, "manifest.mpd"+query)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(mpd, `codecs="vp09.00.11.08"`) || strings.Contains(mpd, "vp08") || !strings.Contains(mpd, `initialization="init/1/1-vp9.mp4"`) {
			t.Fatalf("manifest:\n%s", mpd)
		}
		n := 0
		for _, m := range timelineEntry.FindAllStringSubmatch(mpd, -1) {
			at, long := number(t, m[1]), number(t, m[2])
			for range 1 + number(t, "0"+m[3]) {
				checkSegment(t, p, s, at, long)
				at += long
				n++
			}
		}
		if n != 4 {
			t.Errorf("%d segments", n)
		}
		mpd, err = fetch(dash.NewPlayer(r.Clock, segments.Makers{}), s, "manifest.mpd"+query)
		if err != nil || !strings.Contains(mpd, `codecs="vp08.00.11.08"`) || strings.Contains(mpd, "vp9") {
			t.Errorf("manifest without VP9, %v:\n%s", err, mpd)
		}
	}
}

// checkSegment fetches the segment of VP9 at a time.
func checkSegment(t *testing.T, p *dash.Player, s *archive.Stream, at, long int64) {
	t.Helper()
	body, err := fetch(p, s, fmt.Sprintf("seg/1-vp9/%d.m4s", at))
	if err != nil {
		t.Fatal(err)
	}
	first, sum := int64(0), int64(0)
	err = archive.WalkFormat(fragments.MP4, []byte(body), 1, func(x fragments.Sample) error {
		if sum == 0 {
			first = int64(x.DTS)
		}
		sum += int64(x.Duration)
		return nil
	})
	if err != nil || first != at || sum != long {
		t.Errorf("the segment at %d for %d begins at %d and lasts %d, %v", at, long, first, sum, err)
	}
}

// shoot records four seconds of VP8.
func shoot(t *testing.T, r *archivetest.Rig, s *archive.Stream) {
	t.Helper()
	track, samples := decodetest.Pictures(t, media.VP8, 320, 180, 4)
	var err error
	if track.Config, _, err = media.VP8Config(samples[0].Data); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.SetTracks([]media.Track{track}); err != nil {
		t.Fatal(err)
	}
	for _, m := range samples {
		x := *m
		x.Received = x.DTS.Time(track.Timescale)
		r.Clock.Advance(x.Received.Sub(r.Clock.Now()))
		if err := rec.Write(&x); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(time.Second)
}
