package streams

import (
	"context"
	"errors"
	"time"

	"weir/datastreams/shardlog"
)

// expireEvery is how often old records are looked for.
const expireEvery = time.Minute

func offset(n uint64) shardlog.Offset { return shardlog.Offset(n) }

// maintainForever does what is due, until Close.
func (s *Streams) maintainForever() {
	defer s.wg.Done()
	t := time.NewTicker(s.pace.maintain)
	defer t.Stop()
	expired := time.Now()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		due := time.Since(expired) >= expireEvery
		if due {
			expired = time.Now()
		}
		if err := s.maintain(s.ctx, due); err != nil && s.ctx.Err() == nil {
			s.opts.Log.Error("maintain data streams", "error", err)
		}
	}
}

// maintain measures loads, scales on-demand streams, rotates keys and, when it
// is asked to, drops what is older than its stream retains.
func (s *Streams) maintain(ctx context.Context, expire bool) error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	var errs []error
	now := s.opts.Clock.Now()
	for _, st := range s.sorted() {
		v := st.view.Load()
		if !v.readable() {
			continue
		}
		for _, sh := range v.shards.open {
			sh.count.measure(now)
		}
		if v.row.Status == Active {
			errs = append(errs, s.rotateKey(st), s.scale(st, v, now))
		}
		if expire {
			errs = append(errs, s.expire(ctx, st))
		}
	}
	return errors.Join(errs...)
}

// expire drops records behind the horizon, and closed shards that ended
// before it.
func (s *Streams) expire(ctx context.Context, st *stream) error {
	v := st.view.Load()
	horizon := v.horizon(s.opts.Clock.Now())
	var errs []error
	var dead []*shard
	for _, sh := range v.shards.all {
		if !sh.listed(horizon) {
			dead = append(dead, sh)
			continue
		}
		if err := sh.log.Expire(ctx, horizon); err != nil && !errors.Is(err, shardlog.ErrNoShard) {
			errs = append(errs, err)
		}
	}
	for _, sh := range dead {
		errs = append(errs, s.expireShard(st, sh))
	}
	return errors.Join(errs...)
}

// expireShard removes a closed shard: its records first, then its row, then
// from the table.
func (s *Streams) expireShard(st *stream, sh *shard) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	v := *st.view.Load()
	if v.gone {
		return nil
	}
	if err := s.removeShards(v.row.ID, sh); err != nil {
		return err
	}
	var left []*shard
	for _, other := range v.shards.all {
		if other.row.Index != sh.row.Index {
			left = append(left, other)
		}
	}
	t, err := newTable(left)
	if err != nil {
		return err
	}
	v.shards = t
	st.publish(&v)
	return nil
}
