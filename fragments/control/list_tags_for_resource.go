package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// listTagsForResource answers ListTagsForResource, for channels and for
// streams, with all tags on one page.
func (a *API) listTagsForResource(c *awsserve.Call, in *model.ListTagsForResourceInput) (*model.ListTagsForResourceOutput, error) {
	tags, err := a.tagsOf(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	if err := noToken(in.NextToken); err != nil {
		return nil, err
	}
	return &model.ListTagsForResourceOutput{Tags: shownTags(tags)}, nil
}

func (a *API) tagsOf(c *awsserve.Call, arn *string) (map[string]string, error) {
	if a.isStream(arn) {
		s, err := a.onStream(c, nil, arn)
		return s.Tags(), err
	}
	found, err := a.onChannel(c, nil, arn, auth.Access{})
	return found.Tags, err
}
