package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// kind is the constant of awsapi for a type of the models.
func kind(s *shape) (string, error) {
	kinds := map[string]string{
		"structure": "Structure", "list": "List", "map": "Map", "string": "String",
		"integer": "Integer", "long": "Long", "double": "Double", "boolean": "Boolean",
		"timestamp": "Time", "blob": "Blob",
	}
	k, ok := kinds[s.Type]
	if !ok {
		return "", fmt.Errorf("type %q is unknown", s.Type)
	}
	return "awsapi." + k, nil
}

func renderShapes(m *model, pkg string) ([]byte, error) {
	w := &writer{}
	header(w, pkg, "weir/internal/awsapi")
	for _, name := range m.shapeNames() {
		s := m.Shapes[name]
		k, err := kind(s)
		if err != nil {
			return nil, fmt.Errorf("shape %s: %w", name, err)
		}
		w.line("var %s = awsapi.Shape{", variable(name))
		w.line("Name: %q, Kind: %s,", name, k)
		if s.Type == "list" {
			w.line("Elem: &%s,", variable(s.Member.Shape))
		}
		if s.Type == "map" {
			w.line("Key: &%s, Elem: &%s,", variable(s.Key.Shape), variable(s.Value.Shape))
		}
		if err := renderConstraints(w, s); err != nil {
			return nil, fmt.Errorf("shape %s: %w", name, err)
		}
		if s.Type == "structure" {
			m.renderMembers(w, s)
		}
		w.line("}\n")
	}
	return w.Bytes(), nil
}

func renderConstraints(w *writer, s *shape) error {
	if s.Min != nil {
		n, err := s.Min.Int64()
		if err != nil {
			return err
		}
		w.line("Min: new(int64(%d)),", n)
	}
	if s.Max != nil {
		n, err := s.Max.Int64()
		if err != nil {
			return err
		}
		w.line("Max: new(int64(%d)),", n)
	}
	if s.Sensitive {
		w.line("Sensitive: true,")
	}
	if s.Pattern != "" {
		t, err := translate(s.Pattern)
		if err != nil {
			return err
		}
		w.line("Pattern: awsapi.NewPattern(%s, %s, %s),", quote(s.Pattern), quote(t.expr), quote(t.forbid))
	}
	if len(s.Enum) > 0 {
		w.line("Enum: []string{")
		for _, v := range s.Enum {
			w.line("%q,", v)
		}
		w.line("},")
	}
	return nil
}

func (m *model) renderMembers(w *writer, s *shape) {
	list := m.bodyMembers(s)
	if len(list) == 0 {
		return
	}
	w.line("Members: []awsapi.Member{")
	for _, x := range list {
		wire := x.name
		if x.LocationName != "" {
			wire = x.LocationName
		}
		fmt.Fprintf(w, "{Name: %q, WireName: %q, Path: %q, Shape: &%s", exported(x.name), wire, path(x.name), variable(x.Shape))
		if slices.Contains(s.Required, x.name) {
			fmt.Fprint(w, ", Required: true")
		}
		if x.Location == "header" {
			fmt.Fprint(w, ", Location: awsapi.Header")
		}
		if s.Payload == x.name {
			fmt.Fprint(w, ", Location: awsapi.Payload")
		}
		w.line("},")
	}
	w.line("},")
}

// quote writes a Go string, raw where that reads better.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.Contains(s, "`") {
		return "`" + s + "`"
	}
	return fmt.Sprintf("%q", s)
}

func renderOperations(m *model, pkg string) []byte {
	w := &writer{}
	header(w, pkg, "weir/internal/awsapi")
	signing, protocol := m.Metadata.SigningName, "awsapi.JSON11"
	if signing == "" {
		signing = m.Metadata.EndpointPrefix
	}
	if m.Metadata.Protocol == "rest-json" {
		protocol = "awsapi.RESTJSON"
	}
	w.line("// Model describes the service: its operations, errors and structures.")
	w.line("func Model() *awsapi.Service { return &model }\n")
	w.line("var model = awsapi.Service{")
	w.line("ID: %q, Version: %q, SigningName: %q,", m.Metadata.ServiceID, m.Metadata.APIVersion, signing)
	w.line("Protocol: %s, TargetPrefix: %q,", protocol, m.Metadata.TargetPrefix)
	w.line("Operations: []awsapi.Operation{")
	for _, name := range m.operationNames() {
		m.renderOperation(w, name)
	}
	w.line("},\nErrors: []*awsapi.ErrorShape{")
	for _, name := range m.errors() {
		w.line("&error%s,", name)
	}
	w.line("},\nStructures: []func() awsapi.Value{")
	for _, name := range m.structures() {
		w.line("func() awsapi.Value { return new(%s) },", exported(name))
	}
	w.line("},\n}")
	return w.Bytes()
}

func (m *model) renderOperation(w *writer, name string) {
	o := m.Operations[name]
	status := o.HTTP.ResponseCode
	if status == 0 {
		status = http.StatusOK
	}
	w.line("{")
	w.line("Name: %q, Method: %q, URI: %q, Status: %d,", name, o.HTTP.Method, o.HTTP.RequestURI, status)
	w.line("NewInput: func() awsapi.Value { return new(%s) },", exported(o.Input.Shape))
	if o.Output != nil {
		w.line("NewOutput: func() awsapi.Value { return new(%s) },", exported(o.Output.Shape))
		for _, x := range m.Shapes[o.Output.Shape].Members {
			if m.Shapes[x.Shape].Events {
				w.line("EventShape: &%s,", variable(x.Shape))
			}
		}
	}
	if len(o.Errors) > 0 {
		fmt.Fprint(w, "Errors: []*awsapi.ErrorShape{")
		for _, e := range o.Errors {
			fmt.Fprintf(w, "&error%s, ", e.Shape)
		}
		w.line("},")
	}
	w.line("},")
}
