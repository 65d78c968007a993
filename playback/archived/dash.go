package archived

import (
	"fmt"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/playback"
	"weir/playback/dash"
	"weir/playback/segments"
)

// dashManifest answers with the manifest.
func (a *API) dashManifest(x *request) error {
	now := a.opts.Clock.Now()
	q, err := x.list(x.r.Context(), x.stream, now)
	if err != nil {
		return err
	}
	l := dash.Listing{
		Fit: segments.WithTelephony, Shown: len(q.entries), Static: q.ended, Now: now,
		Made: segments.Makers{VP9: x.makers.VP9},
		Init: func(version uint32, track media.TrackID, made media.Codec) string {
			return fmt.Sprintf("getMP4InitFragment.mp4?SessionToken=%s&TrackNumber=%d&SequenceNumber=%d%s", x.token, track, version, codecQuery(made))
		},
		Media: func(track media.TrackID, made media.Codec) string {
			return fmt.Sprintf("getMP4MediaFragment.mp4?Time=$Time$&SessionToken=%s&TrackNumber=%d%s", x.token, track, codecQuery(made))
		},
	}
	for i := range q.all {
		l.Fragments = append(l.Fragments, q.all[i].Fragment)
	}
	x.timeline(&l)
	if x.Times || x.Ids {
		l.Mark = x.mark
	}
	b, err := l.Append(nil, x.stream)
	if err != nil {
		return err
	}
	return playback.ServePlaylist(x.w, x.r, "application/dash+xml", b, q.ended)
}

// timeline sets where presentation time begins. Live it runs with the clock of
// the producer, however wrong that is; a replay begins when the session did.
func (x *request) timeline(l *dash.Listing) {
	switch {
	case l.Static:
		return
	case x.Mode == live:
		first := &l.Fragments[0]
		l.Absolute, l.Zero = true, time.UnixMilli(millis(first.Received)-millis(first.Start))
		return
	}
	lead := int64(0)
	for i := range l.Fragments[:min(len(l.Fragments), replayLead, x.Results)] {
		lead += l.Fragments[i].Duration
	}
	l.Zero = time.UnixMilli(x.Created - millis(lead))
}

// mark tells the number and the time of a fragment.
func (x *request) mark(f *fragments.Fragment) string {
	out := ""
	if x.Ids {
		out += fmt.Sprintf(" kvs:fn=\"%s\"", f.Number)
	}
	if x.Times {
		out += fmt.Sprintf(" kvs:ts=\"%d\"", x.Span.Axis.at(f))
	}
	return out
}
