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
	refuse := server.Refuse(refusePath)
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

func refusePath(w http.ResponseWriter, r *http.Request, err error) {
	refuseIn(w, r, awsapi.RESTJSON, awsapi.PlainJSON, err)
}

// RegisterRaw registers a pattern that belongs to a service, but is no
// operation of its model: the handler answers by itself. When it returns an
// error instead, that is answered and counted as one of an operation.
func (m *Mux) RegisterRaw(r server.Routes, pattern, name string, s *Service, h func(http.ResponseWriter, *http.Request, auth.Identity) error) {
	o := &awsapi.Operation{Name: name}
	r.Handle(pattern, func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		start, code := time.Now(), codeOK
		setIDs(w, r)
		if err := h(w, r, id); err != nil {
			code = m.fail(w, &Call{Operation: o, Encoding: awsapi.PlainJSON, Identity: id, Request: r}, s, err)
		}
		m.metrics.observe(s.Model.ID, name, code, time.Since(start))
	}, server.Services(s.Model.SigningName), server.Refuse(refusePath))
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
