package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/fragments/archive"
	"weir/internal/objects"
)

const (
	maxDescription  = 64 << 10         // bytes of a stream.json
	describeTimeout = 5 * time.Second  // for one, so that a store that is away holds no change up
	describeEvery   = 30 * time.Second // between attempts for those that the store did not take
)

func describeKey(id archive.StreamID) string { return "video/" + string(id) + "/stream.json" }

// KeepDescribed sees to it that the store describes every stream as it is: at
// first it looks at all, then at those that the store did not take because it
// was away. It returns when ctx ends.
func (c *Catalogue) KeepDescribed(ctx context.Context) {
	t := time.NewTicker(describeEvery)
	defer t.Stop()
	for {
		c.describeAll(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// describeAll works the list of undescribed streams off, up to the first that
// the store does not take.
func (c *Catalogue) describeAll(ctx context.Context) {
	c.mu.RLock()
	ids := make([]archive.StreamID, 0, len(c.mu.undescribed))
	for id := range c.mu.undescribed {
		ids = append(ids, id)
	}
	c.mu.RUnlock()
	for _, id := range ids {
		if ctx.Err() != nil || !c.describeAgain(ctx, id) {
			return
		}
	}
}

// describeAgain holds changes off, so that a stream which is being deleted is
// not described after it is gone.
func (c *Catalogue) describeAgain(ctx context.Context, id archive.StreamID) bool {
	c.change.Lock()
	defer c.change.Unlock()
	s, err := c.GetID(id)
	return err != nil || c.redescribe(ctx, &s)
}

// redescribe describes a stream and remembers when the store did not take it:
// a store that is away does not keep a stream from working.
func (c *Catalogue) redescribe(ctx context.Context, s *Stream) bool {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	err := c.describe(ctx, s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.opts.Log.Warn("describe stream in the store", "stream", s.Name, "err", err)
		c.mu.undescribed[s.ID] = true
		return false
	}
	delete(c.mu.undescribed, s.ID)
	return true
}

// describe puts the copy without secrets beside the chunks, unless it is there.
func (c *Catalogue) describe(ctx context.Context, s *Stream) error {
	d := s.Definition
	d.PublishPassword, d.PlayPassword = Secret{}, Secret{}
	if d.Source != nil {
		src := *d.Source
		src.Password = Secret{}
		d.Source = &src
	}
	b, err := json.MarshalIndent(record{Created: s.Created, Changed: s.Changed, Definition: d, Attributes: settled(s.Attributes)}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode description: %w", err)
	}
	key := describeKey(s.ID)
	old, err := c.readObject(ctx, key)
	if err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return err
	}
	_, err = c.opts.Store.Put(ctx, key, bytes.NewReader(b), int64(len(b)), objects.PutOptions{})
	return err
}

// settled leaves out where a stream is at the moment.
func settled(a Attributes) Attributes {
	a.State = ""
	return a
}

// describeLater leaves the description of a stream to KeepDescribed.
func (c *Catalogue) describeLater(id archive.StreamID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.undescribed[id] = true
}

func (c *Catalogue) readObject(ctx context.Context, key string) ([]byte, error) {
	body, _, err := c.opts.Store.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxDescription))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}

// Restore brings the streams back that the store describes and the catalogue
// does not have, after the metadata was lost. Their passwords are gone.
func (c *Catalogue) Restore(ctx context.Context) (names []string, err error) {
	for info, err := range c.opts.Store.List(ctx, "video/", "") {
		if err != nil {
			return names, fmt.Errorf("list store: %w", err)
		}
		id, rest, _ := strings.Cut(strings.TrimPrefix(info.Key, "video/"), "/")
		if rest != "stream.json" || !archive.StreamID(id).Valid() {
			continue
		}
		if _, err := c.GetID(archive.StreamID(id)); err == nil {
			continue
		}
		r, err := c.readDescription(ctx, info.Key)
		if err != nil {
			return names, err
		}
		s := &Stream{ID: archive.StreamID(id), Created: r.Created, Changed: r.Changed, Definition: r.Definition, Attributes: r.Attributes}
		if _, err := c.Get(s.Name); err == nil {
			s.Name += "-" + id
		}
		if err := s.normalize(); err != nil {
			return names, fmt.Errorf("restore %s: %w", info.Key, err)
		}
		if err := c.save(s, true); err != nil {
			return names, err
		}
		names = append(names, s.Name)
	}
	return names, nil
}

func (c *Catalogue) readDescription(ctx context.Context, key string) (record, error) {
	var r record
	b, err := c.readObject(ctx, key)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", key, err)
	}
	return r, nil
}
