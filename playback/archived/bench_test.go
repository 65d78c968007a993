package archived_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/vfs"
)

// BenchmarkPlaylists renders the playlists of sessions over 12 hours of
// fragments of two seconds, the longest that a session lasts. A replay counts
// from its first fragment, all 21,600 of them.
func BenchmarkPlaylists(b *testing.B) {
	const long = 12 * time.Hour
	disk, index, definitions := vfs.NewMem(), archivetest.NewMemMeta(never), archivetest.NewMemMeta(never)
	first := openBench(b, disk, index, definitions)
	id := first.stream.ID()
	if err := first.Close(); err != nil {
		b.Fatal(err)
	}
	err := archive.Synthesize(index, archive.Synthetic{
		Stream: id, Tracks: archivetest.Tracks(), Start: archivetest.Epoch(), End: archivetest.Epoch().Add(long),
		Fragment: 2 * time.Second, Chunk: time.Minute, RunBytes: 500_000,
	})
	if err != nil {
		b.Fatal(err)
	}
	x := openBench(b, disk, index, definitions)
	for _, c := range []struct{ name, mode string }{{"on demand, 5000 of 21600", "ON_DEMAND"}, {"replay", "LIVE_REPLAY"}} {
		x.Clock.Advance(archivetest.Epoch().Sub(x.Clock.Now()))
		address := x.session(b, hls, `{"StreamName":"cam","Expires":43200,"MaxMediaPlaylistFragmentResults":5000,"PlaybackMode":"`+c.mode+`",`+
			span("HLSFragmentSelector", "PRODUCER_TIMESTAMP", 0, long)+`}`)
		x.Clock.Advance(long - time.Minute)
		address = strings.Replace(address, "Master", "Media", 1) + "&TrackNumber=1"
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if status, body := x.get(b, address); status != http.StatusOK {
					b.Fatal(status, body)
				}
			}
		})
	}
}
