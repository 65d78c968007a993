package streams

import (
	"context"
	"slices"
	"sort"
)

// ShardCount is the answer of UpdateShardCount.
type ShardCount struct {
	Name    string
	ARN     string
	Current int
	Target  int
}

// UpdateShardCount splits and merges until the stream has target shards of the
// same width.
func (s *Streams) UpdateShardCount(ctx context.Context, ref Ref, target int) (ShardCount, error) {
	if err := s.operation("UpdateShardCount", 10); err != nil {
		return ShardCount{}, err
	}
	var out ShardCount
	err := s.alter(ctx, ref, func(v *view, row *streamRow) error {
		out = ShardCount{Name: row.Name, ARN: s.streamARN(row.Name), Current: len(v.shards.open), Target: target}
		if err := s.checkShardCount(v, row, target); err != nil {
			return err
		}
		row.CountChanges = append(lastDay(row.CountChanges, s.now()), s.now())
		row.Pending = &pending{Kind: pendingReshard, Target: target}
		return nil
	})
	return out, err
}

// maxCountChanges is how many times of changes are remembered.
const maxCountChanges = 1000

// checkShardCount applies the limits.
func (s *Streams) checkShardCount(v *view, row *streamRow, target int) error {
	have := len(v.shards.open)
	most := maxCountChanges
	if s.opts.Limits {
		most = awsShardCountChanges
	}
	switch {
	case v.row.Mode == OnDemand:
		return fail(Validation, "The operation UpdateShardCount is not supported on stream %s under account %s, because the stream is in On-Demand mode.", row.Name, s.opts.Account)
	case target < 1 || target > maxShards:
		return fail(InvalidArgument, "TargetShardCount %d is not between 1 and %d.", target, maxShards)
	case s.opts.Limits && target > 2*have:
		return fail(LimitExceeded, "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target shard count: %d", have, target)
	case s.opts.Limits && 2*target < have:
		return fail(LimitExceeded, "UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target shard count: %d", have, target)
	case len(lastDay(row.CountChanges, s.now())) >= most:
		return fail(LimitExceeded, "Stream %s under account %s can not scale more than %d times within 24 hours.", row.Name, s.opts.Account, most)
	}
	return s.checkShardLimit(max(0, target-have))
}

// finishReshard goes on towards the target, in rounds, each of which is one
// commit: first every shard is split where shards of the target begin, then
// neighbours that lie in the same one are merged. Nothing needs to be
// remembered between the rounds.
func (s *Streams) finishReshard(st *stream, p *pending) error {
	for {
		list := nextRound(st.view.Load().shards, p.Target)
		if len(list) == 0 {
			return s.endReshard(st)
		}
		if err := s.replace(st, list, func(*streamRow) {}); err != nil {
			return err
		}
	}
}

func (s *Streams) endReshard(st *stream) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	row := st.view.Load().row.clone()
	done(row)
	return s.save(st, row, nil)
}

// nextRound returns what is to be replaced next, nothing at the target.
func nextRound(t *table, target int) []replacement {
	var list []replacement
	for _, sh := range t.open {
		if at, ok := middleStart(sh.row.Hash, target); ok {
			list = append(list, splitAt(sh, at))
		}
	}
	if len(list) > 0 {
		return list
	}
	for i := 0; i+1 < len(t.open); i++ {
		low, high := t.open[i], t.open[i+1]
		if startsAt(high.row.Hash.Starting, target) {
			continue
		}
		list = append(list, joined(low, high))
		i++
	}
	return list
}

// startsAt tells whether a shard of the target begins at a key.
func startsAt(k HashKey, target int) bool {
	i := firstStart(k, target)
	return i < target && evenStart(i, target) == k
}

// firstStart returns the first shard of the target that begins at or behind k.
func firstStart(k HashKey, target int) int {
	return sort.Search(target, func(i int) bool { return !evenStart(i, target).less(k) })
}

// middleStart returns where a shard is to be split: at the middle one of the
// starts of target shards inside of it.
func middleStart(r HashKeyRange, target int) (HashKey, bool) {
	low := firstStart(r.Starting.next(), target)
	if r.Starting == maxHashKey() {
		return HashKey{}, false
	}
	high := target // the first start behind the range
	if r.Ending != maxHashKey() {
		high = firstStart(r.Ending.next(), target)
	}
	if low >= high {
		return HashKey{}, false
	}
	return evenStart((low+high)/2, target), true
}

// widestFirst orders open shards by width, the widest first.
func widestFirst(open []*shard) []*shard {
	return slices.SortedFunc(slices.Values(open), func(a, b *shard) int { return b.width().Compare(a.width()) })
}

// width is the number of hash keys of the shard, less one.
func (s *shard) width() HashKey { return s.row.Hash.Ending.minus(s.row.Hash.Starting) }
