package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/fragments/archive"
	"weir/internal/meta"
)

const (
	defPrefix  = "video/def/"
	namePrefix = "video/name/"
	gonePrefix = "video/gone/"
)

// record is a stream as the metadata holds it.
type record struct {
	Created    time.Time         `json:"created"`
	Changed    time.Time         `json:"changed"`
	Definition Definition        `json:"definition"`
	Attributes Attributes        `json:"attributes,omitzero"`
	Sealed     map[string]string `json:"sealed,omitempty"` // secrets by field
}

// secrets are the secret fields of a definition, by name.
func (d *Definition) secrets() map[string]*Secret {
	m := map[string]*Secret{"publishPassword": &d.PublishPassword, "playPassword": &d.PlayPassword}
	if d.Source != nil {
		m["source.password"] = &d.Source.Password
	}
	return m
}

// save seals the secrets and commits a stream, and its name when it is new.
func (c *Catalogue) save(s *Stream, fresh bool) error {
	r := record{Created: s.Created, Changed: s.Changed, Definition: s.Definition, Attributes: s.Attributes}
	for field, secret := range s.Definition.secrets() {
		if secret.IsZero() {
			continue
		}
		sealed, err := c.opts.Sealer.Seal(secret.Secret, sealRecord(s.ID, field))
		if err != nil {
			return fmt.Errorf("seal %s: %w", field, err)
		}
		if r.Sealed == nil {
			r.Sealed = map[string]string{}
		}
		r.Sealed[field] = sealed
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode definition: %w", err)
	}
	ops := []meta.Op{{Key: defPrefix + string(s.ID), Value: value, Expect: meta.Revision(s.Revision)}}
	if fresh {
		ops = append(ops, meta.Op{Key: namePrefix + s.Name, Value: []byte(s.ID), Expect: 0})
	}
	err = c.opts.Meta.Commit(ops...)
	if errors.Is(err, meta.ErrConflict) {
		return ErrConflict
	}
	if err != nil {
		return fmt.Errorf("store definition: %w", err)
	}
	e, err := c.opts.Meta.Get(ops[0].Key)
	if err != nil {
		return fmt.Errorf("read definition back: %w", err)
	}
	s.Revision = uint64(e.Revision)
	copied := *s
	c.keep(&copied)
	return nil
}

// decode reads what save wrote.
func (c *Catalogue) decode(e meta.Entry) (*Stream, error) {
	var r record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return nil, err
	}
	s := &Stream{
		ID: archive.StreamID(strings.TrimPrefix(e.Key, defPrefix)), Created: r.Created, Changed: r.Changed,
		Revision: uint64(e.Revision), Definition: r.Definition, Attributes: r.Attributes,
	}
	fields := s.Definition.secrets()
	for field, sealed := range r.Sealed {
		if fields[field] == nil {
			continue
		}
		plain, err := c.opts.Sealer.Open(sealed, sealRecord(s.ID, field))
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", field, err)
		}
		*fields[field] = Secret{Secret: plain}
	}
	return s, nil
}

func sealRecord(id archive.StreamID, field string) string { return "video/" + string(id) + "/" + field }

func (c *Catalogue) keep(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.byName[s.Name], c.mu.byID[s.ID] = s, s
}

func (c *Catalogue) applyPolicy(s *Stream) error {
	a, err := c.opts.Archive.Stream(s.ID)
	if err != nil {
		return fmt.Errorf("open recordings of %s: %w", s.Name, err)
	}
	a.SetPolicy(s.Policy())
	return nil
}

func sortByName(list []Stream) {
	slices.SortFunc(list, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
}
