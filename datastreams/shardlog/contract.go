package shardlog

import (
	"context"
	"log/slog"

	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

type ShardUID uint64
type Offset uint64
type ShardInfo struct {
	UID    ShardUID
	Prefix string
}
type LogOptions struct {
	Engine       Engine
	FS           vfs.FS
	Dir          string
	Store        objects.Store
	Meta         meta.Store
	Clock        clock.Clock
	Log          *slog.Logger
	Shards       []ShardInfo
	TailBytes    int64
	SegmentBytes int64
	Fatal        func(error)
	Damaged      func(*CorruptionError)
}
type Log struct{}

func OpenLog(ctx context.Context, o LogOptions) (*Log, error)     { panic("x") }
func (l *Log) AddShard(ShardInfo) (*Shard, error)                 { panic("x") }
func (l *Log) Shard(ShardUID) (*Shard, bool)                      { panic("x") }
func (l *Log) RemoveShard(ctx context.Context, id ShardUID) error { panic("x") }
func (l *Log) Append(ctx context.Context, a []Append) error       { panic("x") }
func (l *Log) Close() error                                       { panic("x") }

type Append struct {
	Shard      *Shard
	Head, Data []byte
	Offset     Offset
	Time       int64
}
type Shard struct{}

func (s *Shard) Bounds() (first, next Offset) { panic("x") }

type Record struct {
	Offset Offset
	Time   int64
	Data   []byte
}

func (s *Shard) Read(ctx context.Context, from Offset, records, bytes int) (recs []Record, next Offset, err error) {
	panic("x")
}
func (s *Shard) FindTime(ctx context.Context, ms int64) (Offset, error) { panic("x") }
func (s *Shard) TimeAt(ctx context.Context, o Offset) (ms int64, ok bool, err error) {
	panic("x")
}
func (s *Shard) Changed() <-chan struct{}                         { panic("x") }
func (s *Shard) Expire(ctx context.Context, beforeMS int64) error { panic("x") }
