package mkv_test

import (
	"bytes"
	"slices"
	"testing"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// maxTestRaw bounds what the tests keep of a body.
const maxTestRaw = 1 << 20

// rawFragment is one that gather made.
type rawFragment struct {
	fragments.Fragment
	body, content []byte
}

// gather makes raw fragments of a body, as PutMedia does, until something is
// wrong with it.
func gather(body []byte) (out []rawFragment, tracks []media.Track) {
	r := mkv.NewReader(bytes.NewReader(body))
	r.KeepRaw(maxTestRaw)
	a := mkv.NewAssembler(0)
	info := mkv.Info{TimestampScale: mkv.TimestampScale}
	var begin mkv.Cluster
	var tags []byte
	for {
		e, err := r.Next()
		if err != nil {
			return out, a.Tracks()
		}
		switch e := e.(type) {
		case mkv.Info:
			info = e
		case mkv.Tracks:
			err = a.SetTracks(info, e)
		case mkv.Tags:
			tags = append(tags, r.TakeRaw(r.Begin(), r.Offset())...)
		case mkv.Cluster:
			begin = e
			_, err = a.Begin(e)
		case mkv.Block:
			err = a.Add(e)
		case mkv.ClusterEnd:
			var f rawFragment
			f.content = slices.Clone(body[begin.Offset:e.Offset])
			f.Fragment, f.body, err = finish(a, r.TakeRaw(begin.Offset, e.Offset), tags)
			tags = nil
			if err == nil {
				out = append(out, f)
			}
		}
		if err != nil {
			return out, a.Tracks()
		}
	}
}

func finish(a *mkv.Assembler, element, tags []byte) (fragments.Fragment, []byte, error) {
	f, times, err := a.End()
	if err != nil {
		return f, nil, err
	}
	cluster, err := mkv.RawCluster(element)
	return f, slices.Concat(mkv.AppendRawTiming(nil, times), tags, cluster), err
}

// checkRaw holds that a raw fragment can be read as its runs say: so many
// samples, decode times that rise, nothing shown before it is decoded, and the
// bytes of the cluster as they came.
func checkRaw(t *testing.T, f *rawFragment) {
	t.Helper()
	raw, err := mkv.OpenRaw(f.body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(f.content, raw.Content()) || len(f.content)-len(raw.Content()) > 12 {
		t.Fatalf("the cluster has other bytes")
	}
	for _, run := range f.Runs {
		n, last, total := uint32(0), media.Ticks(-1), media.Ticks(0)
		err := mkv.WalkTrack(f.body, run.Track, func(s fragments.Sample) error {
			if n == 0 && (s.DTS != run.DTS || s.Offset != run.Offset) {
				t.Errorf("track %d begins at %d %+d, its run at %d %+d", run.Track, s.DTS, s.Offset, run.DTS, run.Offset)
			}
			if s.DTS <= last && n > 0 || s.Offset < 0 || s.Duration == 0 {
				t.Errorf("track %d: sample %d at %d %+d for %d after %d", run.Track, n, s.DTS, s.Offset, s.Duration, last)
			}
			n, last, total = n+1, s.DTS, total+media.Ticks(s.Duration)
			return nil
		})
		if err != nil || n != run.Samples || total != run.Duration {
			t.Errorf("track %d: %d samples for %d, its run says %d for %d: %v", run.Track, n, total, run.Samples, run.Duration, err)
		}
	}
}

// TestRawFragments makes fragments of every document and reads them.
func TestRawFragments(t *testing.T) {
	for name, b := range documents(t) {
		fs, tracks := gather(b)
		if len(fs) == 0 && name != "lacing" {
			t.Errorf("%s: no fragments of %d tracks", name, len(tracks))
		}
		for i := range fs {
			checkRaw(t, &fs[i])
		}
	}
}

// FuzzRaw makes fragments of any bytes and reads what comes of it.
func FuzzRaw(f *testing.F) {
	for _, b := range documents(f) {
		f.Add(b[:min(len(b), 4000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fs, _ := gather(b)
		for i := range fs {
			checkRaw(t, &fs[i])
		}
		// A stored fragment may be damaged, too.
		for id := range media.TrackID(3) {
			_ = mkv.WalkTrack(b, id, func(fragments.Sample) error { return nil })
		}
	})
}
