package getmedia

import (
	"errors"
	"fmt"
	"net/http"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mkv"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
)

// getMediaForFragmentList sends the fragments that a request names, in its
// order.
func (a *API) getMediaForFragmentList(c *awsserve.Call, in awsapi.Value, w http.ResponseWriter) error {
	req := in.(*model.GetMediaForFragmentListInput)
	s, err := a.open(c, req.StreamName, req.StreamARN)
	if err != nil {
		return err
	}
	list, err := named(s, req.Fragments)
	if err != nil {
		return err
	}
	r := a.newReader(s, w, true)
	ctx, leave, err := a.enter(c.Request.Context(), r)
	if err != nil {
		return err
	}
	defer leave()
	if err := r.begin(); err != nil {
		return err
	}
	before := names{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP", "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP"}
	for i := range list {
		f := &list[i]
		if r.buf, err = appendDocument(ctx, r.buf[:0], s, f, before.tags(f)); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.buf = appendEmpty(nil, r.excuse(f, err))
		}
		if err := r.await(ctx); err != nil {
			return err
		}
		if err := r.send(); err != nil {
			return err
		}
	}
	return nil
}

// named finds the fragments of a list, all of which must be there.
func named(s *archive.Stream, list []string) ([]fragments.Fragment, error) {
	out := make([]fragments.Fragment, 0, len(list))
	for _, text := range list {
		n, err := fragments.ParseNumber(text)
		if err != nil {
			return nil, invalid("Fragments has what is not a fragment number: %.64q", text)
		}
		f, err := s.Find(n)
		if errors.Is(err, archive.ErrNotFound) {
			return nil, &awsapi.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound,
				Message: fmt.Sprintf("The fragment is not found: %s", text)}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// excuse are the tags in place of a fragment that cannot be read.
func (r *reader) excuse(f *fragments.Fragment, err error) []mkv.SimpleTag {
	code, text := "4000", "the fragment is damaged or was deleted"
	if !r.lost(f, err) {
		r.api.opts.Log.Error("send a fragment", "stream", r.s.ID(), "fragment", f.Number, "err", err)
		code, text = "5000", "an internal error occurred"
	}
	return []mkv.SimpleTag{
		{Name: "AWS_KINESISVIDEO_FRAGMENT_NUMBER", Value: f.Number.String()},
		{Name: "AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE", Value: code},
		{Name: "AWS_KINESISVIDEO_EXCEPTION_MESSAGE", Value: text},
	}
}
