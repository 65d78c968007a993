package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// removeTagsFromStream answers RemoveTagsFromStream.
func (a *API) removeTagsFromStream(c *awsserve.Call, in *model.RemoveTagsFromStreamInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	r, _ := a.streams.Resource(stream)
	if err := a.allow(c, r, auth.Access{TagKeys: in.TagKeys}); err != nil {
		return err
	}
	return a.streams.RemoveTags(c.Request.Context(), stream, in.TagKeys)
}
