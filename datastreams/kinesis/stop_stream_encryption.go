package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// stopStreamEncryption answers StopStreamEncryption.
func (a *API) stopStreamEncryption(c *awsserve.Call, in *model.StopStreamEncryptionInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.StopEncryption(c.Request.Context(), stream, streams.EncryptionType(value(in.EncryptionType)), value(in.KeyId))
}
