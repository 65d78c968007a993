package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// startStreamEncryption answers StartStreamEncryption.
func (a *API) startStreamEncryption(c *awsserve.Call, in *model.StartStreamEncryptionInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.StartEncryption(c.Request.Context(), stream, streams.EncryptionType(value(in.EncryptionType)), value(in.KeyId))
}
