package streams

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stream is one stream in memory.
type stream struct {
	arn string
	// view is what everybody reads, without a lock. It is replaced under
	// Streams.admin.
	view    atomic.Pointer[view]
	next    atomic.Uint32 // distributes records where the partition key does not
	keys    keyring
	scaling scaling
	// resharding is held while shards are replaced. It comes before
	// Streams.admin.
	resharding sync.Mutex

	mu        sync.RWMutex         // guards the following
	consumers map[string]*consumer // by name
}

// view is one state of a stream. Nothing in it changes.
type view struct {
	row     *streamRow
	shards  *table        // nil while the stream is being created
	cipher  *dataKey      // nil without encryption
	changed chan struct{} // closed when there is a newer view
	gone    bool          // the stream has been deleted
}

// publish replaces the view and wakes whoever waits for that.
func (st *stream) publish(v *view) {
	v.changed = make(chan struct{})
	if old := st.view.Swap(v); old != nil {
		close(old.changed)
	}
}

// readable tells whether records can be put and read.
func (v *view) readable() bool { return !v.gone && v.shards != nil }

// horizon is the time before which records are not shown any more, in ms.
func (v *view) horizon(now time.Time) int64 {
	return max(v.row.Floor, now.UnixMilli()-int64(v.row.RetentionHours)*time.Hour.Milliseconds())
}

// listed tells whether a shard has not expired.
func (s *shard) listed(horizon int64) bool { return s.open() || s.row.Closed >= horizon }

// listed returns the shards that have not expired, oldest first.
func (v *view) listed(now time.Time) []*shard {
	if v.shards == nil {
		return nil
	}
	horizon := v.horizon(now)
	list := v.shards.all
	if !slices.ContainsFunc(list, func(s *shard) bool { return !s.listed(horizon) }) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(s *shard) bool { return !s.listed(horizon) })
}

// streamARN is the ARN that a stream of that name has.
func (s *Streams) streamARN(name string) string {
	return "arn:aws:kinesis:" + s.opts.Region + ":" + s.opts.Account + ":stream/" + name
}

// parseStreamARN returns the name in a stream's ARN of this account and region.
func (s *Streams) parseStreamARN(arn string) (string, error) {
	name, ok := strings.CutPrefix(arn, s.streamARN(""))
	if !ok || !validName(name) {
		return "", fail(InvalidArgument, "StreamARN %s is not the ARN of a stream under account %s in %s.", arn, s.opts.Account, s.opts.Region)
	}
	return name, nil
}

// maxName is the length of the longest name of a stream or consumer.
const maxName = 128

// validName tells whether a stream or consumer may have that name.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

// name returns the name in a reference.
func (s *Streams) name(ref Ref) (string, error) {
	if ref.ARN == "" {
		if ref.Name == "" {
			return "", fail(InvalidArgument, "Either StreamName or StreamARN must be specified.")
		}
		if !validName(ref.Name) {
			return "", fail(Validation, "1 validation error detected: Value '%s' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", ref.Name)
		}
		return ref.Name, nil
	}
	name, err := s.parseStreamARN(ref.ARN)
	if err != nil {
		return "", err
	}
	if ref.Name != "" && ref.Name != name {
		return "", fail(InvalidArgument, "StreamName %s and StreamARN %s do not match.", ref.Name, ref.ARN)
	}
	return name, nil
}

// find returns a stream, whatever state it is in.
func (s *Streams) find(ref Ref) (*stream, error) {
	name, err := s.name(ref)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	st := s.streams[name]
	s.mu.RUnlock()
	if st == nil {
		return nil, s.notFound(name)
	}
	return st, nil
}

// readable returns a stream with a view in which it can be read and written.
func (s *Streams) readable(ref Ref) (*stream, *view, error) {
	st, err := s.find(ref)
	if err != nil {
		return nil, nil, err
	}
	v := st.view.Load()
	if !v.readable() {
		return nil, nil, s.notFound(v.row.Name)
	}
	return st, v, nil
}

func (s *Streams) notFound(name string) *Error {
	return fail(NotFound, "Stream %s under account %s not found.", name, s.opts.Account)
}

// definition is what all descriptions have in common.
func (st *stream) definition(v *view) Definition {
	return Definition{
		Name: v.row.Name, ARN: st.arn, ID: v.row.ID, Status: v.row.Status, Mode: v.row.Mode,
		RetentionHours: v.row.RetentionHours, Created: time.UnixMilli(v.row.Created),
		Monitoring: slices.Clone(v.row.Monitoring), Encryption: v.row.Encryption, KeyID: v.row.KeyID,
	}
}
