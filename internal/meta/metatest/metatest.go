// Package metatest is the conformance suite of meta.Store.
//
// It is for tests only; nothing of it is linked into the product.
package metatest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"weir/internal/meta"
)

// Run tests stores that open returns, each empty.
func Run(t *testing.T, open func(t *testing.T) meta.Store) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"values", (*suite).values},
		{"expectations", (*suite).expectations},
		{"batches", (*suite).batches},
		{"scan", (*suite).scan},
		{"moment", (*suite).moment},
		{"counter", (*suite).counter},
		{"limits", (*suite).limits},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&suite{T: t, store: open(t)}) })
	}
}

type suite struct {
	*testing.T
	store meta.Store
}

func (s *suite) commit(ops ...meta.Op) {
	s.Helper()
	if err := s.store.Commit(ops...); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) refuse(want error, ops ...meta.Op) {
	s.Helper()
	if err := s.store.Commit(ops...); !errors.Is(err, want) {
		s.Fatalf("commit gave %v, want %v", err, want)
	}
}

func (s *suite) want(key, value string) meta.Revision {
	s.Helper()
	e, err := s.store.Get(key)
	if err != nil || string(e.Value) != value || e.Key != key || e.Revision == 0 {
		s.Fatalf("%q holds %+v, %v; want %q", key, e, err, value)
	}
	return e.Revision
}

func (s *suite) absent(key string) {
	s.Helper()
	if e, err := s.store.Get(key); !errors.Is(err, meta.ErrNotFound) {
		s.Fatalf("%q holds %+v, %v", key, e, err)
	}
}

func set(key, value string, expect meta.Revision) meta.Op {
	return meta.Op{Key: key, Value: []byte(value), Expect: expect}
}

func (s *suite) values() {
	s.absent("a")
	s.commit(set("a", "one", meta.Any))
	first := s.want("a", "one")
	s.commit(set("a", "", meta.Any))
	if second := s.want("a", ""); second <= first {
		s.Fatalf("revision went from %d to %d", first, second)
	}
	s.commit(meta.Op{Key: "a", Expect: meta.Any}, meta.Op{Key: "b", Expect: meta.Any})
	s.absent("a")
	s.commit(set("k\x00\xff", "\x00\xff", meta.Any))
	s.want("k\x00\xff", "\x00\xff")
	s.commit()
}

func (s *suite) expectations() {
	s.commit(set("a", "1", 0))
	first := s.want("a", "1")
	s.refuse(meta.ErrConflict, set("a", "2", 0))
	s.refuse(meta.ErrConflict, set("a", "2", first+1000))
	s.commit(set("a", "2", first))
	second := s.want("a", "2")
	s.refuse(meta.ErrConflict, set("a", "3", first))
	s.refuse(meta.ErrConflict, meta.Op{Key: "a", Expect: first})
	s.commit(meta.Op{Key: "a", Expect: second})
	s.refuse(meta.ErrConflict, set("a", "4", second))
	s.commit(set("a", "5", 0))
	if third := s.want("a", "5"); third <= second {
		s.Fatalf("a deleted key came back with revision %d after %d", third, second)
	}
}

func (s *suite) batches() {
	s.commit(set("a", "1", 0), set("b", "1", 0))
	s.refuse(meta.ErrConflict, set("a", "2", meta.Any), set("b", "2", 0), set("c", "2", 0))
	s.want("a", "1")
	s.want("b", "1")
	s.absent("c")
}

func (s *suite) keys(start, end string, reverse bool) string {
	s.Helper()
	var keys []string
	for e, err := range s.store.Scan(start, end, reverse) {
		if err != nil {
			s.Fatal(err)
		}
		if !bytes.Equal(e.Value, []byte("v"+e.Key)) || e.Revision == 0 {
			s.Fatalf("scan yields %+v", e)
		}
		keys = append(keys, e.Key)
	}
	return strings.Join(keys, " ")
}

func (s *suite) scan() {
	for _, key := range []string{"b", "a/2", "c", "a/1", "a", "a/10", "a0", "\xff\xff"} {
		s.commit(set(key, "v"+key, 0))
	}
	for _, c := range []struct {
		start, end string
		reverse    bool
		want       string
	}{
		{"", "", false, "a a/1 a/10 a/2 a0 b c \xff\xff"},
		{"", "", true, "\xff\xff c b a0 a/2 a/10 a/1 a"},
		{"a/", meta.PrefixEnd("a/"), false, "a/1 a/10 a/2"},
		{"a/", meta.PrefixEnd("a/"), true, "a/2 a/10 a/1"},
		{"a/1", "a/10", false, "a/1"},
		{"a/11", "b", true, "a0 a/2"},
		{"b", "b", false, ""},
		{"c", "b", false, ""},
		{"d", "e", true, ""},
		{"\xff", meta.PrefixEnd("\xff"), false, "\xff\xff"},
	} {
		if got := s.keys(c.start, c.end, c.reverse); got != c.want {
			s.Errorf("Scan(%q, %q, %t) gave %q, want %q", c.start, c.end, c.reverse, got, c.want)
		}
	}
	for range s.store.Scan("", "", false) {
		break // a caller may stop at any time
	}
}

// moment changes the store during a scan: the scan does not notice.
func (s *suite) moment() {
	for i := range 100 {
		key := fmt.Sprintf("%03d", i)
		s.commit(set(key, "v"+key, 0))
	}
	count := 0
	for e, err := range s.store.Scan("", "", false) {
		if err != nil {
			s.Fatal(err)
		}
		if count++; count == 1 {
			s.commit(meta.Op{Key: "050", Expect: meta.Any}, set("0505", "new", 0))
		}
		if e.Key == "0505" {
			s.Fatal("a scan met a key that came later")
		}
	}
	if count != 100 {
		s.Fatalf("scan yielded %d entries, want 100", count)
	}
}

// counter adds to a number from many sides: no addition is lost.
func (s *suite) counter() {
	const adders, additions = 8, 20
	s.commit(set("n", "", 0))
	var wg sync.WaitGroup
	for range adders {
		wg.Go(func() {
			for done := 0; done < additions; {
				e, err := s.store.Get("n")
				if err == nil {
					err = s.store.Commit(meta.Op{Key: "n", Value: append(e.Value, 'x'), Expect: e.Revision})
				}
				if err == nil {
					done++
				} else if !errors.Is(err, meta.ErrConflict) {
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.want("n", strings.Repeat("x", adders*additions))
}

func (s *suite) limits() {
	for _, ops := range [][]meta.Op{
		{set("", "x", meta.Any)},
		{set(strings.Repeat("k", 1025), "x", meta.Any)},
		{{Key: "a", Value: make([]byte, 4<<20+1), Expect: meta.Any}},
		{set("a", "1", meta.Any), set("a", "2", meta.Any)},
	} {
		if err := s.store.Commit(ops...); err == nil || errors.Is(err, meta.ErrConflict) {
			s.Errorf("a batch over the limits gave %v", err)
		}
	}
	s.absent("a")
}
