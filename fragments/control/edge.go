package control

import (
	"encoding/json"
	"fmt"
	"time"

	model "weir/internal/awsapi/kinesisvideo"
)

// noEdgeAgent is why no edge configuration is ever in sync.
const noEdgeAgent = "This server keeps edge configurations but has no edge agent that would fetch them. It pulls cameras itself: weir video add NAME rtsp://…"

// edge is the edge configuration of a stream as the metadata has it.
type edge struct {
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Config  json.RawMessage `json:"config"` // in the form of the API
}

// edgeOf reads the edge configuration of a stream, which must have one.
func edgeOf(s *Stream) (edge, *model.EdgeConfig, error) {
	var e edge
	if s.Attributes.Edge == nil {
		return e, nil, exception("StreamEdgeConfigurationNotFoundException", 404, "The stream %s has no edge configuration.", s.Name)
	}
	if err := json.Unmarshal(s.Attributes.Edge, &e); err != nil {
		return e, nil, fmt.Errorf("decode edge configuration: %w", err)
	}
	config := new(model.EdgeConfig)
	return e, config, readDocument(e.Config, config)
}
