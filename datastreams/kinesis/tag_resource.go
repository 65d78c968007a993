package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// tagResource answers TagResource, for streams and consumers.
func (a *API) tagResource(c *awsserve.Call, in *model.TagResourceInput) error {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{RequestTags: in.Tags}); err != nil {
		return err
	}
	return a.streams.TagResource(c.Request.Context(), value(in.ResourceARN), in.Tags)
}
