package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// maxEdgeConfigurations is how many one answer has at most.
const maxEdgeConfigurations = 10

// listEdgeAgentConfigurations answers ListEdgeAgentConfigurations: the
// configurations that name an edge agent.
func (a *API) listEdgeAgentConfigurations(c *awsserve.Call, in *model.ListEdgeAgentConfigurationsInput) (*model.ListEdgeAgentConfigurationsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	p, err := newPage(c.Operation.Name, in.MaxResults, maxEdgeConfigurations, in.NextToken, "")
	if err != nil {
		return nil, err
	}
	var all []model.ListEdgeAgentConfigurationsEdgeConfig
	for _, found := range a.catalogue.List() {
		s := a.streams.stream(found)
		e, config, err := edgeOf(&s)
		if err != nil || *config.HubDeviceArn != *in.HubDeviceArn {
			continue
		}
		all = append(all, model.ListEdgeAgentConfigurationsEdgeConfig{
			StreamName: &s.Name, StreamARN: &s.ARN, CreationTime: timestamp(e.Created), LastUpdatedTime: timestamp(e.Updated),
			SyncStatus: new(model.SyncStatusSyncFailed), FailedStatusDetails: new(noEdgeAgent), EdgeConfig: config,
		})
	}
	list, next := cut(p, c.Operation.Name, all, func(e *model.ListEdgeAgentConfigurationsEdgeConfig) string { return *e.StreamName })
	if list == nil {
		list = []model.ListEdgeAgentConfigurationsEdgeConfig{}
	}
	return &model.ListEdgeAgentConfigurationsOutput{EdgeConfigs: list, NextToken: next}, nil
}
