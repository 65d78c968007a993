package archived

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
)

// defaultFragments is how many fragments a page has that asks for no number.
const defaultFragments = 100

// page is what a NextToken says.
type page struct {
	Stream archive.StreamID `json:"s"`
	Span   span             `json:"r"`
	After  place            `json:"p"`
}

// pageRecord is what tokens of pages are sealed for.
const pageRecord = "kinesisvideo ListFragments"

// listFragments lists the fragments that start in a range.
func (a *API) listFragments(c *awsserve.Call, in *model.ListFragmentsInput) (*model.ListFragmentsOutput, error) {
	_, s, err := a.open(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	p, err := a.page(s.ID(), in)
	if err != nil {
		return nil, err
	}
	most := defaultFragments
	if in.MaxResults != nil {
		most = int(*in.MaxResults)
	}
	if err := a.limitCall(c, s, most); err != nil {
		return nil, err
	}
	out := &model.ListFragmentsOutput{Fragments: []model.Fragment{}}
	for f, err := range p.Span.fragments(c.Request.Context(), s, p.After) {
		if err != nil {
			return nil, err
		}
		if len(out.Fragments) == most {
			token, err := a.seal(p)
			out.NextToken = &token
			return out, err
		}
		out.Fragments = append(out.Fragments, described(&f))
		p.After = place{f.Number, f.Start}
	}
	return out, nil
}

// described is a fragment as the API lists it.
func described(f *fragments.Fragment) model.Fragment {
	number, size := f.Number.String(), int64(0)
	for i := range f.Runs {
		size += f.Runs[i].Len
		if f.Flags&fragments.Raw != 0 {
			break // all runs are the same bytes
		}
	}
	length := f.Duration / int64(time.Millisecond)
	return model.Fragment{
		FragmentNumber: &number, FragmentSizeInBytes: &size, FragmentLengthInMilliseconds: &length,
		ProducerTimestamp: timestamp(f.Start), ServerTimestamp: timestamp(f.Received),
	}
}

func timestamp(ns int64) *awsapi.Timestamp {
	t := awsapi.TimestampOf(time.Unix(0, ns))
	return &t
}

// page reads where a request wants to begin.
func (a *API) page(id archive.StreamID, in *model.ListFragmentsInput) (page, error) {
	p := page{Stream: id}
	if in.NextToken != nil {
		return a.unseal(id, *in.NextToken)
	}
	if in.FragmentSelector == nil {
		return p, invalid("FragmentSelector is required without NextToken.")
	}
	r := in.FragmentSelector.TimestampRange
	var err error
	p.Span, err = spanOf(axis(*in.FragmentSelector.FragmentSelectorType), r.StartTimestamp, r.EndTimestamp, 0)
	return p, err
}

// seal makes the token of a page; the model allows no characters but those of
// base64.
func (a *API) seal(p page) (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write a token: %w", err)
	}
	sealed, err := a.opts.Sealer.Seal(auth.NewSecret(string(text)), pageRecord)
	return base64.StdEncoding.EncodeToString([]byte(sealed)), err
}

// unseal reads the token of a page of a stream.
func (a *API) unseal(id archive.StreamID, token string) (p page, err error) {
	sealed, err := base64.StdEncoding.DecodeString(token)
	var text auth.Secret
	if err == nil {
		text, err = a.opts.Sealer.Open(string(sealed), pageRecord)
	}
	if err != nil || json.Unmarshal([]byte(text.Reveal()), &p) != nil || p.Stream != id {
		return p, invalid("NextToken is not one of a list of this stream.")
	}
	return p, nil
}
