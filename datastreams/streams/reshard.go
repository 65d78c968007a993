package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/internal/meta"
)

// replacement is one or two shards that are replaced by others with the same
// hash range.
type replacement struct {
	parents  []*shard
	children []HashKeyRange
}

// errReplaced means that a shard has been replaced by somebody else.
var errReplaced = errors.New("shard is closed already")

// replace closes the parents and opens the children of all replacements, in
// one commit. The order keeps invariant 3:
//
//  1. the gates of the parents are closed: new writers wait,
//  2. the writers inside have left: what is acknowledged is durable,
//  3. the ends of the parents are read, and written together with the children,
//  4. the new table is shown: the writers that wait are routed anew.
//
// What finish does to the row is part of the commit.
func (s *Streams) replace(st *stream, list []replacement, finish func(*streamRow)) error {
	st.resharding.Lock()
	defer st.resharding.Unlock()
	var parents []*shard
	for _, r := range list {
		parents = append(parents, r.parents...)
	}
	now := st.view.Load().shards
	for _, p := range parents {
		if now.shard(p.row.Index) != p || !p.open() {
			return fmt.Errorf("replace %s: %w", p.id, errReplaced)
		}
	}
	if err := s.closeGates(parents); err != nil {
		return err
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	if err := s.commitReplacement(st, list, parents, finish); err != nil {
		for _, p := range parents {
			p.gate.reopen()
		}
		same := *st.view.Load()
		st.publish(&same) // wakes the writers that wait
		return err
	}
	return nil
}

// closeGates stops the writers of shards and waits for those inside.
func (s *Streams) closeGates(parents []*shard) error {
	waits := make([]<-chan struct{}, len(parents))
	for i, p := range parents {
		waits[i] = p.gate.close()
	}
	for _, w := range waits {
		select {
		case <-w:
		case <-s.ctx.Done():
			for _, p := range parents {
				p.gate.reopen()
			}
			return s.ctx.Err()
		}
	}
	return nil
}

// commitReplacement does the third and fourth step. The caller holds admin.
func (s *Streams) commitReplacement(st *stream, list []replacement, parents []*shard, finish func(*streamRow)) error {
	v := st.view.Load()
	row, now := v.row.clone(), s.now()
	shards := slices.Clone(v.shards.all)
	var ops []meta.Op
	for _, p := range parents {
		closed := *p
		closed.row.Closed = now
		_, closed.row.End = p.log.Bounds()
		shards[slices.Index(shards, p)] = &closed
		op, err := put(shardKey(row.ID, p.row.Index), closed.row)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	children, more, err := s.makeChildren(row, list, now)
	if err != nil {
		return err
	}
	finish(row)
	t, err := newTable(append(shards, children...))
	if err == nil {
		err = s.save(st, row, t, append(ops, more...)...)
	}
	if err != nil {
		return errors.Join(err, s.forget(children))
	}
	return nil
}

// makeChildren adds the children to the log and returns the writes that make
// them known.
func (s *Streams) makeChildren(row *streamRow, list []replacement, now int64) ([]*shard, []meta.Op, error) {
	n := 0
	for _, r := range list {
		n += len(r.children)
	}
	uid, op, err := s.takeUIDs(n)
	if err != nil {
		return nil, nil, err
	}
	var children []*shard
	ops := []meta.Op{op}
	for _, r := range list {
		created := uint64(now / 1000)
		var parents []uint32
		warmth := 0.0
		for _, p := range r.parents {
			created = max(created, p.row.CreatedSec+1)
			parents = append(parents, p.row.Index)
			warmth += p.count.heatNow()
		}
		for _, hash := range r.children {
			sr := shardRow{Index: row.NextShard, UID: uid, CreatedSec: created, Opened: now, Hash: hash, Parents: parents}
			row.NextShard++
			uid++
			log, err := s.log.AddShard(shardInfo(row.ID, sr))
			if err != nil {
				return nil, nil, errors.Join(err, s.forget(children))
			}
			child := newShard(sr, log)
			child.count.heat.set(warmth / float64(len(r.children)))
			children = append(children, child)
			if op, err = put(shardKey(row.ID, sr.Index), sr); err != nil {
				return nil, nil, errors.Join(err, s.forget(children))
			}
			ops = append(ops, op)
		}
	}
	return children, ops, nil
}

// done is the end of a change.
func done(row *streamRow) { row.Status, row.Pending = Active, nil }

// Split replaces a shard by two, the second of which begins at newStart.
func (s *Streams) Split(ctx context.Context, ref Ref, shardToSplit, newStart string) error {
	if err := s.operation("SplitShard", 5); err != nil {
		return err
	}
	return s.alter(ctx, ref, func(v *view, row *streamRow) error {
		sh, err := s.openShard(v, shardToSplit, "SplitShard")
		if err != nil {
			return err
		}
		at, ok := ParseHashKey(newStart)
		first, last := sh.row.Hash.Starting, sh.row.Hash.Ending
		if !ok || !first.less(at) || !first.next().less(at) || !at.less(last) {
			return fail(InvalidArgument, "NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
				newStart, sh.id, row.Name, s.opts.Account, first, last)
		}
		if err := s.roomForShards(v, 1); err != nil {
			return err
		}
		row.Pending = &pending{Kind: pendingSplit, Shard: sh.row.Index, At: at}
		return nil
	})
}

func (s *Streams) finishSplit(st *stream, p *pending) error {
	sh := st.view.Load().shards.shard(p.Shard)
	if sh == nil || !sh.open() {
		return s.endReshard(st) // it was scaled meanwhile
	}
	return s.replace(st, []replacement{splitAt(sh, p.At)}, done)
}

// splitAt is the replacement of a shard by two.
func splitAt(sh *shard, at HashKey) replacement {
	r := sh.row.Hash
	return replacement{parents: []*shard{sh}, children: []HashKeyRange{{r.Starting, at.prev()}, {at, r.Ending}}}
}

// joined is the replacement of two neighbours by one.
func joined(low, high *shard) replacement {
	return replacement{parents: []*shard{low, high}, children: []HashKeyRange{{low.row.Hash.Starting, high.row.Hash.Ending}}}
}

// openShard returns a shard that may be split or merged by hand.
func (s *Streams) openShard(v *view, id, operation string) (*shard, error) {
	index, ok := parseShardID(id)
	var sh *shard
	if ok {
		id = shardID(index)
		sh = v.shards.shard(index)
	}
	if sh == nil || !sh.listed(v.horizon(s.opts.Clock.Now())) {
		return nil, fail(NotFound, "Could not find shard %s in stream %s under account %s.", id, v.row.Name, s.opts.Account)
	}
	if v.row.Mode == OnDemand {
		return nil, fail(Validation, "The operation %s is not supported on stream %s under account %s, because the stream is in On-Demand mode.", operation, v.row.Name, s.opts.Account)
	}
	if !sh.open() {
		return nil, fail(InvalidArgument, "Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.", id, v.row.Name, s.opts.Account)
	}
	return sh, nil
}

// roomForShards refuses more shards than a stream, or the account, may have.
// The caller holds admin.
func (s *Streams) roomForShards(v *view, more int) error {
	if len(v.shards.open)+more > maxShards {
		return fail(LimitExceeded, "A stream can have at most %d shards, this request would lead to %d.", maxShards, len(v.shards.open)+more)
	}
	return s.checkShardLimit(more)
}

// Merge replaces two shards that lie side by side by one.
func (s *Streams) Merge(ctx context.Context, ref Ref, shardToMerge, adjacent string) error {
	if err := s.operation("MergeShards", 5); err != nil {
		return err
	}
	return s.alter(ctx, ref, func(v *view, row *streamRow) error {
		a, err := s.openShard(v, shardToMerge, "MergeShards")
		if err != nil {
			return err
		}
		b, err := s.openShard(v, adjacent, "MergeShards")
		if err != nil {
			return err
		}
		if b.row.Hash.Starting.less(a.row.Hash.Starting) {
			a, b = b, a
		}
		if a == b || a.row.Hash.Ending.next() != b.row.Hash.Starting {
			return fail(InvalidArgument, "Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
				shardToMerge, adjacent, row.Name, s.opts.Account)
		}
		row.Pending = &pending{Kind: pendingMerge, Shard: a.row.Index, Other: b.row.Index}
		return nil
	})
}

func (s *Streams) finishMerge(st *stream, p *pending) error {
	t := st.view.Load().shards
	low, high := t.shard(p.Shard), t.shard(p.Other)
	if low == nil || high == nil || !low.open() || !high.open() {
		return s.endReshard(st)
	}
	return s.replace(st, []replacement{joined(low, high)}, done)
}
