package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// untagStream answers UntagStream.
func (a *API) untagStream(c *awsserve.Call, in *model.UntagStreamInput) (*model.UntagStreamOutput, error) {
	found, err := a.onStreamTags(c, in.StreamName, in.StreamARN, auth.Access{TagKeys: in.TagKeyList})
	if err != nil {
		return nil, err
	}
	return &model.UntagStreamOutput{}, a.removeTags(c, found, in.TagKeyList)
}

func (a *API) removeTags(c *awsserve.Call, found Stream, keys []string) error {
	_, err := a.edit(c, found, func(s *Stream) error {
		s.Attributes.Tags = withoutTags(s.Attributes.Tags, keys)
		return nil
	})
	return err
}
