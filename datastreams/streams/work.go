package streams

import (
	"context"
	"time"

	"weir/datastreams/shardlog"
	"weir/internal/meta"
)

// save makes a row, and what belongs to it, durable, and shows the new state.
// A nil table leaves the shards as they are. The caller holds admin.
func (s *Streams) save(st *stream, row *streamRow, t *table, ops ...meta.Op) error {
	op, err := put(streamKey(row.Name), row)
	if err != nil {
		return internal("change a stream", err)
	}
	if err := s.opts.Meta.Commit(append(ops, op)...); err != nil {
		return internal("change a stream", err)
	}
	if t == nil {
		t = st.view.Load().shards
	}
	st.publish(&view{row: row, shards: t, cipher: st.keys.current(row)})
	return nil
}

func (s *Streams) notActive(v *view) *Error {
	return fail(InUse, "Stream %s under account %s not ACTIVE, instead in state %s", v.row.Name, s.opts.Account, v.row.Status)
}

// alter changes the definition of an ACTIVE stream. When edit leaves something
// to be done, it is begun; the answer waits a moment for it.
func (s *Streams) alter(ctx context.Context, ref Ref, edit func(*view, *streamRow) error) error {
	st, err := s.edit(ref, false, edit)
	if err != nil || st.view.Load().row.Pending == nil {
		return err
	}
	s.settle(ctx, s.start(st))
	return nil
}

// edit changes the definition of a stream that is ACTIVE or, where that does
// no harm, UPDATING.
func (s *Streams) edit(ref Ref, updating bool, edit func(*view, *streamRow) error) (*stream, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	st, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	v := st.view.Load()
	if v.row.Status != Active && (v.row.Status != Updating || !updating) {
		return nil, s.notActive(v)
	}
	row := v.row.clone()
	if err := edit(v, row); err != nil {
		return nil, err
	}
	if row.Pending != nil && row.Status == Active {
		row.Status = Updating
	}
	return st, s.save(st, row, nil)
}

// settle waits until work in the background is done, but not for long: the
// operation is asynchronous, and a client that polls is spared its first delay.
func (s *Streams) settle(ctx context.Context, done <-chan struct{}) {
	t := time.NewTimer(s.pace.settle)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// start does what is pending for a stream, in the background and until it has
// succeeded. The channel is closed when it is over.
func (s *Streams) start(st *stream) <-chan struct{} {
	done := make(chan struct{})
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer close(done)
		for {
			v := st.view.Load()
			p := v.row.Pending
			if p == nil || s.ctx.Err() != nil {
				return
			}
			err := s.finish(st, p)
			if err == nil {
				return
			}
			if s.ctx.Err() != nil {
				return
			}
			s.opts.Log.Error("change a stream", "stream", v.row.Name, "change", string(p.Kind), "error", err)
			s.pause(s.pace.retry)
		}
	}()
	return done
}

// pause waits, or until Close.
func (s *Streams) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// finish does what is pending. It may have been begun before, by this process
// or by an earlier one.
func (s *Streams) finish(st *stream, p *pending) error {
	switch p.Kind {
	case pendingCreate:
		return s.finishCreate(st, p)
	case pendingDelete:
		return s.finishDelete(st)
	case pendingSplit:
		return s.finishSplit(st, p)
	case pendingMerge:
		return s.finishMerge(st, p)
	default:
		return s.finishReshard(st, p)
	}
}

// takeUIDs gives out n names for shards in the log, and the write that keeps
// them from being given out again. The caller holds admin.
func (s *Streams) takeUIDs(n int) (shardlog.ShardUID, meta.Op, error) {
	first := s.lastUID + 1
	s.lastUID += shardlog.ShardUID(n)
	op, err := put(uidKey, uidRow{Last: s.lastUID})
	return first, op, err
}
