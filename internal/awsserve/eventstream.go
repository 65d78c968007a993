package awsserve

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"weir/internal/awsapi"
)

// ContentTypeEvents is the media type of an event stream.
const ContentTypeEvents = "application/vnd.amazon.eventstream"

// Events writes an event stream:
//
//	message  ┌───────────┬─────────────┬───────────┬─────────┬─────────┬───────────┐
//	         │ total <4> │ headers <4> │ CRC32 <4> │ headers │ payload │ CRC32 <4> │
//	         └───────────┴─────────────┴───────────┴─────────┴─────────┴───────────┘
//
// The first message is the initial response, for which clients wait.
type Events struct {
	w        http.ResponseWriter
	encoding awsapi.Encoding
	encoder  *eventstream.Encoder
	out      bytes.Buffer
}

// NewEvents begins the answer and sends the initial response.
func NewEvents(c *Call, w http.ResponseWriter) (*Events, error) {
	e := &Events{w: w, encoding: c.Encoding, encoder: eventstream.NewEncoder()}
	w.Header().Set("Content-Type", ContentTypeEvents)
	w.WriteHeader(http.StatusOK)
	empty := []byte("{}")
	if c.Encoding == awsapi.AmzCBOR {
		empty = []byte{0xa0}
	}
	return e, e.send("event", ":event-type", "initial-response", c.Encoding.ContentType(), empty)
}

// Send sends one event, whose payload is already encoded.
func (e *Events) Send(name string, payload []byte) error {
	content := "application/json"
	if e.encoding == awsapi.AmzCBOR {
		content = awsapi.AmzCBOR.ContentType()
	}
	return e.send("event", ":event-type", name, content, payload)
}

// Fail ends the stream with an error of the service's model.
func (e *Events) Fail(err error) error {
	f := awsapi.EncodeFailure(awsapi.JSON11, e.encoding, err)
	return e.send("exception", ":exception-type", awsapi.ErrorCode(err), e.encoding.ContentType(), f.Body)
}

func (e *Events) send(message, kind, name, content string, payload []byte) error {
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(":message-type", eventstream.StringValue(message))
	m.Headers.Set(kind, eventstream.StringValue(name))
	m.Headers.Set(":content-type", eventstream.StringValue(content))
	e.out.Reset()
	if err := e.encoder.Encode(&e.out, m); err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if _, err := e.w.Write(e.out.Bytes()); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	if err := http.NewResponseController(e.w).Flush(); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	return nil
}
