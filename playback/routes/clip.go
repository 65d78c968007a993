package routes

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/server"
	"weir/playback"
	"weir/playback/clip"
)

// clip answers GET …/clip.mp4|mkv?start&end with a file: sized, seekable, and
// named for download.
func (p *Routes) clip(format clip.Format) func(http.ResponseWriter, *http.Request, *archive.Stream) error {
	return func(w http.ResponseWriter, r *http.Request, s *archive.Stream) error {
		win, err := playback.ParseWindow(r.URL.Query(), p.opts.Clock.Now(), clip.MaxDuration)
		if err != nil {
			return err
		}
		if win.Start.IsZero() || win.End.IsZero() {
			return server.Invalid("start", "start and end are needed: a clip has both")
		}
		items, err := clipItems(r.Context(), s, win)
		if err != nil {
			return err
		}
		c, err := clip.New(r.Context(), runs{s}, format, items, win.Start, win.End)
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", format.ContentType())
		h.Set("ETag", c.ETag())
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", clipName(r.PathValue("name"), win, format)))
		http.ServeContent(w, r, "", time.Time{}, c.Reader(r.Context()))
		return nil
	}
}

func clipName(stream string, win playback.Window, format clip.Format) string {
	return fmt.Sprintf("%s-%s.%s", stream, win.Start.UTC().Format("20060102T150405Z"), format)
}

// clipItems lists the fragments of a clip, and the one before it, whose sound
// may hang over.
func clipItems(ctx context.Context, s *archive.Stream, win playback.Window) ([]clip.Item, error) {
	var items []clip.Item
	for f, err := range s.Range(ctx, win.Start.Add(-fragments.MaxJoinGap), win.End) {
		if err != nil {
			return nil, err
		}
		if len(items) > clip.MaxFragments {
			return nil, clip.ErrTooLong
		}
		tracks, err := s.Tracks(f.Init)
		if err != nil {
			return nil, err
		}
		items = append(items, clip.Item{Fragment: f, Tracks: tracks})
	}
	return items, nil
}

// runs reads the samples of clips from the archive.
type runs struct{ s *archive.Stream }

// ReadRun implements clip.Source.
func (r runs) ReadRun(ctx context.Context, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	out := make([]fragments.Sample, 0, run.Samples)
	err := r.s.WalkRun(ctx, f, run.Track, func(x fragments.Sample) error {
		out = append(out, x) // the run's bytes are ours: nothing else uses them
		return nil
	})
	return out, err
}
