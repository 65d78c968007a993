package streams

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"weir/internal/meta"
)

// Limits of a stream.
const (
	maxShards        = 10_000
	maxStreams       = 100_000
	onDemandShards   = 4
	defaultRetention = 24 // hours
	minMaxRecordKiB  = 1024
	maxMaxRecordKiB  = 10240
	maxWarmMiBps     = 10 << 10
	streamIDLetters  = "abcdefghijklmnopqrstuvwxyz0123456789"
	streamIDFirst    = 20 // letters, then a hyphen
	streamIDSecond   = 3
)

// CreateInput defines a stream.
type CreateInput struct {
	Name                string
	ShardCount          int  // 0 = not given
	Mode                Mode // empty = PROVISIONED
	Tags                map[string]string
	WarmThroughputMiBps int          // 0 = not given
	MaxRecordSizeKiB    int          // 0 = 1024
	Distribution        Distribution // empty = not given
}

// Create makes a stream. It is CREATING first and becomes ACTIVE by itself.
func (s *Streams) Create(ctx context.Context, in CreateInput) error {
	if err := s.operation("CreateStream", 5); err != nil {
		return err
	}
	st, err := s.create(in)
	if err != nil {
		return err
	}
	s.settle(ctx, s.start(st))
	return nil
}

// create writes the definition, with the shards still to be made.
func (s *Streams) create(in CreateInput) (*stream, error) {
	row, err := s.definitionOf(in)
	if err != nil {
		return nil, err
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	if err := s.checkCreate(row); err != nil {
		return nil, err
	}
	st := &stream{arn: s.streamARN(row.Name), consumers: map[string]*consumer{}}
	if err := s.saveFirst(st, row); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.streams[row.Name] = st
	s.mu.Unlock()
	return st, nil
}

// saveFirst writes the first row of a stream.
func (s *Streams) saveFirst(st *stream, row *streamRow) error {
	st.publish(&view{row: row})
	return s.save(st, row, nil)
}

// definitionOf checks what is asked for.
func (s *Streams) definitionOf(in CreateInput) (*streamRow, error) {
	if _, err := s.name(Ref{Name: in.Name}); err != nil {
		return nil, err
	}
	row := &streamRow{
		ID: newStreamID(), Name: in.Name, Created: s.now(), Status: Creating, Mode: in.Mode,
		RetentionHours: defaultRetention, MaxRecordKiB: in.MaxRecordSizeKiB, Distribution: in.Distribution,
		Tags: map[string]string{}, Encryption: None,
	}
	if row.Mode == "" {
		row.Mode = Provisioned
	}
	if row.MaxRecordKiB == 0 {
		row.MaxRecordKiB = minMaxRecordKiB
	}
	if row.Distribution == "" {
		row.Distribution = UserPartitionKey
	}
	count, err := s.firstShards(in, row)
	if err != nil {
		return nil, err
	}
	row.Pending = &pending{Kind: pendingCreate, Target: count}
	return row, mergeTags(row.Tags, in.Tags, "stream "+in.Name, s.opts.Account)
}

// firstShards returns how many shards the stream begins with.
func (s *Streams) firstShards(in CreateInput, row *streamRow) (int, error) {
	if err := checkMaxRecord(row.MaxRecordKiB); err != nil {
		return 0, err
	}
	switch row.Mode {
	case Provisioned:
		if in.WarmThroughputMiBps != 0 {
			return 0, fail(InvalidArgument, "WarmThroughputMiBps can only be set for streams in ON_DEMAND mode.")
		}
		if row.Distribution == Auto {
			return 0, autoNeedsOnDemand()
		}
		if in.ShardCount < 1 {
			return 0, fail(InvalidArgument, "ShardCount must be specified for a stream in PROVISIONED mode.")
		}
		if in.ShardCount > maxShards {
			return 0, fail(LimitExceeded, "A stream can have at most %d shards, %d were asked for.", maxShards, in.ShardCount)
		}
		return in.ShardCount, nil
	case OnDemand:
		if in.ShardCount != 0 {
			return 0, fail(InvalidArgument, "ShardCount must not be specified for a stream in ON_DEMAND mode.")
		}
		row.WarmMiBps = in.WarmThroughputMiBps
		if err := s.checkWarm(row.WarmMiBps); err != nil {
			return 0, err
		}
		return max(onDemandShards, min(row.WarmMiBps, maxShards)), nil
	default:
		return 0, fail(Validation, "1 validation error detected: Value '%s' at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]", row.Mode)
	}
}

func autoNeedsOnDemand() *Error {
	return fail(InvalidArgument, "The record distribution strategy AUTO is only supported for streams in ON_DEMAND mode.")
}

func checkMaxRecord(kib int) error {
	if kib < minMaxRecordKiB || kib > maxMaxRecordKiB {
		return fail(Validation, "1 validation error detected: Value '%d' at 'maxRecordSizeInKiB' failed to satisfy constraint: Member must have value between %d and %d", kib, minMaxRecordKiB, maxMaxRecordKiB)
	}
	return nil
}

// checkCreate refuses a name that is taken and too many streams. The caller
// holds admin.
func (s *Streams) checkCreate(row *streamRow) error {
	creating, onDemand := 0, 0
	list := s.sorted()
	for _, st := range list {
		r := st.view.Load().row
		if r.Name == row.Name {
			return fail(InUse, "Stream %s under account %s already exists.", row.Name, s.opts.Account)
		}
		if r.Status == Creating {
			creating++
		}
		if r.Mode == OnDemand {
			onDemand++
		}
	}
	if creating >= maxCreating {
		return fail(LimitExceeded, "This request would exceed the limit of %d streams in state CREATING for the account %s in %s.", maxCreating, s.opts.Account, s.opts.Region)
	}
	if len(list) >= maxStreams {
		return fail(LimitExceeded, "The account %s has %d streams already.", s.opts.Account, len(list))
	}
	if row.Mode == OnDemand {
		if s.opts.Limits && onDemand >= awsOnDemandStreams {
			return fail(LimitExceeded, "This request would exceed the limit of %d on-demand streams for the account %s in %s.", awsOnDemandStreams, s.opts.Account, s.opts.Region)
		}
		return nil
	}
	return s.checkShardLimit(row.Pending.Target)
}

// finishCreate makes the shards of a stream.
func (s *Streams) finishCreate(st *stream, p *pending) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	v := st.view.Load()
	row := v.row.clone()
	row.Pending, row.Status, row.NextShard = nil, Active, uint32(p.Target)
	uid, op, err := s.takeUIDs(p.Target)
	if err != nil {
		return err
	}
	ops := []meta.Op{op}
	shards := make([]*shard, 0, p.Target)
	for i := range p.Target {
		sr := shardRow{
			Index: uint32(i), UID: uid, CreatedSec: uint64(row.Created / 1000), Opened: row.Created,
			Hash: evenRange(i, p.Target),
		}
		uid++
		log, err := s.log.AddShard(shardInfo(row.ID, sr))
		if err != nil {
			return errors.Join(err, s.forget(shards))
		}
		shards = append(shards, newShard(sr, log))
		op, err := put(shardKey(row.ID, sr.Index), sr)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	t, err := newTable(shards)
	if err != nil {
		return err
	}
	if err := s.save(st, row, t, ops...); err != nil {
		return errors.Join(err, s.forget(shards))
	}
	return nil
}

// forget takes shards out of the log that did not come to be.
func (s *Streams) forget(shards []*shard) error {
	var errs []error
	for _, sh := range shards {
		errs = append(errs, s.log.RemoveShard(s.ctx, sh.row.UID))
	}
	return errors.Join(errs...)
}

// newStreamID makes an id, which is also part of the keys of segments.
func newStreamID() string {
	b := make([]byte, streamIDFirst+streamIDSecond)
	rand.Read(b)
	for i := range b {
		b[i] = streamIDLetters[int(b[i])%len(streamIDLetters)]
	}
	return string(b[:streamIDFirst]) + "-" + string(b[streamIDFirst:])
}

// Delete removes a stream with everything in it. With consumers registered it
// fails unless they are to be removed with it.
func (s *Streams) Delete(ctx context.Context, ref Ref, enforceConsumerDeletion bool) error {
	if err := s.operation("DeleteStream", 5); err != nil {
		return err
	}
	st, err := s.beginDelete(ref, enforceConsumerDeletion)
	if err != nil || st == nil {
		return err
	}
	s.settle(ctx, s.start(st))
	return nil
}

func (s *Streams) beginDelete(ref Ref, enforce bool) (*stream, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	st, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	v := st.view.Load()
	switch v.row.Status {
	case Deleting:
		return nil, nil // it is on its way
	case Active:
	default:
		return nil, s.notActive(v)
	}
	st.mu.RLock()
	consumers := len(st.consumers)
	st.mu.RUnlock()
	if consumers > 0 && !enforce {
		return nil, fail(InUse, "Stream %s under account %s has %d registered consumers. Deregister them, or set EnforceConsumerDeletion.", v.row.Name, s.opts.Account, consumers)
	}
	row := v.row.clone()
	row.Status, row.Pending = Deleting, &pending{Kind: pendingDelete}
	return st, s.save(st, row, nil)
}

// finishDelete removes the records first and the definition last, so that
// nothing is left behind when it is interrupted.
func (s *Streams) finishDelete(st *stream) error {
	s.admin.Lock()
	v := *st.view.Load()
	v.gone = true
	if v.shards == nil {
		v.shards = &table{}
	}
	st.publish(&v)
	s.admin.Unlock()
	st.endSubscriptions(s.notFound(v.row.Name))
	for list := range slices.Chunk(v.shards.all, maxShardsAtOnce) {
		if err := s.removeShards(v.row.ID, list...); err != nil {
			return err
		}
	}
	return s.dropStream(st, v.row)
}

// maxShardsAtOnce is how many shards of a stream are removed before that is
// written down.
const maxShardsAtOnce = 256

// removeShards deletes shards with all their records.
func (s *Streams) removeShards(streamID string, list ...*shard) error {
	var ops []meta.Op
	for _, sh := range list {
		if err := s.log.RemoveShard(s.ctx, sh.row.UID); err != nil {
			return err
		}
		ops = append(ops, drop(shardKey(streamID, sh.row.Index)))
	}
	return s.opts.Meta.Commit(ops...)
}

// dropStream deletes the definition, and the name is free again.
func (s *Streams) dropStream(st *stream, row *streamRow) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	ops := []meta.Op{drop(streamKey(row.Name))}
	st.mu.RLock()
	for name := range st.consumers {
		ops = append(ops, drop(consumerKey(row.ID, name)))
	}
	st.mu.RUnlock()
	if err := s.opts.Meta.Commit(ops...); err != nil {
		return err
	}
	last := *st.view.Load()
	last.row = row.clone()
	last.row.Pending = nil
	st.publish(&last)
	s.mu.Lock()
	delete(s.streams, row.Name)
	s.mu.Unlock()
	return nil
}

// created tells whether a stream was created at a time, which may be none.
func (v *view) created(at time.Time) bool {
	return at.IsZero() || at.Unix() == v.row.Created/1000
}
