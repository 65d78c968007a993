// Package catalogue holds the definitions of video streams and the control
// plane on them: create, change, list, describe and delete, each applied at
// once and without a restart.
//
// It is not the archive: it knows what a stream is called, where it comes from
// and how long it is kept, and tells those who act on it. Passwords are sealed
// before they reach the metadata.
//
//	video/def/<id>       definition, JSON, secrets sealed
//	video/name/<name>    id
//
// A copy without secrets lies beside the chunks in the store, as
// video/<id>/stream.json, so that names survive the loss of the metadata.
package catalogue

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
)

// Failures that callers tell apart.
var (
	// ErrNotFound means that no stream has that name or id.
	ErrNotFound = errors.New("no such video stream")
	// ErrExists means that a stream of that name is there.
	ErrExists = errors.New("a video stream of that name exists")
	// ErrConflict means that the stream was changed at the same time.
	ErrConflict = errors.New("the video stream was changed at the same time; read it again")
	// ErrTooMany means that MaxStreams is reached.
	ErrTooMany = errors.New("too many video streams")
)

// MaxStreams bounds the catalogue.
const MaxStreams = 100_000

// Sealer encrypts secrets at rest, bound to the record that holds them.
type Sealer interface {
	Seal(secret auth.Secret, record string) (string, error)
	Open(sealed, record string) (auth.Secret, error)
}

// Listener acts on definitions. Calls come in order, one at a time, and must
// not call the catalogue back.
type Listener interface {
	// StreamChanged tells of a new or changed stream, and at the start of every
	// stream that is there.
	StreamChanged(s Stream)
	// StreamRemoved tells that a stream is going; it returns once nothing of it
	// runs any more, so that its recordings can be deleted.
	StreamRemoved(s Stream)
}

// Stream is one entry of the catalogue.
type Stream struct {
	ID       archive.StreamID
	Created  time.Time
	Changed  time.Time
	Revision uint64
	Definition
	Attributes Attributes
}

// Options are what a catalogue stands on.
type Options struct {
	Meta     meta.Store
	Store    objects.Store
	Archive  *archive.Archive
	Sealer   Sealer
	Clock    clock.Clock
	Log      *slog.Logger
	Defaults Defaults
}

// Defaults hold for fields that a definition leaves out.
type Defaults struct {
	Retention  Retention
	Fragment   time.Duration // 0 means the target of package fragments
	Chunk      time.Duration // 0 means the default of the archive
	MaxStreams int           // 0 means MaxStreams
}

// Catalogue holds all video streams of a node. It is safe for concurrent use.
type Catalogue struct {
	opts Options

	// change serializes changes with the calls of the listeners that they
	// cause. It is taken before mu.
	change    sync.Mutex
	listeners []Listener

	mu struct {
		sync.RWMutex // guards the following
		byName       map[string]*Stream
		byID         map[archive.StreamID]*Stream
		undescribed  map[archive.StreamID]bool // whose description in the store may be old
	}
}

// Open loads the catalogue.
func Open(opts Options) (*Catalogue, error) {
	c := &Catalogue{opts: opts}
	c.mu.byName, c.mu.byID = map[string]*Stream{}, map[archive.StreamID]*Stream{}
	c.mu.undescribed = map[archive.StreamID]bool{}
	for e, err := range opts.Meta.Scan(defPrefix, meta.PrefixEnd(defPrefix), false) {
		if err != nil {
			return nil, fmt.Errorf("load catalogue: %w", err)
		}
		s, err := c.decode(e)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", e.Key, err)
		}
		c.keep(s)
		c.mu.undescribed[s.ID] = true
		if err := c.applyPolicy(s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Listen adds a listener and tells it of every stream that is there.
func (c *Catalogue) Listen(l Listener) {
	c.change.Lock()
	defer c.change.Unlock()
	c.listeners = append(c.listeners, l)
	for _, s := range c.List() {
		l.StreamChanged(s)
	}
}

// List returns all streams, sorted by name.
func (c *Catalogue) List() []Stream {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Stream, 0, len(c.mu.byName))
	for _, s := range c.mu.byName {
		out = append(out, *s)
	}
	sortByName(out)
	return out
}

// Get returns the stream of that name.
func (c *Catalogue) Get(name string) (Stream, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if s := c.mu.byName[name]; s != nil {
		return *s, nil
	}
	return Stream{}, fmt.Errorf("%w: %.80q", ErrNotFound, name)
}

// GetID returns the stream of that id.
func (c *Catalogue) GetID(id archive.StreamID) (Stream, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if s := c.mu.byID[id]; s != nil {
		return *s, nil
	}
	return Stream{}, fmt.Errorf("%w: %.40q", ErrNotFound, string(id))
}

// New returns a definition with the defaults of this node.
func (c *Catalogue) New(name string) Definition {
	d := c.opts.Defaults
	return Definition{
		Name: name, Record: true, Retention: d.Retention,
		FragmentSeconds: d.Fragment.Seconds(), ChunkSeconds: d.Chunk.Seconds(),
	}
}

// Put creates the stream of that name or changes it. Passwords that d leaves
// out stay what they were. created tells which it was.
func (c *Catalogue) Put(ctx context.Context, d Definition) (s Stream, created bool, err error) {
	c.change.Lock()
	defer c.change.Unlock()
	old, err := c.Get(d.Name)
	if errors.Is(err, ErrNotFound) {
		s, err = c.create(ctx, d, Attributes{})
		return s, true, err
	}
	d.inherit(&old.Definition)
	s = old
	s.Definition = d
	err = c.replace(ctx, &s, &old)
	return s, false, err
}

// Create creates a stream, and refuses when there is one of that name.
func (c *Catalogue) Create(ctx context.Context, d Definition, a Attributes) (Stream, error) {
	c.change.Lock()
	defer c.change.Unlock()
	if old, err := c.Get(d.Name); err == nil {
		return old, fmt.Errorf("%w: %s", ErrExists, d.Name)
	}
	return c.create(ctx, d, a)
}

// Change lets edit change a stream as it is at that moment, while no other
// change happens, and saves what comes out of it. The name stays. What edit
// says against it is the error.
func (c *Catalogue) Change(ctx context.Context, name string, edit func(*Stream) error) (Stream, error) {
	c.change.Lock()
	defer c.change.Unlock()
	old, err := c.Get(name)
	if err != nil {
		return old, err
	}
	s := old
	if err := edit(&s); err != nil {
		return old, err
	}
	s.Name = name
	return s, c.replace(ctx, &s, &old)
}

// create makes a new stream. The caller holds change.
func (c *Catalogue) create(ctx context.Context, d Definition, a Attributes) (Stream, error) {
	if most := c.maxStreams(); c.count() >= most {
		return Stream{}, fmt.Errorf("%w: at most %d; raise --max-streams", ErrTooMany, most)
	}
	if err := d.normalize(); err != nil {
		return Stream{}, err
	}
	now := c.now()
	s := Stream{ID: newID(), Created: now, Changed: now, Definition: d, Attributes: a}
	if err := c.save(&s, true); err != nil {
		return s, err
	}
	return s, c.apply(ctx, &s)
}

// replace saves a changed stream. A changed definition is a new version and
// is put into effect. The caller holds change.
func (c *Catalogue) replace(ctx context.Context, s, old *Stream) error {
	if old.Attributes.Status() == Deleting {
		return fmt.Errorf("%w: %s is being deleted", ErrConflict, old.Name)
	}
	if err := s.normalize(); err != nil {
		return err
	}
	same := reflect.DeepEqual(s.Definition, old.Definition)
	if s.Attributes.Changes == old.Attributes.Changes && !same {
		s.Attributes.Changes++
	}
	s.Changed = c.now()
	if err := c.save(s, false); err != nil {
		return err
	}
	if !same {
		return c.apply(ctx, s)
	}
	c.describeLater(s.ID)
	if !bytes.Equal(s.Attributes.Notification, old.Attributes.Notification) {
		c.tell(s)
	}
	return nil
}

// apply puts a definition into effect.
func (c *Catalogue) apply(ctx context.Context, s *Stream) error {
	if err := c.applyPolicy(s); err != nil {
		return err
	}
	c.redescribe(ctx, s)
	c.tell(s)
	return nil
}

// tell tells the listeners of a new or changed stream.
func (c *Catalogue) tell(s *Stream) {
	for _, l := range c.listeners {
		l.StreamChanged(*s)
	}
}

// now is the time as the metadata holds it: the ARN of a stream has the
// milliseconds of its creation.
func (c *Catalogue) now() time.Time { return c.opts.Clock.Now().UTC().Truncate(time.Millisecond) }

// count is how many streams there are.
func (c *Catalogue) count() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.mu.byName)
}

func (c *Catalogue) maxStreams() int {
	if n := c.opts.Defaults.MaxStreams; n > 0 {
		return min(n, MaxStreams)
	}
	return MaxStreams
}

// inherit keeps the passwords that a change does not name.
func (d *Definition) inherit(old *Definition) {
	d.PublishPassword = d.PublishPassword.or(old.PublishPassword)
	d.PlayPassword = d.PlayPassword.or(old.PlayPassword)
	if d.Source != nil && old.Source != nil && d.Source.Username == old.Source.Username {
		src := *d.Source
		src.Password = src.Password.or(old.Source.Password)
		d.Source = &src
	}
}

// Delete removes a stream with all its recordings. The definition goes first,
// so that a crash in between leaves recordings that a later start deletes, and a
// store that is away holds no other change up.
func (c *Catalogue) Delete(ctx context.Context, name string) error {
	s, err := c.remove(name)
	if err != nil {
		return err
	}
	return c.erase(ctx, s.ID)
}

// remove takes a stream out of the catalogue.
func (c *Catalogue) remove(name string) (Stream, error) {
	c.change.Lock()
	defer c.change.Unlock()
	s, err := c.Get(name)
	if err != nil {
		return s, err
	}
	err = c.opts.Meta.Commit(
		meta.Op{Key: defPrefix + string(s.ID), Expect: meta.Any},
		meta.Op{Key: namePrefix + s.Name, Expect: meta.Any},
		meta.Op{Key: gonePrefix + string(s.ID), Value: []byte("{}"), Expect: meta.Any},
	)
	if err != nil {
		return s, fmt.Errorf("remove definition: %w", err)
	}
	c.mu.Lock()
	delete(c.mu.byName, s.Name)
	delete(c.mu.byID, s.ID)
	delete(c.mu.undescribed, s.ID)
	c.mu.Unlock()
	for _, l := range c.listeners {
		l.StreamRemoved(s)
	}
	return s, nil
}

// erase deletes the recordings of a stream that is out of the catalogue.
func (c *Catalogue) erase(ctx context.Context, id archive.StreamID) error {
	if err := c.opts.Archive.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete recordings: %w", err)
	}
	if err := c.opts.Store.Delete(ctx, describeKey(id)); err != nil {
		return fmt.Errorf("delete description: %w", err)
	}
	if err := c.opts.Meta.Commit(meta.Op{Key: gonePrefix + string(id), Expect: meta.Any}); err != nil {
		return fmt.Errorf("finish deletion: %w", err)
	}
	return nil
}

// FinishDeletions erases what a crash left of deleted streams.
func (c *Catalogue) FinishDeletions(ctx context.Context) error {
	for e, err := range c.opts.Meta.Scan(gonePrefix, meta.PrefixEnd(gonePrefix), false) {
		if err != nil {
			return fmt.Errorf("scan deletions: %w", err)
		}
		if err := c.erase(ctx, archive.StreamID(strings.TrimPrefix(e.Key, gonePrefix))); err != nil {
			return err
		}
	}
	return nil
}

// newID makes an id: 80 random bits.
func newID() archive.StreamID {
	var b [10]byte
	rand.Read(b[:])
	return archive.StreamID(strings.ToLower(base32.StdEncoding.EncodeToString(b[:])))
}
