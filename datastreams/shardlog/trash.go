package shardlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/internal/meta"
)

// trashRow says which segment an object was to be, none where the row names a
// whole prefix. The object is needed after all if a row names that segment.
type trashRow struct {
	shard       ShardUID
	first, next Offset
}

func (r trashRow) value() []byte {
	b := []byte{rowVersion}
	b = binary.AppendUvarint(b, uint64(r.shard))
	b = binary.AppendUvarint(b, uint64(r.first))
	return binary.AppendUvarint(b, uint64(r.next))
}

func parseTrashRow(e meta.Entry) (object string, r trashRow, err error) {
	_, object, ok := strings.Cut(strings.TrimPrefix(e.Key, trashRows), "/")
	d := rowReader{b: e.Value}
	d.version()
	r = trashRow{ShardUID(d.uint()), Offset(d.uint()), Offset(d.uint())}
	if err := d.end(); err != nil || !ok || object == "" {
		return "", r, fmt.Errorf("trash row %s: %w", e.Key, errRow)
	}
	return object, r, nil
}

// trash gives the object of a segment away once dueMS has come.
func (s *Shard) trash(r segmentRow, dueMS int64) meta.Op {
	return meta.Op{
		Key: trashKey(dueMS, s.path(r)), Value: trashRow{s.info.UID, r.first, r.next}.value(), Expect: meta.Any,
	}
}

// emptyTrash deletes the objects that are due. It never runs while segments
// are made, so that nobody comes to need one meanwhile.
func (l *Log) emptyTrash(ctx context.Context) error {
	end := trashRows + fmt.Sprintf("%020d", l.opts.Clock.Now().UnixMilli()+1)
	for e, err := range l.opts.Meta.Scan(trashRows, end, false) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("scan trash: %w", err)
		}
		object, row, err := parseTrashRow(e)
		if err != nil {
			return err
		}
		needed, err := l.listed(row)
		if err != nil {
			return err
		}
		if !needed {
			if err := l.deleteObjects(ctx, object); err != nil {
				return err
			}
		}
		if err := l.opts.Meta.Commit(meta.Op{Key: e.Key, Expect: meta.Any}); err != nil {
			return fmt.Errorf("empty trash: %w", err)
		}
	}
	return nil
}

// listed tells whether the metadata name the segment.
func (l *Log) listed(r trashRow) (bool, error) {
	if r.next == 0 {
		return false, nil
	}
	e, err := l.opts.Meta.Get(segmentKey(r.shard, r.first))
	if errors.Is(err, meta.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up segment: %w", err)
	}
	row, err := parseSegmentRow(r.shard, e)
	return row.next == r.next, err
}

// deleteObjects deletes one object, or all with a prefix, which ends with a
// slash.
func (l *Log) deleteObjects(ctx context.Context, name string) error {
	if !strings.HasSuffix(name, "/") {
		if err := l.opts.Store.Delete(ctx, name); err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
		return nil
	}
	for info, err := range l.opts.Store.List(ctx, name, "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", strconv.Quote(name), err)
		}
		if err := l.opts.Store.Delete(ctx, info.Key); err != nil {
			return fmt.Errorf("delete %s: %w", info.Key, err)
		}
	}
	return nil
}
