package getmedia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// errUnfit means that a fragment cannot be made into Matroska.
var errUnfit = errors.New("the fragment does not fit into Matroska")

// stamp is a time as the tags have it: seconds since the epoch with their
// milliseconds.
func stamp(ns int64) string {
	ms := ns / int64(time.Millisecond)
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}

// names are what an operation calls the tags before the media.
type names struct {
	number, server, producer string
}

// tags are those of a fragment.
func (n names) tags(f *fragments.Fragment) []mkv.SimpleTag {
	return []mkv.SimpleTag{
		{Name: n.number, Value: f.Number.String()},
		{Name: n.server, Value: stamp(f.Received)},
		{Name: n.producer, Value: stamp(f.Start)},
	}
}

// appendDocument appends a fragment as a whole document: head, tags and the
// cluster. What follows the cluster is for the caller to append, as the
// segment is of unknown size.
func appendDocument(ctx context.Context, dst []byte, s *archive.Stream, f *fragments.Fragment, tags []mkv.SimpleTag) ([]byte, error) {
	if f.Flags&fragments.Raw != 0 {
		return appendRaw(ctx, dst, s, f, tags)
	}
	return appendMade(ctx, dst, s, f, tags)
}

// appendRaw appends a fragment as its producer sent it: its own head, tags and
// cluster, byte by byte.
func appendRaw(ctx context.Context, dst []byte, s *archive.Stream, f *fragments.Fragment, tags []mkv.SimpleTag) ([]byte, error) {
	head, err := s.ReadHead(ctx, f.Chunk)
	if err != nil {
		return nil, err
	}
	body, err := s.ReadRaw(ctx, f)
	if err != nil {
		return nil, err
	}
	raw, err := mkv.OpenRaw(body)
	if err != nil {
		return nil, fmt.Errorf("open fragment %s: %w", f.Number, err)
	}
	dst = mkv.AppendTags(append(dst, head...), tags...)
	return append(append(dst, raw.Tags...), raw.Cluster...), nil
}

// block is one sample on its way into a cluster.
type block struct {
	track    uint64
	dts, pts int64 // ns since the epoch
	key      bool
	data     []byte
}

// appendMade appends a fragment that came as samples. The time of its cluster
// counts from the epoch, as that of a producer with absolute time codes.
func appendMade(ctx context.Context, dst []byte, s *archive.Stream, f *fragments.Fragment, tags []mkv.SimpleTag) ([]byte, error) {
	all, err := s.Tracks(f.Init)
	if err != nil {
		return nil, err
	}
	tracks := slices.DeleteFunc(slices.Clone(all), func(t media.Track) bool {
		_, has := f.Run(t.ID)
		return !has || t.Codec == media.Opaque && t.CodecID == ""
	})
	if dst, err = mkv.AppendInit(dst, tracks); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnfit, err)
	}
	blocks, err := blocksOf(ctx, s, f, tracks)
	if err != nil {
		return nil, err
	}
	return appendCluster(mkv.AppendTags(dst, tags...), f, blocks)
}

// blocksOf reads the samples of a fragment, in the order in which they are
// decoded.
func blocksOf(ctx context.Context, s *archive.Stream, f *fragments.Fragment, tracks []media.Track) ([]block, error) {
	var out []block
	for _, t := range tracks {
		err := s.WalkRun(ctx, f, t.ID, func(x fragments.Sample) error {
			out = append(out, block{uint64(t.ID), x.DTS.Nanos(t.Timescale), x.PTS().Nanos(t.Timescale), x.Key, bytes.Clone(x.Data)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b block) int { return int(min(max(a.dts-b.dts, -1), 1)) })
	return out, nil
}

func appendCluster(dst []byte, f *fragments.Fragment, blocks []block) ([]byte, error) {
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%w: it has no sample", errUnfit)
	}
	begin, size := blocks[0].pts, int64(0)
	for i := range blocks {
		begin = min(begin, blocks[i].pts)
		size += int64(mkv.SimpleBlockLen(len(blocks[i].data)))
	}
	at := milliseconds(begin)
	dst = mkv.AppendCluster(dst, uint64(at), size)
	for i := range blocks {
		b := &blocks[i]
		relative := milliseconds(b.pts) - at
		if relative > math.MaxInt16 {
			return nil, fmt.Errorf("%w: it spans more than a cluster can", errUnfit)
		}
		dst = mkv.AppendSimpleBlock(dst, b.track, int16(relative), b.key, b.data)
	}
	return dst, nil
}

// milliseconds rounds nanoseconds to the nearest millisecond.
func milliseconds(ns int64) int64 { return (ns + int64(time.Millisecond)/2) / int64(time.Millisecond) }

// appendAfter appends what follows the media of a fragment: how far the reader
// is behind, and from where another one would go on.
func appendAfter(dst []byte, f *fragments.Fragment, now time.Time) []byte {
	behind := max(now.UnixNano()-f.Received, 0) / int64(time.Millisecond)
	return mkv.AppendTags(dst,
		mkv.SimpleTag{Name: "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", Value: strconv.FormatInt(behind, 10)},
		mkv.SimpleTag{Name: "AWS_KINESISVIDEO_CONTINUATION_TOKEN", Value: f.Number.String()})
}

// appendEmpty appends a document without media, for tags that say why there is
// none.
func appendEmpty(dst []byte, tags []mkv.SimpleTag) []byte {
	dst, err := mkv.AppendInit(dst, nil)
	if err != nil {
		return dst // no track, no error
	}
	return mkv.AppendTags(dst, tags...)
}
