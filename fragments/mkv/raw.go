package mkv

import (
	"encoding/binary"
	"math"

	"weir/fragments"
	"weir/internal/media"
)

// A raw fragment is what a producer sent: its tags and one cluster with the
// blocks of all tracks. In front of them stands a Void element with the exact
// times of the samples, which Matroska does not tell: it knows when a frame is
// shown, in the scale of the producer and from an origin of its own.
//
//	┌──────────────────────┬────────────────────┬──────────────────────────────────────┐
//	│ Void: timing         │ Tags, as they came │ Cluster: size 8b, rest as it came    │
//	└──────────────────────┴────────────────────┴──────────────────────────────────────┘
//	timing
//	┌───────────┬─────────────────┬──────────────────────────────────────────────────────┐
//	│ WeirR1 6b │ count of tracks │ each: id u · number u · form u · samples u ·         │
//	│           │ u               │ first dts z · each sample: Δduration z · offset z    │
//	└───────────┴─────────────────┴──────────────────────────────────────────────────────┘

// rawMagic begins the Void element of a raw fragment; part of the format.
const rawMagic = "WeirR1"

// Form is how a producer put samples into blocks; part of the format.
type Form uint8

// The forms. All but the first are rewritten when they are read.
const (
	FormPlain  Form = 0 // as package media has them
	FormAnnexB Form = 1 // NAL units behind start codes
	FormNAL1   Form = 2 // NAL units behind lengths of one byte
	FormNAL2   Form = 3 // of two bytes
	FormNAL3   Form = 4 // of three bytes
	FormADTS   Form = 5 // AAC behind an ADTS header
)

// Timing is when a sample is decoded and shown, in ticks.
type Timing struct {
	Duration uint32
	Offset   int32
}

// RawTrack tells how the blocks of one track of a raw fragment are read.
type RawTrack struct {
	ID     media.TrackID
	Number uint64 // in the blocks
	Form   Form
	DTS    media.Ticks // of the first sample
	Times  []Timing    // of the samples, in the order of the blocks
}

// maxRawTracks bounds the tracks of a raw fragment.
const maxRawTracks = media.MaxTracks

// AppendRawTiming appends the timing of a raw fragment.
func AppendRawTiming(dst []byte, tracks []RawTrack) []byte {
	dst, at := openMaster(dst, idVoid)
	dst = append(dst, rawMagic...)
	dst = binary.AppendUvarint(dst, uint64(len(tracks)))
	for i := range tracks {
		t := &tracks[i]
		dst = binary.AppendUvarint(dst, uint64(t.ID))
		dst = binary.AppendUvarint(dst, t.Number)
		dst = binary.AppendUvarint(dst, uint64(t.Form))
		dst = binary.AppendUvarint(dst, uint64(len(t.Times)))
		dst = binary.AppendVarint(dst, int64(t.DTS))
		last := uint32(0)
		for _, x := range t.Times {
			dst = binary.AppendVarint(dst, int64(x.Duration)-int64(last))
			dst = binary.AppendVarint(dst, int64(x.Offset))
			last = x.Duration
		}
	}
	return shutMaster(dst, at)
}

// RawClusterHeadLen is the length of what AppendRawClusterHead appends.
const RawClusterHeadLen = 4 + longSizeLen

// AppendRawClusterHead appends id and size of a cluster with that many bytes
// of content.
func AppendRawClusterHead(dst []byte, size int) []byte {
	return appendLongSize(appendID(dst, idCluster), uint64(size))
}

// RawCluster makes the cluster of a raw fragment out of a Cluster element as it
// came: its size becomes known. Where there is room for that, it is written
// over the element.
func RawCluster(element []byte) ([]byte, error) {
	id, n := takeID(element)
	_, m := takeVint(element[n:])
	if id != idCluster || m == 0 {
		return nil, corrupt("no cluster")
	}
	content := element[n+m:]
	if n+m == RawClusterHeadLen {
		AppendRawClusterHead(element[:0], len(content))
		return element, nil
	}
	return append(AppendRawClusterHead(make([]byte, 0, RawClusterHeadLen+len(content)), len(content)), content...), nil
}

// Raw is a raw fragment taken apart. Its bytes alias the fragment.
type Raw struct {
	Tags    []byte // Tags elements as they came, none or several
	Cluster []byte // the Cluster element, its size known
	timing  []byte
	content int // where the content of the cluster begins in the fragment
}

// Content is what is inside the cluster, as it came.
func (r *Raw) Content() []byte { return r.Cluster[RawClusterHeadLen:] }

// NewRaw is the raw fragment of a timing that AppendRawTiming made, tags, and a
// cluster that begins with what AppendRawClusterHead made.
func NewRaw(timing, tags, cluster []byte) Raw {
	content := len(timing) + len(tags) + RawClusterHeadLen
	return Raw{Tags: tags, Cluster: cluster, timing: timing[voidHeadLen+len(rawMagic):], content: content}
}

// OpenRaw takes a raw fragment apart.
func OpenRaw(body []byte) (Raw, error) {
	id, void, rest, err := takeElement(body)
	if err != nil {
		return Raw{}, err
	}
	if id != idVoid || !isRaw(void) {
		return Raw{}, corrupt("fragment without timing")
	}
	r := Raw{timing: void[len(rawMagic):]}
	tags := rest
	for len(rest) > 0 {
		before := rest
		id, content, after, err := takeElement(rest)
		if err != nil {
			return Raw{}, err
		}
		switch {
		case id == idTags:
		case id == idCluster && len(after) == 0 && len(before)-len(content) == RawClusterHeadLen:
			r.Tags, r.Cluster = tags[:len(tags)-len(before):len(tags)-len(before)], before
			r.content = len(body) - len(content)
			return r, nil
		default:
			return Raw{}, corrupt("element %X in a raw fragment", id)
		}
		rest = after
	}
	return Raw{}, corrupt("raw fragment without cluster")
}

// isRaw tells whether the content of a Void element is a raw timing.
func isRaw(void []byte) bool {
	return len(void) >= len(rawMagic) && string(void[:len(rawMagic)]) == rawMagic
}

// rawTiming reads the times of one track.
type rawTiming struct {
	timing
	number uint64
	form   Form
}

// find goes to the times of a track; ok is false if there are none.
func (r *Raw) find(id media.TrackID) (out rawTiming, ok bool, err error) {
	t := timing{b: r.timing}
	n := t.unsigned()
	if t.bad || n > maxRawTracks {
		return out, false, corrupt("timing of %d tracks", n)
	}
	for range n {
		own := t.unsigned()
		out.number, out.form = t.unsigned(), Form(t.unsigned())
		count := t.unsigned()
		t.dts = media.Ticks(t.signed())
		if t.bad || count > MaxRunSamples || count > uint64(len(t.b)/2) {
			return out, false, corrupt("timing of %d samples in %d bytes", count, len(t.b))
		}
		if own == uint64(id) {
			t.left, t.track = int(count), out.number
			out.timing = t
			return out, true, nil
		}
		for range 2 * count {
			t.signed()
		}
		if t.bad {
			return out, false, corrupt("timing is cut short")
		}
	}
	return out, false, nil
}

// next takes the times of the next sample.
func (t *rawTiming) next() (fragments.Sample, error) {
	if t.left == 0 {
		return fragments.Sample{}, corrupt("block that its timing does not tell of")
	}
	t.left--
	t.duration += t.signed()
	s := fragments.Sample{DTS: t.dts, Duration: uint32(t.duration), Offset: int32(t.signed())}
	if t.bad || t.duration < 0 || t.duration > math.MaxUint32 {
		return s, corrupt("timing is cut short")
	}
	t.dts += media.Ticks(t.duration)
	return s, nil
}

// Walk calls fn with each sample of a track; Pos is that of its block. The
// data of samples that are as package media has them alias the fragment. An
// error of fn ends the walk and is returned as it is.
func (r *Raw) Walk(id media.TrackID, fn func(fragments.Sample) error) error {
	t, ok, err := r.find(id)
	if err != nil || !ok {
		return err
	}
	content := r.Content()
	for b := content; len(b) > 0; {
		kind, body, rest, err := takeElement(b)
		if err != nil {
			return err
		}
		b = rest
		if kind != idSimpleBlock && kind != idBlockGroup {
			continue
		}
		end := r.content + len(content) - len(rest)
		if err := t.block(kind, body, end, fn); err != nil {
			return err
		}
	}
	if t.left != 0 {
		return corrupt("%d blocks are missing", t.left)
	}
	return nil
}

// block gives the samples of a block whose content ends at index end of the
// fragment, if they are of the track.
func (t *rawTiming) block(kind uint32, body []byte, end int, fn func(fragments.Sample) error) error {
	parse := parseSimpleBlock
	if kind == idBlockGroup {
		parse = parseBlockGroup
	}
	e, err := parse(body, 0, 0)
	if err != nil {
		return err
	}
	block := e.(Block)
	if block.Track != t.number {
		return nil
	}
	for _, frame := range block.Frames {
		s, err := t.next()
		if err != nil {
			return err
		}
		s.Key = block.Key
		s.Pos = int64(end - len(body))
		s.Data = t.form.plain(frame)
		s.Size = len(s.Data)
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

// WalkTrack calls fn with each sample of a track in a run of a chunk: its
// parts, or the raw fragment that it shares with other tracks.
func WalkTrack(run []byte, id media.TrackID, fn func(fragments.Sample) error) error {
	kind, void, _, err := takeElement(run)
	if len(run) == 0 || err != nil || kind != idVoid || !isRaw(void) {
		return WalkRun(run, fn)
	}
	raw, err := OpenRaw(run)
	if err != nil {
		return err
	}
	return raw.Walk(id, fn)
}
