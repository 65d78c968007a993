package control

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/clock"
	"weir/internal/meta"
)

const (
	channelPrefix = "video/channel/"

	// maxChannels bounds the table of channels, which is in memory.
	maxChannels = 100_000

	// messageTTL is how long a message waits for its receiver, seconds, where
	// a channel does not say it.
	messageTTL = 60
)

// channel is a signalling channel. It is a value: whoever changes its tags
// replaces them.
type channel struct {
	Name    string            `json:"name"`
	ID      string            `json:"id"` // random; versions are made of it
	Created time.Time         `json:"created"`
	State   catalogue.Status  `json:"state"`
	Changes uint64            `json:"changes,omitempty"`
	Type    model.ChannelType `json:"type"`
	// MessageTTL is how long a message waits for its receiver, seconds.
	MessageTTL int32             `json:"messageTTL"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Storage is the ARN of the stream that what the channel's peers send is
	// stored in; empty when it is not.
	Storage string `json:"storage,omitempty"`

	ARN      string        `json:"-"`
	revision meta.Revision // of the metadata
}

func (c *channel) version() string { return version(c.ID, c.Changes) }

// info is the channel as the API shows it.
func (c *channel) info() *model.ChannelInfo {
	return &model.ChannelInfo{
		ChannelName: &c.Name, ChannelARN: &c.ARN, ChannelType: &c.Type, ChannelStatus: new(model.Status(c.State)),
		CreationTime: timestamp(c.Created), Version: new(c.version()),
		SingleMasterConfiguration: &model.SingleMasterConfiguration{MessageTtlSeconds: &c.MessageTTL},
	}
}

// channels is the table of all channels. It is safe for concurrent use.
type channels struct {
	meta  meta.Store
	clock clock.Clock
	place place
	// changed hears of every change of a channel, under mu; see [API.tell].
	changed func(c *channel, gone bool)

	mu     sync.Mutex // guards byName, and is held while a change is written
	byName map[string]channel
}

func openChannels(m meta.Store, c clock.Clock, p place, changed func(*channel, bool)) (*channels, error) {
	t := &channels{meta: m, clock: c, place: p, changed: changed, byName: map[string]channel{}}
	for e, err := range m.Scan(channelPrefix, meta.PrefixEnd(channelPrefix), false) {
		if err != nil {
			return nil, fmt.Errorf("load channels: %w", err)
		}
		c := channel{revision: e.Revision}
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return nil, fmt.Errorf("load %s: %w", e.Key, err)
		}
		c.ARN = p.arn(channelKind, c.Name, c.Created)
		t.byName[c.Name] = c
	}
	return t, nil
}

// find finds a channel by its name or its ARN, of which a request has one.
func (t *channels) find(name, arn *string) (channel, error) {
	switch {
	case name == nil && arn == nil:
		return channel{}, invalid("Either ChannelName or ChannelARN must be specified.")
	case arn == nil:
		return t.named(*name, *name, "")
	}
	kind, wanted, _, here := t.place.parse(*arn)
	switch {
	case here && kind != channelKind:
		return channel{}, invalid("ChannelARN must be that of a channel: %s", *arn)
	case here && name != nil && *name != wanted:
		return channel{}, invalid("ChannelName %s and ChannelARN %s are of different channels.", *name, *arn)
	}
	return t.named(*arn, wanted, *arn)
}

// named returns the channel of a name, and of an ARN if there is one. shown is
// what the request calls it.
func (t *channels) named(shown, name, arn string) (channel, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.byName[name]
	if !ok || arn != "" && arn != c.ARN {
		return channel{}, noChannel(shown)
	}
	return c, nil
}

func noChannel(shown string) error {
	return notFound("The requested channel is not found or not active: %s", shown)
}

// list returns the channels whose names begin with prefix, sorted by name.
func (t *channels) list(prefix string) []channel {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []channel
	for _, c := range t.byName {
		if strings.HasPrefix(c.Name, prefix) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b channel) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// create makes a channel, which is CREATING.
func (t *channels) create(c channel, most int) (channel, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.byName[c.Name]; there {
		return c, inUse("The channel %s already exists.", c.Name)
	}
	if len(t.byName) >= most {
		return c, exception("AccountChannelLimitExceededException", 400, "There may be at most %d signaling channels.", most)
	}
	var id [10]byte
	rand.Read(id[:])
	c.ID = hex.EncodeToString(id[:])
	c.Created = t.clock.Now().UTC().Truncate(time.Millisecond)
	c.State, c.ARN = catalogue.Creating, t.place.arn(channelKind, c.Name, c.Created)
	return c, t.save(&c)
}

// change lets edit change a channel that is not DELETING. The channel must
// still be the one that was found.
func (t *channels) change(found channel, edit func(*channel) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.byName[found.Name]
	if !ok || c.ID != found.ID || c.State == catalogue.Deleting {
		return noChannel(found.Name)
	}
	if err := edit(&c); err != nil {
		return err
	}
	return t.save(&c)
}

// active is a change to a channel that must be ACTIVE, and of a version if one
// is named.
func (t *channels) active(found channel, current *string, edit func(*channel) error) error {
	return t.change(found, func(c *channel) error {
		switch {
		case c.State != catalogue.Active:
			return inUse("The channel %s is not ACTIVE but %s.", c.Name, c.State)
		case current != nil && *current != c.version():
			return versionMismatch(channelKind, c.Name)
		}
		return edit(c)
	})
}

// save writes a channel. The caller holds mu.
func (t *channels) save(c *channel) error {
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode channel: %w", err)
	}
	return t.commit(c, value)
}

// commit writes the value of a channel, nil to delete it. The caller holds mu.
func (t *channels) commit(c *channel, value []byte) error {
	key := channelPrefix + c.Name
	err := t.meta.Commit(meta.Op{Key: key, Value: value, Expect: c.revision})
	if errors.Is(err, meta.ErrConflict) {
		return inUse("The channel %s was changed at the same time.", c.Name)
	}
	if err != nil {
		return fmt.Errorf("store channel: %w", err)
	}
	if value == nil {
		delete(t.byName, c.Name)
		t.changed(c, true)
		return nil
	}
	e, err := t.meta.Get(key)
	if err != nil {
		return fmt.Errorf("read channel back: %w", err)
	}
	c.revision = e.Revision
	t.byName[c.Name] = *c
	t.changed(c, c.State == catalogue.Deleting)
	return nil
}

// advance brings a channel to where its state leads.
func (t *channels) advance(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.byName[name]
	switch {
	case !ok || c.State == catalogue.Active:
		return nil
	case c.State == catalogue.Deleting:
		return t.commit(&c, nil)
	}
	c.State = catalogue.Active
	return t.save(&c)
}
