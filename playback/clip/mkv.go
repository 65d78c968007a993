package clip

import (
	"context"
	"fmt"
	"math"
	"sort"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// matroska gathers the tracks, clusters and cues of an MKV clip.
type matroska struct {
	tracks  []media.Track // renumbered
	source  []media.Track // as recorded, by index of tracks
	pieces  []piece       // one cluster each
	times   []clusterTime // by index of pieces
	begin   int64         // presentation time of the earliest sample, ns
	end     int64         // of the end of the latest
	samples int
}

// clusterTime is where a cluster stands in time, ns since the epoch.
type clusterTime struct {
	begin, end int64
	key        uint64 // track that begins with a key frame, pictures first; 0 for none
}

// block is one sample on its way into a cluster.
type block struct {
	track    uint64
	dts, pts int64 // ns since the epoch
	key      bool
	data     []byte
}

// planMKV makes head and pieces of an MKV clip. Its time begins with its first
// sample: Matroska has no edit lists.
func (c *Clip) planMKV(ctx context.Context, s *selection) error {
	s.soundFrom = min(s.cutAt, s.start)
	m := &matroska{begin: math.MaxInt64, end: math.MinInt64}
	if err := s.each(ctx, m.add); err != nil {
		return err
	}
	position := int64(0)
	var cues []mkv.Cue
	for i := range m.pieces {
		t := &m.times[i]
		p := &m.pieces[i]
		p.cluster = milliseconds(t.begin - m.begin)
		if milliseconds(t.end-m.begin)-p.cluster > math.MaxInt16 {
			return fmt.Errorf("fragment %s spans more than a cluster can", c.items[p.parts[0].item].Fragment.Number.Short())
		}
		if t.key != 0 {
			cues = append(cues, mkv.Cue{Time: uint64(p.cluster), Track: t.key, Position: position})
		}
		position += p.size
	}
	if err := c.headMKV(m, cues, position); err != nil {
		return err
	}
	c.pieces, c.Samples = m.pieces, m.samples
	c.Start, c.End = time.Unix(0, m.begin).UTC(), time.Unix(0, m.end).UTC()
	return nil
}

// headMKV writes all that stands before the clusters.
func (c *Clip) headMKV(m *matroska, cues []mkv.Cue, clusters int64) error {
	body := mkv.AppendInfo(nil, float64(m.end-m.begin)/float64(time.Millisecond))
	body, err := mkv.AppendTracks(body, m.tracks)
	if err != nil {
		return err
	}
	base := int64(len(mkv.AppendCues(body, cues, 0)))
	body = mkv.AppendCues(body, cues, base)
	c.head = mkv.AppendSegment(mkv.AppendEBML(nil), int64(len(body))+clusters)
	c.head = append(c.head, body...)
	return nil
}

// number returns the track number of a recorded track in the clip. Parameters
// that change make a new track: Matroska knows one set for each.
func (m *matroska) number(t media.Track) uint64 {
	for i := range m.source {
		if m.source[i].Equal(t) {
			return uint64(i + 1)
		}
	}
	m.source = append(m.source, t)
	t.ID = media.TrackID(min(len(m.source), math.MaxUint8)) // AppendTracks refuses what is too high
	m.tracks = append(m.tracks, t)
	return uint64(len(m.source))
}

// add takes a part into the cluster of its fragment.
func (m *matroska) add(p part, samples []fragments.Sample) error {
	n := len(m.pieces)
	if n == 0 || m.pieces[n-1].parts[0].item != p.item {
		m.pieces = append(m.pieces, piece{size: mkv.ClusterHeadLen})
		m.times = append(m.times, clusterTime{begin: math.MaxInt64, end: math.MinInt64})
		n++
	}
	number := m.number(p.track)
	t, c := &m.times[n-1], &m.pieces[n-1]
	if samples[0].Key && (t.key == 0 || p.track.Kind() == media.Video) {
		t.key = number
	}
	p.track.ID = media.TrackID(number)
	c.parts = append(c.parts, p)
	for i := range samples {
		at := samples[i].PTS().Nanos(p.track.Timescale)
		t.begin, t.end = min(t.begin, at), max(t.end, at)
		m.end = max(m.end, at+media.Ticks(samples[i].Duration).Nanos(p.track.Timescale))
		c.size += int64(mkv.SimpleBlockLen(samples[i].Size))
	}
	m.begin = min(m.begin, t.begin)
	m.samples += len(samples)
	return nil
}

// appendCluster makes a piece of an MKV clip: the samples of a fragment, in the
// order in which they are decoded.
func (c *Clip) appendCluster(ctx context.Context, p *piece, dst []byte) ([]byte, error) {
	var blocks []block
	for _, x := range p.parts {
		samples, err := readRun(ctx, c.src.ReadRun, &c.items[x.item].Fragment, x.run)
		if err != nil {
			return nil, err
		}
		for _, s := range samples[x.from:x.to] {
			blocks = append(blocks, block{uint64(x.track.ID), s.DTS.Nanos(x.track.Timescale), s.PTS().Nanos(x.track.Timescale), s.Key, s.Data})
		}
	}
	sort.SliceStable(blocks, func(i, j int) bool { return blocks[i].dts < blocks[j].dts })
	dst = mkv.AppendCluster(dst, uint64(p.cluster), p.size-mkv.ClusterHeadLen)
	begin := c.Start.UnixNano()
	for _, b := range blocks {
		dst = mkv.AppendSimpleBlock(dst, b.track, int16(milliseconds(b.pts-begin)-p.cluster), b.key, b.data)
	}
	return dst, nil
}

// milliseconds rounds nanoseconds to the nearest millisecond.
func milliseconds(ns int64) int64 { return (ns + int64(time.Millisecond)/2) / int64(time.Millisecond) }
