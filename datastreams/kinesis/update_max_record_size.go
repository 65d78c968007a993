package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateMaxRecordSize answers UpdateMaxRecordSize.
func (a *API) updateMaxRecordSize(c *awsserve.Call, in *model.UpdateMaxRecordSizeInput) error {
	stream := ref(nil, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.UpdateMaxRecordSize(c.Request.Context(), stream, int(value(in.MaxRecordSizeInKiB)))
}
