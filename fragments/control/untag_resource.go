package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// untagResource answers UntagResource, for channels and for streams.
func (a *API) untagResource(c *awsserve.Call, in *model.UntagResourceInput) (*model.UntagResourceOutput, error) {
	x := auth.Access{TagKeys: in.TagKeyList}
	if a.isStream(in.ResourceARN) {
		s, err := a.onStreamTags(c, nil, in.ResourceARN, x)
		if err != nil {
			return nil, err
		}
		return &model.UntagResourceOutput{}, a.removeTags(c, s, in.TagKeyList)
	}
	found, err := a.onChannel(c, nil, in.ResourceARN, x)
	if err != nil {
		return nil, err
	}
	return &model.UntagResourceOutput{}, a.channels.change(found, func(h *channel) error {
		h.Tags = withoutTags(h.Tags, in.TagKeyList)
		return nil
	})
}
