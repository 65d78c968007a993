package signaling

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
)

// Limits of messages.
const (
	maxName       = 256      // characters of a client id or a correlation id
	awsPayload    = 10 << 10 // of a payload in base64, where AWS's limits are imposed
	maxPayload    = 64 << 10 // of one anywhere: SDP with every codec has some 10 KiB
	maxFrame      = 96 << 10 // a message with a payload, and keys that are not read
	maxDeepFrame  = 16       // nesting of JSON that is worth reading
	maxStatusText = 1000     // characters of a description, 1 KiB at AWS
)

// Type is what a message is.
type Type string

// The types. Peers send the first three, the broker sends all.
const (
	Offer              Type = "SDP_OFFER"
	Answer             Type = "SDP_ANSWER"
	Candidate          Type = "ICE_CANDIDATE"
	GoAway             Type = "GO_AWAY"
	ReconnectICEServer Type = "RECONNECT_ICE_SERVER"
	StatusResponse     Type = "STATUS_RESPONSE"
)

// Message is what a peer sends.
type Message struct {
	Type Type
	// Recipient is the client id of a viewer. Messages of viewers go to the
	// master, whatever it says.
	Recipient string
	// Payload is JSON in base64: a session description or a candidate.
	Payload string
	// Correlation is echoed when the message is refused.
	Correlation string
}

// Event is what a peer receives.
type Event struct {
	Type    Type    `json:"messageType"`
	Sender  string  `json:"senderClientId,omitempty"` // "" for the master and for the storage session
	Payload string  `json:"messagePayload,omitempty"`
	Status  *Status `json:"statusResponse,omitempty"` // of STATUS_RESPONSE
	// Correlation is what the sender called the message. Peers are not told;
	// the storage session refuses with it.
	Correlation string `json:"-"`
}

// Status says why a message was refused.
type Status struct {
	Correlation string `json:"correlationId"`
	Success     bool   `json:"success"` // false: there is no answer to what went well
	ErrorType   string `json:"errorType,omitempty"`
	Code        string `json:"statusCode,omitempty"` // an HTTP status
	Description string `json:"description,omitempty"`
}

// Refusal is why a message or a connection is refused, in the words of AWS.
type Refusal struct {
	ErrorType   string // the name of an exception of the service
	Code        int    // an HTTP status
	Description string
}

// Error returns the description.
func (r *Refusal) Error() string { return r.Description }

func invalid(format string, args ...any) error {
	return &Refusal{ErrorType: "InvalidArgumentException", Code: http.StatusBadRequest, Description: fmt.Sprintf(format, args...)}
}

func exceeded(format string, args ...any) error {
	return &Refusal{ErrorType: "ClientLimitExceededException", Code: http.StatusBadRequest, Description: fmt.Sprintf(format, args...)}
}

// status is the event that tells a peer of a refusal.
func (r *Refusal) status(correlation string) Event {
	text := r.Description
	if len(text) > maxStatusText {
		text = text[:maxStatusText]
	}
	return Event{Type: StatusResponse, Status: &Status{
		Correlation: correlation, ErrorType: r.ErrorType, Code: fmt.Sprint(r.Code), Description: text,
	}}
}

// wireMessage is a message as it comes. The browsers' library writes its keys
// in lower case, that of devices in upper case: package json takes both.
type wireMessage struct {
	Action            string `json:"action"`
	RecipientClientID string `json:"recipientClientId"`
	MessagePayload    string `json:"messagePayload"`
	CorrelationID     string `json:"correlationId"`
}

// parseMessage reads a message as a socket brings it. Keys that it does not
// know, such as IceServerList of devices, it leaves out. With an error, the
// message has at least the correlation id, if that could be read.
func parseMessage(data []byte) (Message, error) {
	if len(data) > maxFrame {
		return Message{}, invalid("The message is larger than %d bytes.", maxFrame)
	}
	if depth(data) > maxDeepFrame {
		return Message{}, invalid("The message is no JSON object of a client.")
	}
	var w wireMessage
	if err := json.Unmarshal(data, &w); err != nil {
		return Message{}, invalid("The message is no JSON object of a client.")
	}
	m := Message{Type: Type(w.Action), Recipient: w.RecipientClientID, Payload: w.MessagePayload}
	if w.CorrelationID != "" && !validName(w.CorrelationID) {
		return m, invalid("correlationId must have 1 to %d of the characters a-z, A-Z, 0-9, _ . and -.", maxName)
	}
	m.Correlation = w.CorrelationID
	switch m.Type {
	case Offer, Answer, Candidate:
	default:
		return m, invalid("action must be %s, %s or %s.", Offer, Answer, Candidate)
	}
	return m, nil
}

// depth is the deepest nesting of brackets outside strings.
func depth(data []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// check finds what is wrong with a message, whoever sends it.
func (m *Message) check(most int) error {
	switch {
	case m.Payload == "":
		return invalid("messagePayload is missing.")
	case len(m.Payload) > most:
		return invalid("messagePayload has %d characters, at most %d.", len(m.Payload), most)
	}
	if _, err := decodePayload(m.Payload); err != nil {
		return invalid("messagePayload must be base64.")
	}
	return nil
}

// decodePayload takes base64 with padding and without.
func decodePayload(text string) ([]byte, error) {
	if len(text)%4 != 0 {
		return base64.RawStdEncoding.DecodeString(text)
	}
	return base64.StdEncoding.DecodeString(text)
}

// Decode reads the payload of an event into v.
func (e *Event) Decode(v any) error {
	data, err := decodePayload(e.Payload)
	if err != nil {
		return fmt.Errorf("decode the payload of a message: %w", err)
	}
	if depth(data) > maxDeepFrame {
		return fmt.Errorf("decode the payload of a message: nested deeper than %d", maxDeepFrame)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode the payload of a message: %w", err)
	}
	return nil
}

// Encode makes a payload of v.
func Encode(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode the payload of a message: %w", err)
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// validName tells whether a text may be a client id or a correlation id.
func validName(text string) bool {
	if text == "" || len(text) > maxName {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}
