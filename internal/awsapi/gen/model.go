package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

//go:embed supplement
var supplements embed.FS

// model is an API model, without its prose.
type model struct {
	Metadata struct {
		APIVersion     string `json:"apiVersion"`
		EndpointPrefix string `json:"endpointPrefix"`
		Protocol       string `json:"protocol"`
		ServiceID      string `json:"serviceId"`
		SigningName    string `json:"signingName"`
		TargetPrefix   string `json:"targetPrefix"`
	} `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type operation struct {
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input  *reference  `json:"input"`
	Output *reference  `json:"output"`
	Errors []reference `json:"errors"`
}

type reference struct {
	Shape        string `json:"shape"`
	Location     string `json:"location"`
	LocationName string `json:"locationName"`
}

type shape struct {
	Type      string   `json:"type"`
	Members   members  `json:"members"`
	Required  []string `json:"required"`
	Member    reference
	Key       reference
	Value     reference
	Min       *json.Number `json:"min"`
	Max       *json.Number `json:"max"`
	Pattern   string       `json:"pattern"`
	Enum      []string     `json:"enum"`
	Payload   string       `json:"payload"`
	Streaming bool         `json:"streaming"`
	Events    bool         `json:"eventstream"`
	Exception bool         `json:"exception"`
	Fault     bool         `json:"fault"`
	Sensitive bool         `json:"sensitive"`
	Error     struct {
		HTTPStatusCode int `json:"httpStatusCode"`
	} `json:"error"`
}

// members keeps the order of the model, which the Go structs and the messages
// about constraints follow.
type members []namedMember

type namedMember struct {
	name string
	reference
}

// UnmarshalJSON reads an object in its order.
func (m *members) UnmarshalJSON(data []byte) error {
	var byName map[string]reference
	if err := json.Unmarshal(data, &byName); err != nil {
		return err
	}
	names, err := objectKeys(data)
	if err != nil {
		return err
	}
	for _, name := range names {
		*m = append(*m, namedMember{name, byName[name]})
	}
	return nil
}

// readModel reads a model and its supplement.
func readModel(dir, name string) (*model, error) {
	data, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	m := &model{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("parse model %s: %w", name, err)
	}
	data, err = supplements.ReadFile("supplement/" + name + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read supplement: %w", err)
	}
	more := &model{}
	if err := json.Unmarshal(data, more); err != nil {
		return nil, fmt.Errorf("parse supplement %s: %w", name, err)
	}
	m.merge(more)
	return m, nil
}

// merge adds what a supplement has. A model that has caught up keeps its own
// operations and members.
func (m *model) merge(more *model) {
	for name, o := range more.Operations {
		have := m.Operations[name]
		if have == nil {
			m.Operations[name] = o
			continue
		}
		for _, e := range o.Errors {
			if !slices.Contains(have.Errors, e) {
				have.Errors = append(have.Errors, e)
			}
		}
	}
	for name, s := range more.Shapes {
		have := m.Shapes[name]
		if have == nil {
			m.Shapes[name] = s
			continue
		}
		for _, x := range s.Members {
			if !slices.ContainsFunc(have.Members, func(h namedMember) bool { return h.name == x.name }) {
				have.Members = append(have.Members, x)
			}
		}
		if s.Required != nil {
			have.Required = s.Required
		}
		for _, v := range s.Enum {
			if !slices.Contains(have.Enum, v) {
				have.Enum = append(have.Enum, v)
			}
		}
	}
}

// shapeNames and operationNames are sorted, so that output is stable.
func (m *model) shapeNames() []string     { return slices.Sorted(maps.Keys(m.Shapes)) }
func (m *model) operationNames() []string { return slices.Sorted(maps.Keys(m.Operations)) }

// structures names the shapes that become Go structs.
func (m *model) structures() []string {
	return slices.DeleteFunc(m.shapeNames(), func(n string) bool { return m.Shapes[n].Type != "structure" })
}

// errors names the shapes that are errors.
func (m *model) errors() []string {
	return slices.DeleteFunc(m.shapeNames(), func(n string) bool { return !m.Shapes[n].Exception })
}

// bodyMembers are the members of a structure without streams of events, which
// the operation carries instead.
func (m *model) bodyMembers(s *shape) members {
	return slices.DeleteFunc(slices.Clone(s.Members), func(x namedMember) bool { return m.Shapes[x.Shape].Events })
}
