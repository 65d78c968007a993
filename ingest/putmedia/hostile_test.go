package putmedia_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/fragments/mkv"
	"weir/internal/media"
)

// doc builds bodies out of good and bad parts.
type doc struct{ bytes.Buffer }

// at is the time code of the first cluster.
const at = uint64(1_795_448_970_000)

func (d *doc) head(tracks int) *doc {
	var list []media.Track
	for i := range tracks {
		list = append(list, media.Track{ID: media.TrackID(i + 1), Codec: media.Opaque, CodecID: "D_TEST", Timescale: 1000})
	}
	b, err := mkv.AppendInit(nil, list)
	if err != nil {
		panic(err) // our own tracks
	}
	d.Write(b)
	return d
}

func (d *doc) tags(tags ...mkv.SimpleTag) *doc {
	d.Write(mkv.AppendTags(nil, tags...))
	return d
}

func (d *doc) cluster(timecode uint64) *doc {
	d.Write([]byte{0x1F, 0x43, 0xB6, 0x75, 0xFF})
	d.Write(mkv.AppendCluster(nil, timecode, 0)[mkv.RawClusterHeadLen:])
	return d
}

func (d *doc) block(track uint64, relative int16, size int) *doc {
	d.Write(mkv.AppendSimpleBlock(nil, track, relative, true, bytes.Repeat([]byte{7}, size)))
	return d
}

func (d *doc) raw(b ...byte) *doc {
	d.Write(b)
	return d
}

// TestHostile has what producers may not do, with the error that each is
// answered with. After each the fragments acknowledged before are there, and
// the stream takes the next producer.
func TestHostile(t *testing.T) {
	manyTags := make([]mkv.SimpleTag, 11)
	for i := range manyTags {
		manyTags[i] = mkv.SimpleTag{Name: fmt.Sprint("t", i), Value: "x"}
	}
	long := strings.Repeat("n", 129)
	for name, c := range map[string]struct {
		body *doc
		code string // of the last ack; "" for none
		id   int
		good int // fragments that stay
	}{
		"orderly": {new(doc).head(2).cluster(at).block(1, 0, 9).block(2, 5, 9).cluster(at+1000).block(1, 0, 9).block(2, 5, 9), "", 0, 2},
		"track not declared": {new(doc).head(1).cluster(at).block(1, 0, 9).cluster(at+1000).block(1, 0, 9).block(9, 5, 9),
			"TRACK_NUMBER_MISMATCH", 4010, 1},
		"no frame of a track": {new(doc).head(2).cluster(at).block(1, 0, 9).block(2, 0, 9).cluster(at+1000).block(1, 0, 9),
			"FRAMES_MISSING_FOR_TRACK", 4011, 1},
		"no frame at all":    {new(doc).head(1).cluster(at).cluster(at+1000).block(1, 0, 9), "FRAMES_MISSING_FOR_TRACK", 4011, 0},
		"time goes back":     {new(doc).head(1).cluster(at).block(1, 0, 9).cluster(at-1).block(1, 0, 9), "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS", 4004, 1},
		"time out of bounds": {new(doc).head(1).cluster(1<<61).block(1, 0, 9), "INVALID_PRODUCER_TIMESTAMP", 4007, 0},
		"four tracks":        {new(doc).head(4).cluster(at).block(1, 0, 9), "MORE_THAN_ALLOWED_TRACKS_FOUND", 4012, 0},
		"longer than 20 s":   {new(doc).head(1).cluster(at).block(1, 0, 9).block(1, 20_001, 9), "MAX_FRAGMENT_DURATION_REACHED", 4002, 0},
		"two segments": {new(doc).head(1).cluster(at).block(1, 0, 9).raw(0x18, 0x53, 0x80, 0x67, 0xFF),
			"INVALID_MKV_DATA", 4006, 1},
		"two documents":         {new(doc).head(1).cluster(at).block(1, 0, 9).head(1), "INVALID_MKV_DATA", 4006, 1},
		"cut within an element": {new(doc).head(1).cluster(at).block(1, 0, 9).cluster(at+1000).raw(0xA3, 0x8F, 0x81, 0), "INVALID_MKV_DATA", 4006, 1},
		"no Matroska":           {new(doc).raw([]byte("GET / HTTP/1.1\r\n\r\n")...), "INVALID_MKV_DATA", 4006, 0},
		"cluster before tracks": {new(doc).raw(mkv.AppendEBML(nil)...).raw(0x18, 0x53, 0x80, 0x67, 0xFF).cluster(at), "INVALID_MKV_DATA", 4006, 0},
		"block of 1 GiB":        {new(doc).head(1).cluster(at).block(1, 0, 9).raw(0xA3, 0x08, 0x40, 0, 0, 0, 0x81, 0, 0, 0), "INVALID_MKV_DATA", 4006, 0},
		"fragment over 50 MB": {new(doc).head(1).cluster(at).block(1, 0, 9).cluster(at+1000).block(1, 0, 26<<20).block(1, 5, 26<<20),
			"MAX_FRAGMENT_SIZE_REACHED", 4001, 1},
		"void of 40 MB twice": {new(doc).head(1).cluster(at).block(1, 0, 9).raw(void(40 << 20)...).raw(void(40 << 20)...),
			"MAX_FRAGMENT_SIZE_REACHED", 4001, 0},
		"eleven tags":    {new(doc).head(1).tags(manyTags...).cluster(at).block(1, 0, 9), "FRAGMENT_METADATA_LIMIT_REACHED", 4009, 0},
		"ten tags":       {new(doc).head(1).tags(manyTags[:10]...).cluster(at).block(1, 0, 9), "", 0, 1},
		"long tag name":  {new(doc).head(1).tags(mkv.SimpleTag{Name: long, Value: "x"}).cluster(at).block(1, 0, 9), "FRAGMENT_METADATA_LIMIT_REACHED", 4009, 0},
		"long tag value": {new(doc).head(1).tags(mkv.SimpleTag{Name: "n", Value: long + long}).cluster(at).block(1, 0, 9), "FRAGMENT_METADATA_LIMIT_REACHED", 4009, 0},
		"reserved tag":   {new(doc).head(1).tags(mkv.SimpleTag{Name: "AWS_MINE", Value: "x"}).cluster(at).block(1, 0, 9), "FRAGMENT_METADATA_LIMIT_REACHED", 4009, 0},
		"notification":   {new(doc).head(1).tags(mkv.SimpleTag{Name: "AWS_KINESISVIDEO_NOTIFICATION", Value: ""}).cluster(at).block(1, 0, 9), "", 0, 1},
		"end of fragment": {new(doc).head(1).cluster(at).block(1, 0, 9).tags(mkv.SimpleTag{Name: "AWS_KINESISVIDEO_END_OF_FRAGMENT", Value: ""}),
			"", 0, 1},
		"laced with garbage": {new(doc).head(1).cluster(at).raw(0xA3, 0x87, 0x81, 0, 0, 0x02, 1, 200, 0), "INVALID_MKV_DATA", 4006, 0},
		"nothing":            {new(doc), "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, false)
			acks := r.put(t, bytes.NewReader(c.body.Bytes()))
			last := ack{}
			if len(acks) > 0 && acks[len(acks)-1].EventType == "ERROR" {
				last = acks[len(acks)-1]
			}
			if last.ErrorCode != c.code || last.ErrorID != c.id {
				t.Errorf("answered %+v, want %s", acks, c.code)
			}
			if fs, _ := r.fragments(t); len(fs) != c.good {
				t.Errorf("%d fragments are stored, want %d", len(fs), c.good)
			}
			next := new(doc).head(1).cluster(at+60_000).block(1, 0, 9)
			if acks := r.put(t, next); len(acks) != 3 || acks[2].EventType != "PERSISTED" {
				t.Errorf("the next producer is answered %+v", acks)
			}
		})
	}
}

// void is a Void element of that size.
func void(n int) []byte {
	b := append(make([]byte, 0, n+9), 0xEC)
	b = binary.BigEndian.AppendUint64(b, 1<<56|uint64(n))
	return b[:len(b)+n]
}

// TestRelative holds that relative time codes count from the start that the
// producer tells.
func TestRelative(t *testing.T) {
	r := newRig(t, nil, false)
	body := new(doc).head(1).cluster(0).block(1, 0, 9).cluster(2000).block(1, 0, 9)
	answer, err := r.server.Client().Do(r.request(t, body, "RELATIVE"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	acks := readAcks(t, answer.Body)
	fs, _ := r.fragments(t)
	if len(fs) != 2 || len(acks) != 6 || acks[3].FragmentTimecode != 2000 {
		t.Fatalf("%d fragments, %+v", len(fs), acks)
	}
	start := time.UnixMilli(1_795_448_970_954)
	if got := time.Unix(0, fs[1].Start); !got.Equal(start.Add(2 * time.Second)) {
		t.Errorf("the second fragment starts at %v", got.UTC())
	}
}
