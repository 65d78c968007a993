package control

import (
	"fmt"

	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// streamContainer is what streams of the API are stored in: what PutMedia
// brings is kept as it came.
const streamContainer = "mkv"

// createStream answers CreateStream.
func (a *API) createStream(c *awsserve.Call, in *model.CreateStreamInput) (*model.CreateStreamOutput, error) {
	if err := a.onNew(c, streamKind, *in.StreamName, in.Tags); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	hours := value(in.DataRetentionInHours)
	if hours > maxRetention {
		return nil, invalid("DataRetentionInHours must be between 0 and %d.", maxRetention)
	}
	if a.opts.AWSLimits && len(a.catalogue.List()) >= awsStreams {
		return nil, Failure(fmt.Errorf("%w: at most %d", catalogue.ErrTooMany, awsStreams))
	}
	d := a.catalogue.New(*in.StreamName)
	d.Container = streamContainer
	setRetention(&d, int(hours))
	s, err := a.catalogue.Create(c.Request.Context(), d, catalogue.Attributes{
		State: catalogue.Creating, DeviceName: value(in.DeviceName), MediaType: value(in.MediaType), KMSKey: value(in.KmsKeyId),
		StorageTier: storageTier(in.StreamStorageConfiguration), Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), streamKind, s.Name)
	return &model.CreateStreamOutput{StreamARN: new(a.streams.stream(s).ARN)}, nil
}

// setRetention says how long fragments are kept. What a stream keeps that is
// not recorded, its definition says.
func setRetention(d *catalogue.Definition, hours int) {
	d.Record = hours > 0
	if d.Record {
		d.Retention.Hours = float64(hours)
	}
}

// storageTier reads the tier, empty when it is not given.
func storageTier(c *model.StreamStorageConfiguration) string {
	if c == nil {
		return ""
	}
	return string(value(c.DefaultStorageTier))
}
