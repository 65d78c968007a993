package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// deleteStream answers DeleteStream: the stream is DELETING when it returns.
func (a *API) deleteStream(c *awsserve.Call, in *model.DeleteStreamInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.Delete(c.Request.Context(), stream, value(in.EnforceConsumerDeletion))
}
