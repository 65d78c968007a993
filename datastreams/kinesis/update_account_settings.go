package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateAccountSettings answers UpdateAccountSettings.
func (a *API) updateAccountSettings(c *awsserve.Call, in *model.UpdateAccountSettingsInput) (*model.UpdateAccountSettingsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	s, err := a.streams.UpdateAccountSettings(c.Request.Context(), string(value(in.MinimumThroughputBillingCommitment.Status)))
	if err != nil {
		return nil, err
	}
	return &model.UpdateAccountSettingsOutput{MinimumThroughputBillingCommitment: commitment(s)}, nil
}
