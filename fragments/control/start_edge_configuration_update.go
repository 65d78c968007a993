package control

import (
	"encoding/json"
	"fmt"

	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// startEdgeConfigurationUpdate answers StartEdgeConfigurationUpdate. The
// configuration is kept; since no agent fetches it, its synchronisation has
// failed as soon as somebody looks.
func (a *API) startEdgeConfigurationUpdate(c *awsserve.Call, in *model.StartEdgeConfigurationUpdateInput) (*model.StartEdgeConfigurationUpdateOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	document, err := writeDocument(in.EdgeConfig)
	if err != nil {
		return nil, err
	}
	now := a.now()
	e := edge{Created: now, Updated: now, Config: document}
	_, err = a.change(c, found, nil, func(s *Stream) error {
		if !s.Persisted() {
			return noDataRetention(s.Name)
		}
		if old, _, err := edgeOf(s); err == nil {
			e.Created = old.Created
		}
		text, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode edge configuration: %w", err)
		}
		s.Attributes.Edge = text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &model.StartEdgeConfigurationUpdateOutput{
		StreamName: &found.Name, StreamARN: &found.ARN, CreationTime: timestamp(e.Created), LastUpdatedTime: timestamp(e.Updated),
		SyncStatus: new(model.SyncStatusSyncing), EdgeConfig: in.EdgeConfig,
	}, nil
}
