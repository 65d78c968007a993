package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// tagResource answers TagResource, for channels and for streams.
func (a *API) tagResource(c *awsserve.Call, in *model.TagResourceInput) (*model.TagResourceOutput, error) {
	tags, bad := tagMap(in.Tags)
	x := auth.Access{RequestTags: tags}
	if a.isStream(in.ResourceARN) {
		s, err := a.onStreamTags(c, nil, in.ResourceARN, x)
		if err == nil {
			err = bad
		}
		if err != nil {
			return nil, err
		}
		return &model.TagResourceOutput{}, a.addTags(c, s, tags)
	}
	found, err := a.onChannel(c, nil, in.ResourceARN, x)
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	return &model.TagResourceOutput{}, a.channels.change(found, func(h *channel) error {
		var err error
		h.Tags, err = withTags(h.Tags, tags)
		return err
	})
}

// isStream tells whether an ARN is that of a stream.
func (a *API) isStream(arn *string) bool {
	kind, _, _, _ := a.place.parse(*arn)
	return kind == streamKind
}
