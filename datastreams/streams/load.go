package streams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"weir/datastreams/shardlog"
	"weir/internal/meta"
)

// sortedByName returns streams by name.
func sortedByName(m map[string]*stream) []*stream {
	return slices.SortedFunc(maps.Values(m), func(a, b *stream) int { return cmp.Compare(a.arn, b.arn) })
}

// load reads everything from the metadata and opens the log.
func (s *Streams) load(ctx context.Context) error {
	if err := s.loadAccount(); err != nil {
		return err
	}
	rows := map[*stream][]shardRow{}
	var infos []shardlog.ShardInfo
	err := scanRows(s.opts.Meta, streamPrefix, func(row streamRow) error {
		st, err := s.loadStream(&row)
		if err != nil {
			return fmt.Errorf("stream %s: %w", row.Name, err)
		}
		s.streams[row.Name] = st
		return scanRows(s.opts.Meta, shardPrefix+row.ID+"/", func(sh shardRow) error {
			rows[st] = append(rows[st], sh)
			infos = append(infos, shardInfo(row.ID, sh))
			return nil
		})
	})
	if err != nil {
		return err
	}
	if s.log, err = s.opts.OpenLog(ctx, infos); err != nil {
		return err
	}
	// After a loss of metadata the log may hold shards that they do not know.
	s.lastUID = max(s.lastUID, s.log.HighestUID())
	for st, list := range rows {
		if err := s.loadShards(st, list); err != nil {
			return errors.Join(err, s.log.Close())
		}
	}
	return nil
}

// shardInfo is how the log knows a shard.
func shardInfo(streamID string, row shardRow) shardlog.ShardInfo {
	return shardlog.ShardInfo{UID: row.UID, Prefix: fmt.Sprintf("data/%s/%012d/", streamID, row.Index)}
}

// loadStream makes a stream of its row, with its consumers and keys, but
// without shards.
func (s *Streams) loadStream(row *streamRow) (*stream, error) {
	st := &stream{arn: s.streamARN(row.Name), consumers: map[string]*consumer{}}
	if err := st.keys.load(row, s.opts.Sealer); err != nil {
		return nil, err
	}
	err := scanRows(s.opts.Meta, consumerPrefix+row.ID+"/", func(c consumerRow) error {
		st.consumers[c.Name] = newConsumer(&c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	st.publish(&view{row: row, cipher: st.keys.current(row)})
	return st, nil
}

// loadShards joins a stream with its shards in the log.
func (s *Streams) loadShards(st *stream, list []shardRow) error {
	v := *st.view.Load()
	var shards []*shard
	for _, row := range list {
		log, ok := s.log.Shard(row.UID)
		if !ok {
			return fmt.Errorf("stream %s: %s is not in the log", v.row.Name, shardID(row.Index))
		}
		shards = append(shards, newShard(row, log))
	}
	t, err := newTable(shards)
	if err != nil && v.row.Status != Deleting {
		return fmt.Errorf("stream %s: %w", v.row.Name, err)
	}
	if err == nil {
		v.shards = t
	} else {
		v.shards = &table{all: shards} // half of it is removed already
		v.gone = true
	}
	st.publish(&v)
	return nil
}

// loadAccount reads the account's row, or makes it.
func (s *Streams) loadAccount() error {
	var uid uidRow
	if err := s.get(uidKey, &uid); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return err
	}
	s.lastUID = uid.Last
	err := s.get(accountKey, &s.account)
	if errors.Is(err, meta.ErrNotFound) {
		err = s.makeAccount()
	}
	if err != nil {
		return err
	}
	s.tokens, err = openSealer(s.opts.Sealer, s.account.TokenKey)
	return err
}

func (s *Streams) get(key string, row any) error {
	e, err := s.opts.Meta.Get(key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(e.Value, row); err != nil {
		return fmt.Errorf("decode %s: %w", key, err)
	}
	return nil
}

// makeAccount writes the first row of the account.
func (s *Streams) makeAccount() error {
	sealed, err := newTokenKey(s.opts.Sealer)
	if err != nil {
		return err
	}
	s.account = accountRow{TokenKey: sealed}
	op, err := put(accountKey, s.account)
	if err != nil {
		return err
	}
	op.Expect = 0
	return s.opts.Meta.Commit(op)
}
