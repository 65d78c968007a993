package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// tagStream answers TagStream.
func (a *API) tagStream(c *awsserve.Call, in *model.TagStreamInput) (*model.TagStreamOutput, error) {
	found, err := a.onStreamTags(c, in.StreamName, in.StreamARN, auth.Access{RequestTags: in.Tags})
	if err != nil {
		return nil, err
	}
	return &model.TagStreamOutput{}, a.addTags(c, found, in.Tags)
}

func (a *API) addTags(c *awsserve.Call, found Stream, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	_, err := a.edit(c, found, func(s *Stream) error {
		var err error
		s.Attributes.Tags, err = withTags(s.Attributes.Tags, tags)
		return err
	})
	return err
}
