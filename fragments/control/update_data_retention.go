package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateDataRetention answers UpdateDataRetention. The new retention holds for
// what is recorded already: what is beyond it is deleted.
func (a *API) updateDataRetention(c *awsserve.Call, in *model.UpdateDataRetentionInput) (*model.UpdateDataRetentionOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = a.change(c, found, in.CurrentVersion, func(s *Stream) error {
		hours := int64(*in.DataRetentionChangeInHours)
		if *in.Operation == model.UpdateDataRetentionOperationDecreaseDataRetention {
			hours = -hours
		}
		hours += int64(s.RetentionHours())
		if hours < 0 || hours > maxRetention {
			return invalid("The retention would be %d hours; it must be between 0 and %d.", hours, maxRetention)
		}
		setRetention(&s.Definition, int(hours))
		renew(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), streamKind, found.Name)
	return &model.UpdateDataRetentionOutput{}, nil
}
