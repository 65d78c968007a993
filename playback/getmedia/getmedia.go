package getmedia

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mkv"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvmedia"
	"weir/internal/awsserve"
	"weir/internal/server"
)

// Errors that GetMedia tells within its answer, which has begun by then.
const (
	codeGone     = 4000 // the fragment to go on after is not there
	codeInternal = 5000
)

// maxKept is how much of a buffer a reader keeps between two fragments.
const maxKept = 4 << 20

// getMedia sends fragments from the selected one on, for as long as the client
// stays.
func (a *API) getMedia(c *awsserve.Call, in awsapi.Value, w http.ResponseWriter) error {
	req := in.(*model.GetMediaInput)
	s, err := a.open(c, req.StreamName, req.StreamARN)
	if err != nil {
		return err
	}
	r := a.newReader(s, w, false)
	st, err := find(c.Request.Context(), s, req.StartSelector)
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	ctx, leave, refused := a.enter(c.Request.Context(), r)
	if refused != nil {
		return refused
	}
	defer leave()
	if e := r.begin(); e != nil {
		return e
	}
	if err == nil {
		err = r.follow(ctx, st)
	}
	return r.conclude(ctx, err)
}

// conclude tells a client that is still there why its answer ends.
func (r *reader) conclude(ctx context.Context, err error) error {
	code, text := codeInternal, "an internal error occurred"
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, errClient):
		return err
	case errors.Is(err, errGone):
		code, text = codeGone, err.Error()
	default:
		r.api.opts.Log.Error("send media", "stream", r.s.ID(), "err", err)
	}
	r.buf = appendEmpty(r.buf[:0], []mkv.SimpleTag{
		{Name: "AWS_KINESISVIDEO_ERROR_CODE", Value: text},
		{Name: "AWS_KINESISVIDEO_ERROR_ID", Value: strconv.Itoa(code)},
	})
	return r.send()
}

// errClient marks what could not be sent: the client is away.
var errClient = errors.New("the client went away")

// follow sends what is recorded from st on, and then what comes. It sleeps
// until there is something new.
func (r *reader) follow(ctx context.Context, st start) error {
	for first := true; ; first = false {
		edge := r.s.Edge()
		if first || news(&edge, st.from) {
			if err := r.catchUp(ctx, &st); err != nil {
				return err
			}
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-server.Draining(ctx):
			return nil
		}
	}
}

// news tells whether a fragment from that number on is persisted.
func news(edge *archive.Edge, from fragments.Number) bool {
	for i := range edge.Fragments {
		if f := &edge.Fragments[i]; f.Persisted && f.Number >= from {
			return true
		}
	}
	return false
}

// catchUp sends all that is recorded from st on, and moves st behind it.
func (r *reader) catchUp(ctx context.Context, st *start) error {
	for f, err := range r.s.From(st.from) {
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-server.Draining(ctx):
			return nil
		default:
		}
		if st.past == nil || !st.past(&f) {
			st.past = nil
			if err := r.fragment(ctx, &f); err != nil {
				return err
			}
		}
		st.from = f.Number + 1
	}
	return nil
}

// fragment sends one fragment, unless its media cannot be had.
func (r *reader) fragment(ctx context.Context, f *fragments.Fragment) error {
	before := names{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", "AWS_KINESISVIDEO_SERVER_TIMESTAMP", "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"}
	b, err := appendDocument(ctx, r.buf[:0], r.s, f, before.tags(f))
	if err != nil {
		if r.lost(f, err) {
			return nil
		}
		return err
	}
	r.buf = appendAfter(b, f, r.api.opts.Clock.Now())
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.send(); err != nil {
		return errors.Join(errClient, err)
	}
	if cap(r.buf) > maxKept {
		r.buf = nil
	}
	return nil
}
