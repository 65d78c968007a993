package streams

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"unicode/utf8"

	"weir/datastreams/shardlog"
)

// Limits of a batch.
const (
	maxBatchEntries = 500
	maxBatchBytes   = 10 << 20 // data and partition keys of all entries
)

// Entry is one record to be put. Nothing of it is kept after the call.
type Entry struct {
	Data            []byte
	PartitionKey    string // may be empty only in a stream that distributes by itself
	ExplicitHashKey string // empty = the partition key decides
}

// EntryResult tells what became of an entry.
type EntryResult struct {
	ShardID  string
	Sequence SequenceNumber
	Failure  Kind   // 0 = it is stored
	Message  string // of the failure
}

// PutInput is one record to be put by itself.
type PutInput struct {
	Ref                       Ref
	Entry                     Entry
	SequenceNumberForOrdering string // the result is greater than this
	DryRun                    bool
}

// PutOutput tells where the record is.
type PutOutput struct {
	ShardID    string
	Sequence   SequenceNumber
	Encryption EncryptionType
}

// PutBatchOutput tells about the whole batch.
type PutBatchOutput struct {
	Failed     int
	Encryption EncryptionType
}

// Put stores one record. It is durable when Put returns nil.
func (s *Streams) Put(ctx context.Context, in PutInput) (PutOutput, error) {
	st, v, err := s.readable(in.Ref)
	if err != nil {
		return PutOutput{}, err
	}
	if in.SequenceNumberForOrdering != "" {
		if err := s.checkOrdering(v, in.SequenceNumberForOrdering); err != nil {
			return PutOutput{}, err
		}
	}
	var entries [1]Entry
	var results [1]EntryResult
	entries[0] = in.Entry
	out, err := s.putBatch(ctx, st, v, entries[:], results[:], in.DryRun, false)
	if err != nil {
		return PutOutput{}, err
	}
	if r := &results[0]; r.Failure != 0 {
		if st.view.Load().gone {
			return PutOutput{}, s.notFound(v.row.Name)
		}
		return PutOutput{}, &Error{Kind: r.Failure, Message: r.Message}
	}
	return PutOutput{ShardID: results[0].ShardID, Sequence: results[0].Sequence, Encryption: out.Encryption}, nil
}

// PutBatch stores records, and fills in results, which is as long as entries.
// Entries fail one by one; an error means that all of them did. What succeeded
// is durable when it returns.
func (s *Streams) PutBatch(ctx context.Context, ref Ref, entries []Entry, results []EntryResult, dryRun bool) (PutBatchOutput, error) {
	st, v, err := s.readable(ref)
	if err != nil {
		return PutBatchOutput{}, err
	}
	if len(entries) == 0 || len(entries) > maxBatchEntries {
		return PutBatchOutput{}, fail(Validation, "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length between 1 and %d", maxBatchEntries)
	}
	return s.putBatch(ctx, st, v, entries, results, dryRun, true)
}

// checkOrdering refuses a number that no record of the stream can have had.
// That the result is greater needs no work: the offsets of a shard grow, and
// children begin above their parents.
func (s *Streams) checkOrdering(v *view, number string) error {
	n, ok := ParseSequenceNumber(number)
	if ok {
		p, _ := n.parts()
		sh := v.shards.shard(p.shard)
		ok = p.time <= uint64(s.now()/1000) && (sh == nil || p.created == sh.row.CreatedSec)
	}
	if !ok {
		return fail(InvalidArgument, "ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", number, v.row.Name, s.opts.Account)
	}
	return nil
}

// putting is the memory of one batch on its way. It is used again.
type putting struct {
	hashes   []HashKey
	explicit []bool
	left     []int // entries that have no result yet
	appends  []shardlog.Append
	shards   []*shard // of the appends
	which    []int    // entries of the appends
	buffer   []byte   // heads, or whole encrypted records
}

// puttings keeps that memory.
type puttings struct{ pool sync.Pool }

func (p *puttings) take() *putting {
	if w, ok := p.pool.Get().(*putting); ok {
		return w
	}
	return new(putting)
}

// maxKeptBuffer is the largest buffer that is kept for the next batch.
const maxKeptBuffer = 1 << 20

func (p *puttings) give(w *putting) {
	clear(w.appends)
	clear(w.shards)
	if cap(w.buffer) > maxKeptBuffer {
		w.buffer = nil
	}
	p.pool.Put(w)
}

// putBatch checks, routes and appends. Entries that meet a shard while it is
// being closed wait for its children and are routed anew.
func (s *Streams) putBatch(ctx context.Context, st *stream, v *view, entries []Entry, results []EntryResult, dryRun, batch bool) (PutBatchOutput, error) {
	w := s.puttings.take()
	defer s.puttings.give(w)
	if err := s.checkEntries(v, entries, w, batch); err != nil {
		return PutBatchOutput{}, err
	}
	if dryRun {
		return PutBatchOutput{}, dryRunDone()
	}
	out := PutBatchOutput{Encryption: v.row.Encryption}
	clear(results)
	w.left = w.left[:0]
	for i := range entries {
		w.left = append(w.left, i)
	}
	for len(w.left) > 0 {
		s.route(st, v, entries, results, w)
		if len(w.appends) > 0 {
			// Not with ctx: who has left must not be in a shard that is closed.
			err := s.log.Append(context.Background(), w.appends)
			s.settleAppends(entries, results, w, err)
		}
		if len(w.left) == 0 {
			break
		}
		next, err := s.newer(ctx, st, v)
		if err != nil {
			for _, i := range w.left {
				results[i] = EntryResult{Failure: Internal, Message: "Internal service failure."}
			}
			if ctx.Err() == nil && !batch {
				return out, err
			}
			break
		}
		v = next
	}
	for i := range results {
		if results[i].Failure != 0 {
			out.Failed++
		}
	}
	return out, nil
}

// newer waits for a view after v in which records can be put.
func (s *Streams) newer(ctx context.Context, st *stream, v *view) (*view, error) {
	select {
	case <-v.changed:
	case <-ctx.Done():
		return nil, internal("wait for a shard to be split", ctx.Err())
	case <-s.ctx.Done():
		return nil, internal("wait for a shard to be split", s.ctx.Err())
	}
	v = st.view.Load()
	if !v.readable() {
		return nil, s.notFound(v.row.Name)
	}
	return v, nil
}

// checkEntries applies the limits and computes where entries belong.
func (s *Streams) checkEntries(v *view, entries []Entry, w *putting, batch bool) error {
	w.hashes, w.explicit = w.hashes[:0], w.explicit[:0]
	total, most := 0, v.row.MaxRecordKiB<<10
	for i := range entries {
		e := &entries[i]
		size := len(e.Data) + len(e.PartitionKey)
		total += size
		if size > most {
			return fail(InvalidArgument, "Record size of %d bytes, with its partition key, exceeds the limit of %d bytes of stream %s under account %s.", size, most, v.row.Name, s.opts.Account)
		}
		if e.PartitionKey == "" && v.row.Distribution != Auto {
			return fail(Validation, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", place(i, batch))
		}
		if len(e.PartitionKey) > maxPartitionKey && utf8.RuneCountInString(e.PartitionKey) > maxPartitionKey {
			return fail(Validation, "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", place(i, batch), maxPartitionKey)
		}
		if e.ExplicitHashKey == "" {
			w.hashes, w.explicit = append(w.hashes, hashOf(e.PartitionKey)), append(w.explicit, false)
			continue
		}
		k, ok := ParseHashKey(e.ExplicitHashKey)
		if !ok {
			return fail(InvalidArgument, "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", e.ExplicitHashKey)
		}
		w.hashes, w.explicit = append(w.hashes, k), append(w.explicit, true)
	}
	if total > maxBatchBytes && batch {
		return fail(InvalidArgument, "Records size exceeds %d MB limit", maxBatchBytes>>20)
	}
	return nil
}

// place names the partition key of an entry as the model does.
func place(i int, batch bool) string {
	if !batch {
		return "partitionKey"
	}
	return "records." + strconv.Itoa(i+1) + ".member.partitionKey"
}

// route turns the entries that are left into appends, as far as their shards
// let writers in.
func (s *Streams) route(st *stream, v *view, entries []Entry, results []EntryResult, w *putting) {
	w.appends, w.shards, w.which, w.buffer = w.appends[:0], w.shards[:0], w.which[:0], w.buffer[:0]
	w.reserve(v, entries)
	waiting := w.left[:0]
	for _, i := range w.left {
		e := &entries[i]
		sh := v.shards.find(w.hashes[i])
		if v.row.Distribution == Auto {
			sh = v.shards.open[int(st.next.Add(1))%len(v.shards.open)]
		}
		if !s.limits.write(sh, len(e.Data)+len(e.PartitionKey), s.opts.Clock) {
			sh.count.writeThrottles.Add(1)
			results[i] = EntryResult{Failure: Throttled, Message: "Rate exceeded for shard " + sh.id + " in stream " + v.row.Name + " under account " + s.opts.Account + "."}
			continue
		}
		if !sh.gate.enter() {
			waiting = append(waiting, i)
			continue
		}
		w.add(v, sh, i, e)
	}
	w.left = waiting
}

// reserve makes the buffer large enough for all entries, so that it does not
// move while appends point into it.
func (w *putting) reserve(v *view, entries []Entry) {
	need := 0
	for _, i := range w.left {
		if v.cipher != nil {
			need += sealedBytes(&entries[i])
		} else {
			need += plainHeadBytes + len(entries[i].PartitionKey) + hashKeyBytes
		}
	}
	if cap(w.buffer) < need {
		w.buffer = make([]byte, 0, need)
	}
}

// add appends the entry's stored form. The writer is in the shard's gate.
func (w *putting) add(v *view, sh *shard, i int, e *Entry) {
	var explicit *HashKey
	if w.explicit[i] {
		explicit = &w.hashes[i]
	}
	start := len(w.buffer)
	a := shardlog.Append{Shard: sh.log}
	if v.cipher != nil {
		w.buffer = appendSealed(w.buffer, v.cipher, sh.row.UID, e, explicit)
		a.Head = w.buffer[start:]
	} else {
		w.buffer = appendInner(append(w.buffer, flags(explicit, false)), e, explicit)
		a.Head, a.Data = w.buffer[start:], e.Data
	}
	w.appends = append(w.appends, a)
	w.shards = append(w.shards, sh)
	w.which = append(w.which, i)
}

// settleAppends lets the writers out of their shards and fills in the results.
func (s *Streams) settleAppends(entries []Entry, results []EntryResult, w *putting, err error) {
	failed := s.appendFailed(err)
	for n := range w.appends {
		a, sh, r := &w.appends[n], w.shards[n], &results[w.which[n]]
		sh.gate.leave()
		if err != nil {
			*r = failed
			continue
		}
		r.ShardID, r.Sequence = sh.id, sh.sequence(a.Offset, a.Time)
		e := &entries[w.which[n]]
		sh.count.in(len(e.Data) + len(e.PartitionKey))
	}
}

// appendFailed is what entries are told that the log did not take. What the
// log has reported itself is not logged again for every batch.
func (s *Streams) appendFailed(err error) EntryResult {
	switch {
	case err == nil:
		return EntryResult{}
	case errors.Is(err, shardlog.ErrLowDisk):
		return EntryResult{Failure: Internal, Message: "Internal service failure: " + shardlog.ErrLowDisk.Error() + "."}
	case !errors.Is(err, shardlog.ErrNoShard) && !errors.Is(err, shardlog.ErrClosed):
		s.opts.Log.Error("append records", "error", err)
	}
	return EntryResult{Failure: Internal, Message: "Internal service failure."}
}
