// Package objectstest is the conformance suite of objects.Store: every store
// passes it, whatever it is made of.
//
// It is for tests only; nothing of it is linked into the product.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/internal/objects"
)

// Large is the size of the largest object of the suite: a store that uploads
// in parts should do so well below it.
const Large = 24 << 20

// Run tests the store that open returns; it is empty and opened once.
func Run(t *testing.T, open func(t *testing.T) objects.Store) {
	s := open(t)
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"missing", (*suite).missing},
		{"put", (*suite).put},
		{"overwrite", (*suite).overwrite},
		{"ranges", (*suite).ranges},
		{"empty", (*suite).empty},
		{"conditions", (*suite).conditions},
		{"race", (*suite).race},
		{"large", (*suite).large},
		{"list", (*suite).list},
		{"keys", (*suite).keys},
		{"body", (*suite).body},
		{"context", (*suite).context},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&suite{T: t, ctx: t.Context(), store: s, prefix: "test/" + c.name + "/"})
		})
	}
}

// suite is one test of the suite; its keys lie below prefix.
type suite struct {
	*testing.T
	ctx    context.Context
	store  objects.Store
	prefix string
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) mustBe(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got error %v, want %v", err, want)
	}
}

// Bytes returns n bytes that a seed determines.
func Bytes(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := range 8 {
			data[i+j] = byte(v >> (8 * j))
		}
	}
	return data[:n]
}

func (s *suite) store1(key string, data []byte, opts objects.PutOptions) objects.Info {
	s.Helper()
	info, err := s.store.Put(s.ctx, key, bytes.NewReader(data), int64(len(data)), opts)
	s.must(err)
	s.wantInfo(info, key, data)
	return info
}

func (s *suite) wantInfo(info objects.Info, key string, data []byte) {
	s.Helper()
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if info.Key != key || info.Size != int64(len(data)) || info.ETag == "" || info.Modified.IsZero() {
		s.Fatalf("info is %+v, want key %s, %d bytes, an ETag and a time", info, key, len(data))
	}
	if !info.HasCRC || info.CRC32C != sum {
		s.Fatalf("CRC32C is %08x (%t), want %08x", info.CRC32C, info.HasCRC, sum)
	}
}

func (s *suite) read(key string, off, n int64) ([]byte, objects.Info, error) {
	r, info, err := s.store.Get(s.ctx, key, off, n)
	if err != nil {
		return nil, info, err
	}
	data, err := io.ReadAll(r)
	return data, info, errors.Join(err, r.Close())
}

func (s *suite) wantData(key string, want []byte) {
	s.Helper()
	data, info, err := s.read(key, 0, -1)
	s.must(err)
	if !bytes.Equal(data, want) {
		s.Fatalf("%s holds %d other bytes, want %d", key, len(data), len(want))
	}
	s.wantInfo(info, key, want)
}

func (s *suite) missing() {
	key := s.prefix + "nothing"
	_, _, err := s.read(key, 0, -1)
	s.mustBe(err, objects.ErrNotFound)
	_, _, err = s.read(key, -16, -1)
	s.mustBe(err, objects.ErrNotFound)
	_, err = s.store.Stat(s.ctx, key)
	s.mustBe(err, objects.ErrNotFound)
	s.must(s.store.Delete(s.ctx, key))
	for info, err := range s.store.List(s.ctx, s.prefix, "") {
		s.Fatalf("an empty prefix lists %+v, %v", info, err)
	}
}

func (s *suite) put() {
	key, data := s.prefix+"a/b=1/c.d-e_f.mp4", Bytes(100_000, 1)
	put := s.store1(key, data, objects.PutOptions{})
	s.wantData(key, data)
	info, err := s.store.Stat(s.ctx, key)
	s.must(err)
	s.wantInfo(info, key, data)
	if info.ETag != put.ETag {
		s.Fatalf("ETag was %s, is %s", put.ETag, info.ETag)
	}
	s.must(s.store.Delete(s.ctx, key))
	_, err = s.store.Stat(s.ctx, key)
	s.mustBe(err, objects.ErrNotFound)
	s.must(s.store.Delete(s.ctx, key))
	s.store1(key, data, objects.PutOptions{IfAbsent: true})
}

func (s *suite) overwrite() {
	key := s.prefix + "a"
	old := s.store1(key, Bytes(5000, 1), objects.PutOptions{})
	r, _, err := s.store.Get(s.ctx, key, 0, -1)
	s.must(err)
	now := s.store1(key, Bytes(300, 2), objects.PutOptions{})
	if old.ETag == now.ETag {
		s.Fatal("two versions have one ETag")
	}
	s.wantData(key, Bytes(300, 2))
	data, err := io.ReadAll(r)
	r.Close()
	if err == nil && !bytes.Equal(data, Bytes(5000, 1)) {
		s.Fatal("a reader of the old version saw other bytes")
	}
}

func (s *suite) ranges() {
	key, data := s.prefix+"a", Bytes(10_000, 3)
	s.store1(key, data, objects.PutOptions{})
	for _, c := range []struct {
		off, n int64
		want   []byte
	}{
		{0, 10, data[:10]},
		{100, 1, data[100:101]},
		{9_990, 100, data[9_990:]},
		{9_999, -1, data[9_999:]},
		{5_000, -1, data[5_000:]},
		{0, 10_000, data},
		{0, 20_000, data},
		{-16, -1, data[9_984:]},
		{-16, 4, data[9_984:9_988]},
		{-20_000, -1, data},
		{7, 0, nil},
	} {
		got, info, err := s.read(key, c.off, c.n)
		if err != nil || !bytes.Equal(got, c.want) {
			s.Errorf("Get(%d, %d) gave %d bytes, %v; want %d", c.off, c.n, len(got), err, len(c.want))
			continue
		}
		s.wantInfo(info, key, data)
	}
	for _, off := range []int64{10_000, 10_001, 1 << 40} {
		_, _, err := s.read(key, off, -1)
		s.mustBe(err, objects.ErrRange)
		_, _, err = s.read(key, off, 5)
		s.mustBe(err, objects.ErrRange)
	}
}

func (s *suite) empty() {
	key := s.prefix + "a"
	s.store1(key, nil, objects.PutOptions{})
	s.wantData(key, nil)
	for _, r := range [][2]int64{{0, 5}, {-5, -1}, {-5, 2}, {0, 0}} {
		data, _, err := s.read(key, r[0], r[1])
		if err != nil || len(data) > 0 {
			s.Errorf("Get(%d, %d) of nothing gave %d bytes, %v", r[0], r[1], len(data), err)
		}
	}
	_, _, err := s.read(key, 1, -1)
	s.mustBe(err, objects.ErrRange)
}

func (s *suite) conditions() {
	key, one, two := s.prefix+"a", Bytes(100, 1), Bytes(100, 2)
	put := func(data []byte, opts objects.PutOptions) error {
		_, err := s.store.Put(s.ctx, key, bytes.NewReader(data), int64(len(data)), opts)
		return err
	}
	s.mustBe(put(one, objects.PutOptions{IfMatch: "0123456789abcdef0123456789abcdef"}), objects.ErrChanged)
	first := s.store1(key, one, objects.PutOptions{IfAbsent: true})
	s.mustBe(put(two, objects.PutOptions{IfAbsent: true}), objects.ErrExists)
	s.wantData(key, one)
	second := s.store1(key, two, objects.PutOptions{IfMatch: first.ETag})
	s.mustBe(put(one, objects.PutOptions{IfMatch: first.ETag}), objects.ErrChanged)
	s.wantData(key, two)
	s.store1(key, one, objects.PutOptions{IfMatch: second.ETag})
}

// race lets writers fight for a key: exactly one wins.
func (s *suite) race() {
	key := s.prefix + "a"
	const writers = 8
	results := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			data := Bytes(1000, uint64(i))
			_, results[i] = s.store.Put(s.ctx, key, bytes.NewReader(data), 1000, objects.PutOptions{IfAbsent: true})
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range results {
		switch {
		case err == nil && winner >= 0:
			s.Fatal("two writers won")
		case err == nil:
			winner = i
		case !errors.Is(err, objects.ErrExists):
			s.Fatal(err)
		}
	}
	if winner < 0 {
		s.Fatal("no writer won")
	}
	s.wantData(key, Bytes(1000, uint64(winner)))
}

func (s *suite) large() {
	key, data := s.prefix+"a", Bytes(Large+123, 4)
	s.store1(key, data, objects.PutOptions{IfAbsent: true})
	s.wantData(key, data)
	got, _, err := s.read(key, Large-5, 100)
	s.must(err)
	if !bytes.Equal(got, data[Large-5:Large+95]) {
		s.Fatal("a range of a large object has other bytes")
	}
	_, err = s.store.Put(s.ctx, key, bytes.NewReader(data), int64(len(data)), objects.PutOptions{IfAbsent: true})
	s.mustBe(err, objects.ErrExists)
	s.must(s.store.Delete(s.ctx, key))
}

func (s *suite) list() {
	// In the order of keys, which is not that of directories.
	names := []string{
		"a-b", "a.b", "a/a", "a/b/c", "a/c", "a0", "aa/b", "b=1/x", "c", "d/1", "d/2", "d/3",
	}
	for i := len(names) - 1; i >= 0; i-- {
		s.store1(s.prefix+names[i], Bytes(i, 5), objects.PutOptions{})
	}
	for _, c := range []struct{ prefix, after, want string }{
		{"", "", strings.Join(names, " ")},
		{"a", "", "a-b a.b a/a a/b/c a/c a0 aa/b"},
		{"a/", "", "a/a a/b/c a/c"},
		{"a/", "a/a", "a/b/c a/c"},
		{"a/", "a/b/", "a/b/c a/c"},
		{"a/", "a/b/c", "a/c"},
		{"", "a/b/c", "a/c a0 aa/b b=1/x c d/1 d/2 d/3"},
		{"", "a0", "aa/b b=1/x c d/1 d/2 d/3"},
		{"d/2", "", "d/2"},
		{"d", "d/2", "d/3"},
		{"x", "", ""},
		{"", "zzz", ""},
		{"a/b/c/d/", "", ""},
	} {
		after := ""
		if c.after != "" {
			after = s.prefix + c.after
		}
		var got []string
		for info, err := range s.store.List(s.ctx, s.prefix+c.prefix, after) {
			s.must(err)
			got = append(got, strings.TrimPrefix(info.Key, s.prefix))
			if info.ETag == "" || info.Modified.IsZero() {
				s.Fatalf("listed %+v without ETag or time", info)
			}
		}
		if strings.Join(got, " ") != c.want {
			s.Errorf("List(%q, after %q) gave %v, want %s", c.prefix, c.after, got, c.want)
		}
	}
	for info, err := range s.store.List(s.ctx, s.prefix, "") {
		s.must(err)
		stat, err := s.store.Stat(s.ctx, info.Key)
		s.must(err)
		if stat.Size != info.Size || stat.ETag != info.ETag {
			s.Errorf("listed %+v, stat says %+v", info, stat)
		}
		break // a caller may stop at any time
	}
}

func (s *suite) keys() {
	for _, key := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/../../b", "a/./b", "A", "a b",
		"a\\b", "a\x00b", "a~crc", "~tmp/a", "é", "-a", "_a", "a/" + strings.Repeat("x", 201),
		strings.Repeat("abc/", 300) + "a", "a?b", "a%2fb", "a\nb",
	} {
		_, err := s.store.Put(s.ctx, key, strings.NewReader("x"), 1, objects.PutOptions{})
		s.mustBe(err, objects.ErrBadKey)
		_, _, err = s.store.Get(s.ctx, key, 0, -1)
		s.mustBe(err, objects.ErrBadKey)
		_, err = s.store.Stat(s.ctx, key)
		s.mustBe(err, objects.ErrBadKey)
		s.mustBe(s.store.Delete(s.ctx, key), objects.ErrBadKey)
	}
	for _, err := range s.store.List(s.ctx, "../", "") {
		s.mustBe(err, objects.ErrBadKey)
	}
}

// brokenBody fails behind good bytes.
type brokenBody struct{ good int64 }

var errBroken = errors.New("disk of the caller is broken")

func (b brokenBody) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.good {
		return int(max(0, b.good-off)), errBroken
	}
	return len(p), nil
}

// body hands in bodies that are shorter than announced, or cannot be read:
// nothing is stored.
func (s *suite) body() {
	key := s.prefix + "a"
	_, err := s.store.Put(s.ctx, key, bytes.NewReader(Bytes(10, 1)), 20, objects.PutOptions{})
	if err == nil {
		s.Fatal("a short body was stored")
	}
	_, err = s.store.Put(s.ctx, key, brokenBody{good: 500}, 1000, objects.PutOptions{})
	s.mustBe(err, errBroken)
	_, err = s.store.Stat(s.ctx, key)
	s.mustBe(err, objects.ErrNotFound)
}

func (s *suite) context() {
	ctx, cancel := context.WithCancelCause(s.ctx)
	cancel(fmt.Errorf("enough"))
	key := s.prefix + "a"
	_, err := s.store.Put(ctx, key, bytes.NewReader(Bytes(10, 1)), 10, objects.PutOptions{})
	s.mustBe(err, context.Canceled)
	_, err = s.store.Stat(ctx, key)
	s.mustBe(err, context.Canceled)
	_, _, err = s.store.Get(ctx, key, 0, -1)
	s.mustBe(err, context.Canceled)
	s.mustBe(s.store.Delete(ctx, key), context.Canceled)
	for _, err := range s.store.List(ctx, s.prefix, "") {
		s.mustBe(err, context.Canceled)
	}
}
