package catalogue

import "encoding/json"

// Status is where a stream is between its making and its end, in the words of
// Kinesis Video Streams.
type Status string

// The states of a stream. The native API makes and changes streams at once, so
// that only those of the AWS API are ever anything but ACTIVE.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"
)

// Attributes are what the API of Kinesis Video Streams says of a stream beyond
// its definition. The native API neither shows nor changes them. They are
// values: whoever changes a map or a document replaces it.
type Attributes struct {
	// State is where the stream is; empty stands for ACTIVE.
	State Status `json:"state,omitempty"`
	// Changes counts what makes a new version of the stream.
	Changes     uint64            `json:"changes,omitempty"`
	DeviceName  string            `json:"deviceName,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	KMSKey      string            `json:"kmsKey,omitempty"`
	StorageTier string            `json:"storageTier,omitempty"` // empty stands for HOT
	Tags        map[string]string `json:"tags,omitempty"`
	// The documents of the API, as package control writes them.
	Notification    json.RawMessage `json:"notification,omitempty"`
	ImageGeneration json.RawMessage `json:"imageGeneration,omitempty"`
	Edge            json.RawMessage `json:"edge,omitempty"`
}

// Status is where the stream is.
func (a *Attributes) Status() Status {
	if a.State == "" {
		return Active
	}
	return a.State
}
