package dash_test

import (
	"fmt"
	"regexp"
	"strconv"
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

var timelineEntry = regexp.MustCompile(`<S t="(\d+)" d="(\d+)"(?: r="(\d+)")?/>`)

// TestTelephonyAsAAC lists G.711 as AAC: each segment begins when the manifest
// says and is as long.
func TestTelephonyAsAAC(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	aac := segments.NewAAC(d)
	defer func() { aac.Close(); d.Close() }()
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	record(t, r, s)
	p := dash.NewPlayer(r.Clock, segments.Makers{AAC: aac})
	mpd, err := fetch(p, s, "manifest.mpd?start="+time.Unix(0, decodetest.Epoch).UTC().Format(time.RFC3339)+"&end="+r.Clock.Now().UTC().Format(time.RFC3339))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(mpd, `codecs="mp4a.40.2"`) || strings.Contains(mpd, "ulaw") {
		t.Fatalf("manifest:\n%s", mpd)
	}
	n := 0
	for _, m := range timelineEntry.FindAllStringSubmatch(mpd, -1) {
		at, long := number(t, m[1]), number(t, m[2])
		for range 1 + number(t, "0"+m[3]) {
			body, err := fetch(p, s, fmt.Sprintf("seg/2-aac/%d.m4s", at))
			if err != nil {
				t.Fatal(err)
			}
			first, sum := int64(0), int64(0)
			err = archive.WalkFormat(fragments.MP4, []byte(body), 2, func(x fragments.Sample) error {
				if sum == 0 {
					first = int64(x.DTS)
				}
				sum += int64(x.Duration)
				return nil
			})
			if err != nil || first != at || sum != long {
				t.Errorf("the segment at %d for %d begins at %d and lasts %d, %v", at, long, first, sum, err)
			}
			at += long
			n++
		}
	}
	if n < 3 {
		t.Errorf("%d segments", n)
	}
	if _, err := fetch(p, s, "seg/2-aac/1024.m4s"); err == nil {
		t.Error("a segment that begins nowhere answers")
	}
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// record records four seconds of a tone, without pictures.
func record(t *testing.T, r *archivetest.Rig, s *archive.Stream) {
	t.Helper()
	track, sound := decodetest.Sine(t, media.PCMU, 1, 400, 4)
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.SetTracks([]media.Track{track}); err != nil {
		t.Fatal(err)
	}
	for _, m := range sound {
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
}
