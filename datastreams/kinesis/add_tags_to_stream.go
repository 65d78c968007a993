package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// addTagsToStream answers AddTagsToStream.
func (a *API) addTagsToStream(c *awsserve.Call, in *model.AddTagsToStreamInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	r, _ := a.streams.Resource(stream)
	if err := a.allow(c, r, auth.Access{RequestTags: in.Tags}); err != nil {
		return err
	}
	return a.streams.AddTags(c.Request.Context(), stream, in.Tags)
}
