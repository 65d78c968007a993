package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"weir/datastreams/shardlog/segment"
)

// text is the content of a record: it follows from shard and offset.
func text(shard, offset uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d/%d ", shard, offset*2654435761), int(offset%17))
}

// file makes a file with records of some shards, and a hole in each.
func file(tb testing.TB, covers segment.Range, shards, records uint64) []byte {
	tb.Helper()
	w, err := segment.NewWriter()
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if err := w.Reset(&out, 42, covers); err != nil {
		tb.Fatal(err)
	}
	for s := range shards {
		for o := range records {
			if o == records/2 {
				continue
			}
			if err := w.Add(s, o, int64(1000+o), text(s, o)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	size, err := w.Finish()
	if err != nil || size != int64(out.Len()) {
		tb.Fatalf("finish: %d bytes of %d, %v", size, out.Len(), err)
	}
	return out.Bytes()
}

// contents reads a file as a text, and tells how many blocks are damaged.
func contents(tb testing.TB, data []byte) (x *segment.Index, text string, damaged int) {
	tb.Helper()
	x, err := segment.ReadIndex(bytes.NewReader(data), int64(len(data)), 0)
	if err != nil {
		tb.Fatalf("read index: %v", err)
	}
	d, err := segment.NewDecoder()
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	for i := range x.Blocks {
		b := &x.Blocks[i]
		stored := bytes.Clone(data[b.Data():][:b.Stored])
		if _, err := b.Mend(stored); err != nil {
			if !errors.Is(err, segment.ErrDamaged) {
				tb.Fatal(err)
			}
			damaged++
			continue
		}
		recs, err := d.Decode(b, stored)
		if err != nil {
			tb.Fatalf("block at %d: %v", b.Pos, err)
		}
		for i := range recs.Len() {
			ms, data := recs.At(i)
			fmt.Fprintf(&out, "%d %d %d %s\n", b.Shard, recs.First+uint64(i), ms, data)
		}
	}
	return x, out.String(), damaged
}

func TestRoundTrip(t *testing.T) {
	data := file(t, segment.Range{From: 7, To: 99}, 3, 2000)
	x, got, damaged := contents(t, data)
	var want bytes.Buffer
	for s := range uint64(3) {
		for o := range uint64(2000) {
			if o != 1000 {
				fmt.Fprintf(&want, "%d %d %d %s\n", s, o, 1000+o, text(s, o))
			}
		}
	}
	if got != want.String() || damaged > 0 {
		t.Errorf("%d bytes come back of %d, %d blocks are damaged", len(got), want.Len(), damaged)
	}
	if x.Covers != (segment.Range{From: 7, To: 99}) || x.Oldest() != 1000 || x.Newest() != 2999 || x.Repaired || x.Searched {
		t.Errorf("the index reads %+v", x.Covers)
	}
	if len(data) > len(got)/4 {
		t.Errorf("%d bytes of text take %d", len(got), len(data))
	}
}

// TestEveryByteFlipped flips one bit in every byte: everything still reads.
func TestEveryByteFlipped(t *testing.T) {
	data := file(t, segment.Range{From: 1, To: 60}, 3, 20)
	_, want, _ := contents(t, data)
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		if _, got, damaged := contents(t, bad); got != want || damaged > 0 {
			t.Fatalf("byte %d: something is lost, %d blocks are damaged", at, damaged)
		}
	}
}

// TestLargerDamage overwrites every piece of a file in turn: at most the
// blocks that it touches are lost.
func TestLargerDamage(t *testing.T) {
	data := file(t, segment.Range{}, 6, 40)
	whole, _, _ := contents(t, data)
	const piece = 24
	for at := 0; at+piece <= len(data); at += 7 {
		bad := bytes.Clone(data)
		for i := range piece {
			bad[at+i] ^= 0xa5
		}
		hit := 0
		for _, b := range whole.Blocks {
			if b.Pos < int64(at+piece) && int64(at) < b.Pos+b.Len() {
				hit++
			}
		}
		x, _, damaged := contents(t, bad)
		if lost := len(whole.Blocks) - len(x.Blocks) + damaged; lost > hit {
			t.Errorf("bytes from %d on: %d blocks are lost, %d were hit", at, lost, hit)
		}
		if index := int64(at+piece) > int64(len(data))-segment.IndexLen(len(whole.Blocks)); index != x.Searched {
			t.Errorf("bytes from %d on: the blocks were looked for: %t", at, x.Searched)
		}
	}
}

func TestBlocksMove(t *testing.T) {
	data := file(t, segment.Range{From: 1, To: 2}, 2, 3000)
	from, _, _ := contents(t, data)
	w, err := segment.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := w.Reset(&out, 77, segment.Range{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range from.Blocks {
		if b.Shard == 1 {
			if err := w.AddBlock(b, data[b.Data():][:b.Stored]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	_, all, _ := contents(t, data)
	_, got, _ := contents(t, out.Bytes())
	if want := all[bytes.Index([]byte(all), []byte("\n1 0 "))+1:]; got != want {
		t.Errorf("%d bytes of records moved, want %d", len(got), len(want))
	}
}

func FuzzIndex(f *testing.F) {
	for _, n := range []uint64{2, 20} {
		data := file(f, segment.Range{From: 1, To: 2}, n, n)
		f.Add(data)
		bad := bytes.Clone(data)
		bad[len(bad)-1] ^= 0xff
		bad[len(bad)-20] ^= 0xff
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := segment.ReadIndex(bytes.NewReader(data), int64(len(data)), 100)
		if err != nil {
			return
		}
		d, err := segment.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.Blocks {
			b := &x.Blocks[i]
			stored := bytes.Clone(data[b.Data():][:b.Stored])
			if _, err := b.Mend(stored); err == nil {
				if recs, err := d.Decode(b, stored); err == nil && recs.Len() != int(b.Count) {
					t.Errorf("a block of %d records has %d", b.Count, recs.Len())
				}
			}
		}
	})
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte{0, 3, 'a', 'b', 'c', 5, 0}, uint32(2), uint32(7), uint32(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}, uint32(1), uint32(11), uint32(0))
	f.Fuzz(func(t *testing.T, stored []byte, count, raw, codec uint32) {
		d, err := segment.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		b := &segment.Block{Count: count, Raw: min(raw, segment.MaxRaw), Stored: uint32(len(stored)), Codec: codec % 2, Newest: 100}
		recs, err := d.Decode(b, stored)
		if err != nil {
			return
		}
		for i := range recs.Len() {
			if ms, data := recs.At(i); ms > 100 || len(data) > int(b.Raw) {
				t.Errorf("record %d is of %d and has %d bytes", i, ms, len(data))
			}
		}
	})
}

func BenchmarkMend(b *testing.B) {
	w, err := segment.NewWriter()
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := w.Reset(&out, 1, segment.Range{}); err != nil {
		b.Fatal(err)
	}
	big := make([]byte, 60<<10)
	for i := range big {
		big[i] = byte(i * i >> 7 * 31)
	}
	if err := w.Add(1, 0, 0, big); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	block := w.Blocks()[0]
	stored := out.Bytes()[block.Data():][:block.Stored]
	for b.Loop() {
		stored[0] ^= 1
		if _, err := block.Mend(stored); err != nil {
			b.Fatal(err)
		}
	}
}
