package streams

import (
	"context"
	"errors"
	"time"

	"weir/datastreams/shardlog"
)

// IteratorInput asks for an iterator.
type IteratorInput struct {
	Ref      Ref
	ShardID  string
	Position Position
	DryRun   bool
}

// Iterator returns a token that stands for a position in a shard, for five
// minutes.
func (s *Streams) Iterator(ctx context.Context, in IteratorInput) (string, error) {
	_, v, err := s.readable(in.Ref)
	if err != nil {
		return "", err
	}
	sh, err := s.shardOf(v, in.ShardID)
	if err != nil {
		return "", err
	}
	at, err := s.resolve(ctx, v, sh, in.Position, "GetShardIterator")
	if err != nil {
		return "", err
	}
	if !s.limits.call("GetShardIterator "+v.row.ID+" "+sh.id, 5, s.opts.Clock.Now()) {
		sh.count.readThrottles.Add(1)
		return "", fail(Throttled, "Rate exceeded for Shard - %s/%s/%s", s.opts.Account, v.row.Name, sh.id)
	}
	if in.DryRun {
		return "", dryRunDone()
	}
	return s.iterator(v, sh, at), nil
}

func (s *Streams) iterator(v *view, sh *shard, at shardlog.Offset) string {
	return s.tokens.sealCursor(cursor{uid: sh.row.UID, shard: sh.row.Index, at: at, created: s.now(), stream: v.row.Name})
}

// shardOf returns a shard that has not expired, by its id, which may be loose.
func (s *Streams) shardOf(v *view, id string) (*shard, error) {
	index, ok := parseShardID(id)
	if !ok {
		return nil, fail(NotFound, "Could not find shard %s in stream %s under account %s.", id, v.row.Name, s.opts.Account)
	}
	sh := v.shards.shard(index)
	if sh == nil || !sh.listed(v.horizon(s.opts.Clock.Now())) {
		return nil, s.noShard(shardID(index), v.row.Name)
	}
	return sh, nil
}

func (s *Streams) noShard(id, stream string) *Error {
	return fail(NotFound, "Shard %s in stream %s under account %s does not exist", id, stream, s.opts.Account)
}

// resolve turns a position into the offset of the first record to be read.
// Offsets before the horizon move up to it when they are read.
func (s *Streams) resolve(ctx context.Context, v *view, sh *shard, p Position, operation string) (shardlog.Offset, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	switch p.Type {
	case Latest:
		end, _ := sh.end()
		return end, nil
	case AtTimestamp:
		return s.resolveTime(ctx, v, sh, p.Timestamp)
	case AtSequenceNumber, AfterSequenceNumber:
		parts, err := s.ownNumber(v, sh, p.SequenceNumber, operation)
		if err != nil {
			return 0, err
		}
		at := parts.at()
		if p.Type == AfterSequenceNumber {
			at = parts.after()
		}
		end, closed := sh.end()
		if parts.index == endIndex && closed {
			return end, nil
		}
		if parts.after() > end {
			return 0, s.invalidNumber(v, sh, p.SequenceNumber, operation, "")
		}
		return at, nil
	default:
		return 0, nil // the horizon
	}
}

// check refuses positions with too much or too little in them.
func (p Position) check() error {
	rule := "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
	switch p.Type {
	case AtSequenceNumber, AfterSequenceNumber:
		if p.SequenceNumber == "" {
			return fail(InvalidArgument, "%s%s and no StartingSequenceNumber.", rule, p.Type)
		}
	case TrimHorizon, Latest:
		if p.SequenceNumber != "" {
			return fail(InvalidArgument, "%s%s and also a StartingSequenceNumber.", rule, p.Type)
		}
	case AtTimestamp:
		if p.Timestamp.IsZero() {
			return fail(InvalidArgument, "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
		}
		if p.SequenceNumber != "" {
			return fail(InvalidArgument, "%s%s and also a StartingSequenceNumber.", rule, p.Type)
		}
	default:
		return fail(Validation, "1 validation error detected: Value '%s' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]", p.Type)
	}
	return nil
}

func (s *Streams) resolveTime(ctx context.Context, v *view, sh *shard, t time.Time) (shardlog.Offset, error) {
	now, ms := s.now(), t.UnixMilli()
	if ms > now {
		return 0, fail(InvalidArgument, "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d", ms, now)
	}
	if ms <= v.horizon(s.opts.Clock.Now()) {
		return 0, nil
	}
	at, err := sh.log.FindTime(ctx, ms)
	if err != nil {
		return 0, s.readFailed(v, sh, err)
	}
	end, _ := sh.end()
	return min(at, end), nil
}

// ownNumber reads a sequence number and refuses those of other shards.
func (s *Streams) ownNumber(v *view, sh *shard, number, operation string) (sequenceParts, error) {
	n, ok := ParseSequenceNumber(number)
	if !ok {
		return sequenceParts{}, s.invalidNumber(v, sh, number, operation, "")
	}
	p, _ := n.parts()
	if p.shard != sh.row.Index {
		return p, fail(InvalidArgument, "Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", shardID(p.shard), sh.id)
	}
	if p.created != sh.row.CreatedSec {
		return p, s.invalidNumber(v, sh, number, operation, " because it did not come from this stream")
	}
	return p, nil
}

func (s *Streams) invalidNumber(v *view, sh *shard, number, operation, why string) *Error {
	return fail(InvalidArgument, "StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid%s.", number, operation, sh.id, v.row.Name, s.opts.Account, why)
}

// readFailed turns a failure of the log into an answer.
func (s *Streams) readFailed(v *view, sh *shard, err error) error {
	if errors.Is(err, shardlog.ErrNoShard) {
		return s.noShard(sh.id, v.row.Name)
	}
	return internal("read "+sh.id+" of stream "+v.row.Name, err)
}

// IteratorStream tells which stream an iterator belongs to, for whoever has to
// decide whether it may be read. It does not look at its age.
func (s *Streams) IteratorStream(iterator string) (Ref, error) {
	c, err := s.tokens.openCursor(iterator)
	if err != nil {
		return Ref{}, fail(InvalidArgument, "Invalid ShardIterator.")
	}
	return Ref{Name: c.stream, ARN: s.streamARN(c.stream)}, nil
}
