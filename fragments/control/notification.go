package control

import (
	"fmt"

	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesisvideo"
)

// Notification is where notifications of tagged fragments of a stream go.
type Notification struct {
	Enabled bool
	// URI is http://… or https://…, or the ARN of a data stream,
	// arn:aws:kinesis:….
	URI string
}

// Notification is the notification configuration of the stream; false when
// there is none.
func (s *Stream) Notification() (Notification, bool) {
	var c model.NotificationConfiguration
	if s.Attributes.Notification == nil || readDocument(s.Attributes.Notification, &c) != nil {
		return Notification{}, false
	}
	return Notification{Enabled: value(c.Status) == model.ConfigurationStatusEnabled, URI: value(c.DestinationConfig.Uri)}, true
}

// writeDocument writes a part of the API's model for the metadata, as it is on
// the wire.
func writeDocument(v awsapi.Value) ([]byte, error) {
	b, err := awsapi.Encode(awsapi.PlainJSON, v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.WireShape().Name, err)
	}
	return b, nil
}

// readDocument reads what writeDocument wrote, and refuses what breaks the
// model, so that required members are there.
func readDocument(b []byte, v awsapi.Value) error {
	if err := awsapi.Decode(awsapi.PlainJSON, b, v); err != nil {
		return fmt.Errorf("decode %s: %w", v.WireShape().Name, err)
	}
	return awsapi.Validate(v)
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// present is a pointer to v, or nil for the zero value.
func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
