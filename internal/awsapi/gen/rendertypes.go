package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// element is the Go type of a value in a list or map, and behind a pointer.
func (m *model) element(name string) string {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		return exported(name)
	case "list":
		return "[]" + m.element(s.Member.Shape)
	case "map":
		return "map[" + m.element(s.Key.Shape) + "]" + m.element(s.Value.Shape)
	case "string":
		if len(s.Enum) > 0 {
			return exported(name)
		}
		return "string"
	case "integer":
		return "int32"
	case "long":
		return "int64"
	case "double":
		return "float64"
	case "boolean":
		return "bool"
	case "timestamp":
		return "awsapi.Timestamp"
	default:
		return "[]byte"
	}
}

// field is the Go type of a member.
func (m *model) field(s *shape, x namedMember) string {
	if s.Payload == x.name {
		return "io.Reader"
	}
	t := m.element(x.Shape)
	switch m.Shapes[x.Shape].Type {
	case "list", "map", "blob":
		return t
	default:
		return "*" + t
	}
}

// purposes says of each structure what it is for.
func (m *model) purposes() map[string]string {
	asked, answered := map[string][]string{}, map[string][]string{}
	for _, name := range m.operationNames() {
		o := m.Operations[name]
		if o.Input != nil {
			asked[o.Input.Shape] = append(asked[o.Input.Shape], name)
		}
		if o.Output != nil {
			answered[o.Output.Shape] = append(answered[o.Output.Shape], name)
		}
	}
	says := map[string]string{}
	for _, name := range m.structures() {
		s := m.Shapes[name]
		switch {
		case asked[name] != nil:
			says[name] = "is the input of " + strings.Join(asked[name], " and ")
		case answered[name] != nil:
			says[name] = "is the output of " + strings.Join(answered[name], " and ")
		case s.Exception:
			status, _ := m.status(s)
			says[name] = fmt.Sprintf("is an error with HTTP status %d", status)
		case s.Events:
			says[name] = "is one event of a stream: exactly one member is set"
		default:
			says[name] = "is part of other shapes"
		}
	}
	return says
}

func renderTypes(m *model, pkg string) []byte {
	body := &writer{}
	says := m.purposes()
	for _, name := range slices.Sorted(maps.Keys(says)) {
		s := m.Shapes[name]
		body.line("// %s %s.\ntype %s struct {", exported(name), says[name], exported(name))
		for _, x := range m.bodyMembers(s) {
			note := ""
			if slices.Contains(s.Required, x.name) {
				note = " // required"
			}
			body.line("%s %s%s", exported(x.name), m.field(s, x), note)
		}
		body.line("}\n")
		body.line("// WireShape describes the structure.")
		body.line("func (*%s) WireShape() *awsapi.Shape { return &%s }\n", exported(name), variable(name))
	}
	w := &writer{}
	if strings.Contains(body.String(), "io.Reader") {
		header(w, pkg, "io", "weir/internal/awsapi")
	} else {
		header(w, pkg, "weir/internal/awsapi")
	}
	w.Write(body.Bytes())
	return w.Bytes()
}
