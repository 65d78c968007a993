package awsserve

import (
	"net/http"
	"time"

	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/server"
)

// RegisterPaths registers a service whose operations have a path each, in JSON
// (REST-JSON). All its operations must have an entry.
func (m *Mux) RegisterPaths(r server.Routes, s *Service) error {
	if err := s.check(); err != nil {
		return err
	}
	refuse := server.Refuse(func(w http.ResponseWriter, r *http.Request, err error) {
		refuseIn(w, r, awsapi.RESTJSON, awsapi.PlainJSON, err)
	})
	for i := range s.Model.Operations {
		o := &s.Model.Operations[i]
		options := []server.RouteOption{server.Services(s.Model.SigningName), refuse}
		if s.Entries[o.Name].Media {
			options = append(options, server.EndlessBody(), server.UnsignedBody())
		}
		r.Handle(o.Method+" "+o.URI, func(w http.ResponseWriter, r *http.Request, id auth.Identity) { m.servePath(w, r, id, s, o) }, options...)
	}
	return nil
}

// servePath answers one request to an operation with a path of its own.
func (m *Mux) servePath(w http.ResponseWriter, r *http.Request, id auth.Identity, s *Service, o *awsapi.Operation) {
	start := time.Now()
	setIDs(w, r)
	c := &Call{Operation: o, Encoding: awsapi.PlainJSON, Identity: id, Request: r}
	var code string
	if s.Entries[o.Name].Media {
		code = m.media(w, c, s)
	} else {
		code = m.answer(w, c, s)
	}
	m.metrics.observe(s.Model.ID, o.Name, code, time.Since(start))
}

// media lets an entry read the body of the request itself.
func (m *Mux) media(w http.ResponseWriter, c *Call, s *Service) string {
	in := c.Operation.NewInput()
	awsapi.DecodeHeader(c.Request.Header, in)
	if err := awsapi.Validate(in); err != nil {
		return m.fail(w, c, s, err)
	}
	return m.stream(w, c, s, s.Entries[c.Operation.Name].Stream, in)
}
