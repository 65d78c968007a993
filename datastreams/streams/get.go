package streams

import (
	"context"
	"errors"
	"time"

	"weir/datastreams/shardlog"
)

// Limits of one answer.
const (
	maxGetRecords = 10_000
	maxGetBytes   = 10 << 20
)

// GetInput asks for records.
type GetInput struct {
	Iterator  string
	StreamARN string // may be empty; must agree with the iterator
	Limit     int    // 0 = 10000
	DryRun    bool
}

// GetOutput is a piece of a shard.
type GetOutput struct {
	Records            []Record
	NextIterator       string // empty when the shard has ended and all is read
	MillisBehindLatest int64
	ChildShards        []ChildShard // exactly when NextIterator is empty
}

// Get reads records from where an iterator stands.
func (s *Streams) Get(ctx context.Context, in GetInput) (GetOutput, error) {
	st, v, sh, at, err := s.openIterator(in)
	if err != nil {
		return GetOutput{}, err
	}
	if in.Limit < 0 || in.Limit > maxGetRecords {
		return GetOutput{}, fail(Validation, "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", in.Limit, maxGetRecords)
	}
	if in.Limit == 0 {
		in.Limit = maxGetRecords
	}
	if !s.limits.mayRead(sh, s.opts.Clock) {
		sh.count.readThrottles.Add(1)
		return GetOutput{}, fail(Throttled, "Rate exceeded for Shard - %s/%s/%s", s.opts.Account, v.row.Name, sh.id)
	}
	if in.DryRun {
		return GetOutput{}, dryRunDone()
	}
	p, err := s.read(ctx, st, v, sh, at, in.Limit, maxGetBytes)
	if err != nil {
		return GetOutput{}, err
	}
	s.limits.hasRead(sh, p.bytes, s.opts.Clock)
	sh.count.out(len(p.records), p.bytes)
	sh.lag.set(p.next, p.behind)
	out := GetOutput{Records: p.records, MillisBehindLatest: p.behind}
	if p.ended {
		out.ChildShards = v.shards.children(sh.row.Index)
	} else {
		out.NextIterator = s.iterator(v, sh, p.next)
	}
	return out, nil
}

// openIterator returns what an iterator stands for.
func (s *Streams) openIterator(in GetInput) (*stream, *view, *shard, shardlog.Offset, error) {
	c, err := s.tokens.openCursor(in.Iterator)
	if err != nil {
		return nil, nil, nil, 0, fail(InvalidArgument, "Invalid ShardIterator.")
	}
	now := s.now()
	if now-c.created > iteratorLifetime.Milliseconds() {
		return nil, nil, nil, 0, fail(ExpiredIterator, "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
			amazonTime(c.created), amazonTime(now), iteratorLifetime.Milliseconds())
	}
	if in.StreamARN != "" && in.StreamARN != s.streamARN(c.stream) {
		return nil, nil, nil, 0, fail(InvalidArgument, "The ShardIterator does not belong to the stream %s.", in.StreamARN)
	}
	st, v, err := s.readable(Ref{Name: c.stream})
	if err != nil {
		return nil, nil, nil, 0, s.noShard(shardID(c.shard), c.stream)
	}
	sh := v.shards.shard(c.shard)
	if sh == nil || sh.row.UID != c.uid {
		return nil, nil, nil, 0, s.noShard(shardID(c.shard), c.stream)
	}
	return st, v, sh, c.at, nil
}

// amazonTime prints a time as the text of an expired iterator has it.
func amazonTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
}

// piece is what was read at once.
type piece struct {
	records []Record
	bytes   int             // data and partition keys
	next    shardlog.Offset // where to go on
	behind  int64           // ms
	ended   bool            // there is nothing more, for good
}

// read reads from an offset on. What lies before the horizon, or is gone, is
// passed over.
func (s *Streams) read(ctx context.Context, st *stream, v *view, sh *shard, at shardlog.Offset, records, bytes int) (piece, error) {
	recs, next, err := s.readLog(ctx, v, sh, at, records, bytes)
	if err != nil {
		return piece{}, s.readFailed(v, sh, err)
	}
	end, closed := sh.end()
	for closed && len(recs) > 0 && recs[len(recs)-1].Offset >= end {
		recs = recs[:len(recs)-1]
	}
	p := piece{next: min(next, end), records: make([]Record, 0, len(recs))}
	for _, stored := range recs {
		r, err := decodeRecord(stored.Data, sh.row.UID, &st.keys)
		if errors.Is(err, errKey) {
			return piece{}, &Error{Kind: KMSNotFound, Message: "The data key of a record is not found.", Err: err}
		}
		if err != nil {
			s.opts.Log.Error("record is damaged", "stream", v.row.Name, "shard", sh.id, "offset", stored.Offset, "error", err)
			continue
		}
		r.Sequence, r.Arrival = sh.sequence(stored.Offset, stored.Time), stored.Time
		p.bytes += len(r.Data) + len(r.PartitionKey)
		p.records = append(p.records, r)
	}
	p.ended = closed && (p.next >= end || len(recs) == 0)
	if p.next < end && !p.ended {
		p.behind = s.behind(ctx, sh, p.next)
	}
	return p, nil
}

// readLog reads stored records that lie behind the horizon.
func (s *Streams) readLog(ctx context.Context, v *view, sh *shard, at shardlog.Offset, records, bytes int) ([]shardlog.Record, shardlog.Offset, error) {
	horizon := v.horizon(s.opts.Clock.Now())
	for {
		first, end := sh.log.Bounds()
		at = min(max(at, first), end)
		recs, next, err := sh.log.Read(ctx, at, records, bytes)
		if errors.Is(err, shardlog.ErrTrimmed) {
			continue // first has moved
		}
		if err != nil || len(recs) == 0 || recs[0].Time >= horizon {
			return recs, next, err
		}
		moved, err := sh.log.FindTime(ctx, horizon)
		if err != nil {
			return nil, at, err
		}
		at = max(moved, recs[0].Offset+1)
	}
}

// behind is how old the record at an offset is, in ms.
func (s *Streams) behind(ctx context.Context, sh *shard, at shardlog.Offset) int64 {
	ms, ok, err := sh.log.TimeAt(ctx, at)
	if err != nil || !ok {
		return 0
	}
	return max(0, s.now()-ms)
}
