package awsapi

// Protocol is how a service's requests and answers are laid out over HTTP.
type Protocol uint8

// The protocols of the models.
const (
	JSON11   Protocol = iota // POST / with X-Amz-Target; JSON 1.1 or CBOR 1.1
	RESTJSON                 // a path per operation; JSON and headers
)

// Service is the model of one service: what it is called and what it can do.
type Service struct {
	ID           string // as SDKs name it
	Version      string // of the API
	SigningName  string // the service in the scope of a signature
	Protocol     Protocol
	TargetPrefix string // of X-Amz-Target, without the dot; for JSON11
	Operations   []Operation
	Errors       []*ErrorShape
	Structures   []func() Value // a constructor for every structure of the model
}

// Operation is one operation of a service.
type Operation struct {
	Name       string
	Method     string
	URI        string
	Status     int // of a successful answer
	NewInput   func() Value
	NewOutput  func() Value // nil when the answer has no body
	EventShape *Shape       // of the union of events, when the answer is an event stream
	Errors     []*ErrorShape
}

// Operation finds an operation by name.
func (s *Service) Operation(name string) (*Operation, bool) {
	for i := range s.Operations {
		if s.Operations[i].Name == name {
			return &s.Operations[i], true
		}
	}
	return nil, false
}

// Route finds an operation of a REST service by method and path.
func (s *Service) Route(method, path string) (*Operation, bool) {
	for i := range s.Operations {
		if o := &s.Operations[i]; o.Method == method && o.URI == path {
			return o, true
		}
	}
	return nil, false
}
