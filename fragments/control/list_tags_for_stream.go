package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// listTagsForStream answers ListTagsForStream, with all tags on one page.
func (a *API) listTagsForStream(c *awsserve.Call, in *model.ListTagsForStreamInput) (*model.ListTagsForStreamOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if err := noToken(in.NextToken); err != nil {
		return nil, err
	}
	return &model.ListTagsForStreamOutput{Tags: shownTags(s.Tags())}, nil
}

// noToken refuses a token where every list has one page.
func noToken(token *string) error {
	if value(token) != "" {
		return invalid("NextToken is not one that this operation answered: the whole list is on one page.")
	}
	return nil
}
