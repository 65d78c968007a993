package kinesis

import (
	"time"

	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// describeAccountSettings answers DescribeAccountSettings.
func (a *API) describeAccountSettings(c *awsserve.Call, _ *model.DescribeAccountSettingsInput) (*model.DescribeAccountSettingsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	s, err := a.streams.AccountSettings(c.Request.Context())
	if err != nil {
		return nil, err
	}
	return &model.DescribeAccountSettingsOutput{MinimumThroughputBillingCommitment: commitment(s)}, nil
}

func commitment(s streams.Commitment) *model.MinimumThroughputBillingCommitmentOutput {
	return &model.MinimumThroughputBillingCommitmentOutput{
		Status:    new(model.MinimumThroughputBillingCommitmentOutputStatus(s.Status)),
		StartedAt: instant(s.StartedAt), EndedAt: instant(s.EndedAt), EarliestAllowedEndAt: instant(s.EarliestAllowedEndAt),
	}
}

// instant is nil for the zero time.
func instant(t time.Time) *awsapi.Timestamp {
	if t.IsZero() {
		return nil
	}
	return new(awsapi.TimestampOf(t))
}
