package streams

import (
	"crypto/md5"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func (w wide) big() *big.Int {
	n := new(big.Int)
	for _, word := range w {
		n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(word))
	}
	return n
}

// TestDecimal compares numbers of 192 bits with those of math/big.
func TestDecimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := wide{rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "mid"), rapid.Uint64().Draw(t, "lo")}
		text := string(w.appendTo(nil))
		if want := w.big().String(); text != want {
			t.Fatalf("%x is %s, want %s", w, text, want)
		}
		if back, ok := parseWide(text); !ok || back != w {
			t.Fatalf("%s reads as %x, %v", text, back, ok)
		}
		o := wide{rapid.Uint64().Draw(t, "hi2"), w[1], w[2]}
		if got, want := w.compare(o), w.big().Cmp(o.big()); got != want {
			t.Fatalf("compare %x with %x: %d, want %d", w, o, got, want)
		}
	})
	for _, bad := range []string{"", "00", "01", "-1", "+1", "1a", " 1", "1 ", strings.Repeat("9", 58), strings.Repeat("1", 59)} {
		if w, ok := parseWide(bad); ok {
			t.Errorf("%q reads as %x", bad, w)
		}
	}
}

// TestEvenRanges cuts the hash space as Kinesis does.
func TestEvenRanges(t *testing.T) {
	space := new(big.Int).Lsh(big.NewInt(1), 128)
	for _, n := range []int{1, 2, 3, 4, 5, 7, 10, 100, 1023, 9999, 10000} {
		width := new(big.Int).Div(space, big.NewInt(int64(n)))
		next := HashKey{}
		for i := range n {
			r := evenRange(i, n)
			if want := new(big.Int).Mul(width, big.NewInt(int64(i))).String(); r.Starting.String() != want || r.Starting != next {
				t.Fatalf("shard %d of %d begins at %s, want %s", i, n, r.Starting, want)
			}
			next = r.Ending.next()
		}
		if next != (HashKey{}) {
			t.Errorf("%d shards end before %s", n, next)
		}
	}
	if r := evenRange(1, 3); r.Starting.String() != "113427455640312821154458202477256070485" || r.Ending.String() != "226854911280625642308916404954512140969" {
		t.Errorf("the second of three is %s to %s", r.Starting, r.Ending)
	}
}

// TestHash compares the hash of partition keys with a plain MD5.
func TestHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		sum := md5.Sum([]byte(key))
		if got, want := hashOf(key).String(), new(big.Int).SetBytes(sum[:]).String(); got != want {
			t.Fatalf("%q hashes to %s, want %s", key, got, want)
		}
	})
}

// TestSequenceNumbers packs and unpacks parts, and keeps their order.
func TestSequenceNumbers(t *testing.T) {
	draw := func(t *rapid.T, name string) sequenceParts {
		return sequenceParts{
			created: rapid.Uint64Range(1<<30, maxSequenceTime).Draw(t, name+" created"),
			shard:   rapid.Uint32Range(0, maxShardIndex).Draw(t, name+" shard"),
			index:   rapid.Uint64Range(0, endIndex).Draw(t, name+" index"),
			time:    rapid.Uint64Range(0, maxSequenceTime).Draw(t, name+" time"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := draw(t, "a")
		n := a.number()
		if got, ok := n.parts(); !ok || got != a {
			t.Fatalf("%+v reads as %+v, %v", a, got, ok)
		}
		text := n.String()
		if back, ok := ParseSequenceNumber(text); !ok || back != n || len(text) != 56 {
			t.Fatalf("%s of %d digits reads as %s, %v", text, len(text), back, ok)
		}
		b := draw(t, "b")
		b.created, b.shard = a.created, a.shard
		if a.index < b.index && n.Compare(b.number()) >= 0 {
			t.Fatalf("%s is not below %s", n, b.number())
		}
		b.created = a.created + 1
		if n.Compare(b.number()) >= 0 {
			t.Fatalf("a child's %s is not above its parent's %s", b.number(), n)
		}
	})
}

// TestNumbersOfAWS reads numbers that Kinesis gave out.
func TestNumbersOfAWS(t *testing.T) {
	for text, want := range map[string]sequenceParts{
		"49590338271490256608559692538361571095921575989136588898": {created: 1542776258, shard: 6, index: 1734642199, time: 1545084650},
		"49546986683135544286507457936321625675700192471156785154": {created: 1421279230, shard: 0, index: 469, time: 1421279386},
	} {
		n, ok := ParseSequenceNumber(text)
		if p, _ := n.parts(); !ok || p != want || n.String() != text {
			t.Errorf("%s reads as %+v, %v, and is written as %s", text, p, ok, n)
		}
	}
}

// TestShardIDs reads ids as loosely as Kinesis does.
func TestShardIDs(t *testing.T) {
	for id, want := range map[string]int{
		"shardId-000000000007": 7, "shardId-7": 7, "7": 7, "0": 0, "shardId-2147483647": maxShardIndex,
		"": -1, "shardId-": -1, "shardId-x": -1, "shardId-2147483648": -1, "-1-": -1, "99999999999999999999999": -1,
	} {
		got, ok := parseShardID(id)
		if ok != (want >= 0) || ok && int(got) != want {
			t.Errorf("%q is shard %d, %v, want %d", id, got, ok, want)
		}
	}
	if id := shardID(12); id != "shardId-000000000012" {
		t.Errorf("shard 12 is %s", id)
	}
}
