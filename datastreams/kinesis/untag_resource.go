package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// untagResource answers UntagResource, for streams and consumers.
func (a *API) untagResource(c *awsserve.Call, in *model.UntagResourceInput) error {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{TagKeys: in.TagKeys}); err != nil {
		return err
	}
	return a.streams.UntagResource(c.Request.Context(), value(in.ResourceARN), in.TagKeys)
}
