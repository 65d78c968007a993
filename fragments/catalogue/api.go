package catalogue

import (
	"errors"
	"net/http"
	"time"

	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/live"
	"weir/internal/server"
)

// API answers the control plane of the native API.
type API struct {
	c       *Catalogue
	archive *archive.Archive
	view    viewer
	events  *events
}

// NewAPI returns the control plane over a catalogue. Run its Watch while
// events shall flow.
func NewAPI(c *Catalogue, hub *live.Hub, a *archive.Archive, sources Sources, viewers Viewers) *API {
	v := viewer{hub: hub, archive: a, sources: sources, viewers: viewers}
	return &API{c: c, archive: a, view: v, events: newEvents()}
}

// ShowTranscodes lets views tell what is transcoded of a stream. Call it before
// Register.
func (a *API) ShowTranscodes(t Transcodes) { a.view.transcodes = t }

// Register registers the routes.
func (a *API) Register(r server.Routes) {
	r.Handle("GET /v1/video", a.list)
	r.Handle("GET /v1/video/{name}", a.get)
	r.Handle("PUT /v1/video/{name}", a.put, server.BodyLimit(maxDefinition))
	r.Handle("DELETE /v1/video/{name}", a.remove)
	r.Handle("GET /v1/video/{name}/timeline", a.timeline)
	r.Handle("GET /v1/events", a.follow)
}

// maxDefinition bounds the body of a PUT, bytes.
const maxDefinition = 64 << 10

// list answers GET /v1/video: the streams that the identity may play.
func (a *API) list(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	out := struct {
		Streams []View `json:"streams"`
	}{Streams: []View{}}
	for _, s := range a.c.List() {
		if !id.IsAdmin() && !id.May(auth.Play, s.Name) {
			continue
		}
		v, err := a.view.viewFor(s, id)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		out.Streams = append(out.Streams, v)
	}
	server.WriteJSON(w, http.StatusOK, out)
}

// get answers GET /v1/video/{name}.
func (a *API) get(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	name := r.PathValue("name")
	if !id.May(auth.Play, name) {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	s, err := a.c.Get(name)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, s, id)
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, status int, s Stream, id auth.Identity) {
	v, err := a.view.viewFor(s, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	server.WriteJSON(w, status, v)
}

// put answers PUT /v1/video/{name}: what the body leaves out takes its
// default, but passwords stay.
func (a *API) put(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	if !id.IsAdmin() {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	name := r.PathValue("name")
	d := a.c.New(name)
	if err := server.DecodeJSON(r, &d); err != nil {
		server.WriteError(w, r, err)
		return
	}
	if d.Name != name {
		server.WriteError(w, r, server.Invalid("name", "name is %q in the body and %q in the address", d.Name, name))
		return
	}
	s, created, err := a.c.Put(r.Context(), d)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	a.answer(w, r, status, s, id)
}

// remove answers DELETE /v1/video/{name}.
func (a *API) remove(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	if !id.IsAdmin() {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	if err := a.c.Delete(r.Context(), r.PathValue("name")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// span is one stretch of the timeline.
type span struct {
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Bytes     int64     `json:"bytes"`
	Fragments int       `json:"fragments"`
}

// timeline answers GET /v1/video/{name}/timeline?start&end: what is recorded;
// without a range, of the last day.
func (a *API) timeline(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	name := r.PathValue("name")
	if !id.May(auth.Play, name) {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	s, err := a.c.Get(name)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	start, end, err := a.timelineRange(r)
	if err != nil {
		server.WriteError(w, r, err)
		return
	}
	st, err := a.archive.Stream(s.ID)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	found, err := st.Timeline(r.Context(), start, end)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	spans := make([]span, len(found))
	for i, f := range found {
		spans[i] = span(f)
	}
	server.WriteJSON(w, http.StatusOK, map[string]any{"start": start, "end": end, "spans": spans})
}

// maxTimeline is the longest range of one timeline.
const maxTimeline = 400 * 24 * time.Hour

func (a *API) timelineRange(r *http.Request) (start, end time.Time, err error) {
	now := a.c.opts.Clock.Now().UTC()
	start, end = now.Add(-24*time.Hour), now
	q := r.URL.Query()
	if v := q.Get("end"); v != "" {
		if end, err = server.ParseTime(v); err != nil {
			return start, end, server.Invalid("end", "end %v", err)
		}
		start = end.Add(-24 * time.Hour)
	}
	if v := q.Get("start"); v != "" {
		if start, err = server.ParseTime(v); err != nil {
			return start, end, server.Invalid("start", "start %v", err)
		}
	}
	if d := end.Sub(start); d <= 0 || d > maxTimeline {
		return start, end, server.Invalid("end", "end must be later than start, by at most %d days", int(maxTimeline.Hours()/24))
	}
	return start, end, nil
}

// fail answers with the status that an error of the catalogue stands for.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var field *FieldError
	switch {
	case errors.As(err, &field):
		server.WriteError(w, r, server.Invalid(field.Field, "%v", field))
	case errors.Is(err, ErrNotFound), errors.Is(err, archive.ErrNotFound):
		server.WriteError(w, r, server.NotFound("%v", err))
	case errors.Is(err, ErrConflict), errors.Is(err, ErrExists), errors.Is(err, ErrTooMany):
		server.WriteError(w, r, server.Conflict("%v", err))
	default:
		a.c.opts.Log.Error("answer request", "path", r.URL.Path, "err", err)
		server.WriteError(w, r, err)
	}
}
