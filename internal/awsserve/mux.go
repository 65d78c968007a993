// Package awsserve is where AWS services meet HTTP. It finds the operation that
// a request names, reads and checks its input by the service's model, calls who
// answers it, and writes outputs and errors as the service's protocol has them.
//
//	POST /  X-Amz-Target: Kinesis_20131202.PutRecords
//	        Content-Type: application/x-amz-json-1.1 | application/x-amz-cbor-1.1
//	   │
//	   ├─ Fast    the operation reads its own body; what it leaves goes on to
//	   ├─ Answer  typed input ─► typed output
//	   ├─ Write   typed input ─► an output written by hand
//	   └─ Stream  typed input ─► an event stream of its own length
//
// Services with a path for each operation, as those of Kinesis Video have, are
// in rest.go; the rest of the way is the same.
//
// It knows no service: each registers its model and one [Entry] an operation.
// Who asks is verified before (package server); what they may do is for the
// entries to ask.
package awsserve

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/server"
)

// Service is a model and what answers its operations.
type Service struct {
	Model *awsapi.Service
	// Entries has one entry for each operation of the model.
	Entries map[string]Entry
	// Failure turns errors of the service's own kind into errors of its model;
	// nil leaves them as they are.
	Failure func(error) error
}

// Entry answers one operation. One of Answer, Write and Stream is set.
type Entry struct {
	Answer Answer
	Write  Write
	Stream Stream
	Fast   Fast // may be nil
	// Media says that the body of the request is media without an end, which
	// the signature does not cover: the input is in the headers, and Stream
	// reads the body itself. Only operations with a path of their own may.
	Media bool
}

// complete tells whether exactly one of the ways is set.
func (e Entry) complete() bool {
	n := 0
	for _, set := range [...]bool{e.Answer != nil, e.Write != nil, e.Stream != nil} {
		if set {
			n++
		}
	}
	return n == 1
}

// Answer takes a checked input and returns the output, nil for an operation
// without one.
type Answer func(c *Call, in awsapi.Value) (awsapi.Value, error)

// Write takes a checked input and writes the output into w, for operations that
// answer so much that reflection shows.
type Write func(c *Call, in awsapi.Value, w *awsapi.Writer) error

// Stream takes a checked input and writes the answer itself. An error before
// the first write is answered as that of any operation.
type Stream func(c *Call, in awsapi.Value, w http.ResponseWriter) error

// Fast answers from the body itself. Whatever is not quite ordinary it leaves
// to the way of all operations, by returning false before it writes, so that
// constraints have one place and one wording.
type Fast func(c *Call, body []byte, w *awsapi.Writer) (ok bool, err error)

// Call is one request to an operation.
type Call struct {
	Operation *awsapi.Operation
	Encoding  awsapi.Encoding
	Identity  auth.Identity
	Request   *http.Request
}

// Mux serves the services that share the path "/".
type Mux struct {
	log      *slog.Logger
	services map[string]*Service // by target prefix
	metrics  metrics
}

// New returns a mux without services. Its metrics are registered with r.
func New(log *slog.Logger, r prometheus.Registerer) (*Mux, error) {
	m := &Mux{log: log, services: map[string]*Service{}, metrics: newMetrics()}
	for _, c := range m.metrics.all() {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of the AWS services: %w", err)
		}
	}
	return m, nil
}

// Add adds a service, all of whose operations must have an entry.
func (m *Mux) Add(s *Service) error {
	if err := s.check(); err != nil {
		return err
	}
	m.services[s.Model.TargetPrefix] = s
	return nil
}

// check finds operations without an entry.
func (s *Service) check() error {
	for _, o := range s.Model.Operations {
		if !s.Entries[o.Name].complete() {
			return fmt.Errorf("add service %s: operation %s has no answer, or two", s.Model.ID, o.Name)
		}
	}
	return nil
}

// Register registers the path "/" with the server, for the services that were
// added.
func (m *Mux) Register(r server.Routes) {
	names := make([]string, 0, len(m.services))
	for _, s := range m.services {
		names = append(names, s.Model.SigningName)
	}
	r.Handle("POST /{$}", m.serve, server.BodyLimit(awsapi.MaxBody), server.Services(names...), server.Refuse(refuse))
}

// serve answers one request of a verified identity.
func (m *Mux) serve(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	start := time.Now()
	setIDs(w, r)
	encoding, ok := awsapi.ParseContentType(r.Header.Get("Content-Type"))
	if !ok || encoding == awsapi.PlainJSON {
		unknownOperation(w, http.StatusNotFound)
		return
	}
	service, operation, ok := m.find(r.Header.Get("X-Amz-Target"))
	if !ok {
		unknownOperation(w, http.StatusBadRequest)
		return
	}
	if scope, signed := id.Scope(); signed && scope.Service != service.Model.SigningName {
		refuse(w, r, auth.WrongService(service.Model.SigningName))
		return
	}
	c := &Call{Operation: operation, Encoding: encoding, Identity: id, Request: r}
	code := m.answer(w, c, service)
	m.metrics.observe(service.Model.ID, operation.Name, code, time.Since(start))
}

func (m *Mux) find(target string) (*Service, *awsapi.Operation, bool) {
	prefix, name, _ := strings.Cut(target, ".")
	s, ok := m.services[prefix]
	if !ok {
		return nil, nil, false
	}
	o, ok := s.Model.Operation(name)
	return s, o, ok
}

// answer reads, dispatches and writes, and returns the code for the metrics.
func (m *Mux) answer(w http.ResponseWriter, c *Call, s *Service) string {
	body, done, err := readBody(c.Request)
	if err != nil {
		return m.fail(w, c, s, err)
	}
	defer done()
	entry := s.Entries[c.Operation.Name]
	out := buffers().Get().(*[]byte)
	defer func() { release(out) }()
	if entry.Fast != nil {
		writer := awsapi.NewWriter(c.Encoding, (*out)[:0])
		ok, err := entry.Fast(c, body, writer)
		*out = writer.Bytes()
		switch {
		case err != nil:
			return m.fail(w, c, s, err)
		case ok:
			write(w, c.Encoding, c.Operation.Status, *out)
			return codeOK
		}
	}
	in := c.Operation.NewInput()
	awsapi.DecodeHeader(c.Request.Header, in)
	if err := awsapi.Decode(c.Encoding, body, in); err != nil {
		return m.fail(w, c, s, err)
	}
	if err := awsapi.Validate(in); err != nil {
		return m.fail(w, c, s, err)
	}
	if entry.Stream != nil {
		return m.stream(w, c, s, entry.Stream, in)
	}
	if *out, err = entry.output(c, in, (*out)[:0]); err != nil {
		return m.fail(w, c, s, err)
	}
	write(w, c.Encoding, c.Operation.Status, *out)
	return codeOK
}

// output appends the output to b.
func (e Entry) output(c *Call, in awsapi.Value, b []byte) ([]byte, error) {
	if e.Write != nil {
		w := awsapi.NewWriter(c.Encoding, b)
		err := e.Write(c, in, w)
		return w.Bytes(), err
	}
	out, err := e.Answer(c, in)
	if err != nil || out == nil {
		return b, err
	}
	answer, err := awsapi.Encode(c.Encoding, out)
	return append(b, answer...), err
}

// stream lets an entry write its own answer. Once that has begun, the
// operation has succeeded; how the stream ends is part of it.
func (m *Mux) stream(w http.ResponseWriter, c *Call, s *Service, f Stream, in awsapi.Value) string {
	t := &tracker{ResponseWriter: w}
	err := f(c, in, t)
	switch {
	case err == nil:
		return codeOK
	case !t.wrote:
		return m.fail(w, c, s, err)
	}
	m.log.Debug("an event stream ended", "service", s.Model.ID, "operation", c.Operation.Name,
		"request", server.RequestID(c.Request.Context()), "err", err)
	return codeOK
}

// codeOK is the code of success in the metrics.
const codeOK = "OK"

// fail answers an error and logs it when it is ours.
func (m *Mux) fail(w http.ResponseWriter, c *Call, s *Service, err error) string {
	if s.Failure != nil {
		err = s.Failure(err)
	}
	f := awsapi.EncodeFailure(s.Model.Protocol, c.Encoding, err)
	if f.Status >= http.StatusInternalServerError {
		m.log.Error("a request to an AWS service failed", "service", s.Model.ID, "operation", c.Operation.Name,
			"request", server.RequestID(c.Request.Context()), "err", err)
	}
	writeFailure(w, f)
	return awsapi.ErrorCode(err)
}

// refuse answers a request whose credentials or size do not do.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	encoding, ok := awsapi.ParseContentType(r.Header.Get("Content-Type"))
	if !ok {
		encoding = awsapi.AmzJSON
	}
	refuseIn(w, r, awsapi.JSON11, encoding, err)
}

func refuseIn(w http.ResponseWriter, r *http.Request, p awsapi.Protocol, e awsapi.Encoding, err error) {
	setIDs(w, r)
	x := auth.Refusal(err).AWS(p == awsapi.RESTJSON)
	f := awsapi.EncodeFailure(p, e, &awsapi.Error{Code: x.Code, Message: x.Message, Status: x.Status})
	writeFailure(w, f)
}

func writeFailure(w http.ResponseWriter, f awsapi.Failure) {
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(f.Status)
	// A client that is gone needs no answer.
	_, _ = w.Write(f.Body)
}

func write(w http.ResponseWriter, e awsapi.Encoding, status int, body []byte) {
	w.Header().Set("Content-Type", e.ContentType())
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(body)
}

// unknownOperation answers what names no operation, in the bare form that AWS
// has for it.
func unknownOperation(w http.ResponseWriter, status int) {
	if status == http.StatusNotFound {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<UnknownOperationException/>\n"))
		return
	}
	write(w, awsapi.AmzJSON, status, []byte(`{"__type":"UnknownOperationException"}`))
}

// setIDs gives an answer the ids that clients put into their own logs.
func setIDs(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{server.RequestID(r.Context())}
	var extended [48]byte
	rand.Read(extended[:])
	h["X-Amz-Id-2"] = []string{base64.StdEncoding.EncodeToString(extended[:])}
}

// tracker remembers whether an answer has begun.
type tracker struct {
	http.ResponseWriter
	wrote bool
}

// Unwrap lets http.ResponseController find the connection.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader begins the answer.
func (t *tracker) WriteHeader(status int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(status)
}

// Write begins the answer, or goes on.
func (t *tracker) Write(p []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(p)
}

// errTooLarge answers a body over the limit of the route.
func errTooLarge(err error) error {
	var large *http.MaxBytesError
	if !errors.As(err, &large) {
		return awsapi.SerializationError("The body of the request could not be read")
	}
	return &awsapi.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("The body of the request is larger than %d bytes", large.Limit)}
}
