package streams

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// onDisk tells whether any file holds a text.
func (r *rig) onDisk(text string) bool {
	r.t.Helper()
	found := false
	var visit func(dir string)
	visit = func(dir string) {
		list, err := r.disk.ReadDir(dir)
		r.must(err)
		for _, e := range list {
			name := filepath.Join(dir, e.Name())
			if e.IsDir() {
				visit(name)
				continue
			}
			data, err := vfs.ReadFile(r.disk, name, 1<<30)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the journal's spare file has got its name
			}
			r.must(err)
			found = found || bytes.Contains(data, []byte(text))
		}
	}
	for _, dir := range []string{"/journal", "/store"} {
		if _, err := r.disk.Stat(dir); err == nil {
			visit(dir)
		}
	}
	return found
}

// TestEncryption looks for the plain text on the disk, and reads records of
// every key after rotations, a stop and a restart.
func TestEncryption(t *testing.T) {
	r := newRig(t)
	ref := r.create("s", 1)
	key := "the partition key"
	r.put(ref, key, "open text before")
	if !r.onDisk("open text before") || !r.onDisk(key) {
		t.Fatal("the search does not find what is there")
	}
	key = "the hidden key"
	r.must(r.StartEncryption(t.Context(), ref, KMS, "alias/aws/kinesis"))
	if out := r.put(ref, key, "secret one"); out.Encryption != KMS {
		t.Errorf("the answer says %s", out.Encryption)
	}
	r.must(r.StartEncryption(t.Context(), ref, KMS, "alias/aws/kinesis"))
	r.put(ref, key, "secret two")
	r.reopen()
	r.put(ref, key, "secret three")
	r.clock.Advance(dataKeyLifetime)
	r.must(r.IncreaseRetention(t.Context(), ref, maxRetention))
	r.must(r.maintain(t.Context(), false))
	if n := len(r.streams["s"].view.Load().row.DataKeys); n != 3 {
		t.Errorf("after a month there are %d keys, want 3", n)
	}
	r.put(ref, key, "secret four")
	_, err := r.PutBatch(t.Context(), ref, []Entry{{Data: []byte("secret five"), PartitionKey: key, ExplicitHashKey: "5"}}, make([]EntryResult, 1), false)
	r.must(err)
	r.must(r.StopEncryption(t.Context(), ref, KMS, "alias/aws/kinesis"))
	r.put(ref, "k", "open text after")
	for _, text := range []string{"secret", key, "hidden"} {
		if r.onDisk(text) {
			t.Errorf("%q is on the disk", text)
		}
	}
	r.reopen()
	recs, _ := r.read(ref, "0", Position{Type: AtTimestamp, Timestamp: epoch().Add(time.Millisecond)})
	if got := datas(recs); !slices.Equal(got, []string{"secret four", "secret five", "open text after"}) {
		t.Errorf("read %q", got)
	}
	for _, rec := range recs[:2] {
		if rec.Encryption != KMS || rec.PartitionKey != key {
			t.Errorf("%s of key %q is %s", rec.Data, rec.PartitionKey, rec.Encryption)
		}
	}
}

// TestSealedRecords opens records with the wrong shard, flags and bits.
func TestSealedRecords(t *testing.T) {
	r := newRig(t)
	ref := r.create("s", 1)
	r.must(r.StartEncryption(t.Context(), ref, KMS, "alias/x"))
	v := r.streams["s"].view.Load()
	keys := &r.streams["s"].keys
	e := Entry{PartitionKey: "key", Data: []byte("data")}
	hash := HashKey{1, 2}
	seen := map[string]bool{}
	for range 100 {
		for _, explicit := range []*HashKey{nil, &hash} {
			b := appendSealed([]byte("before"), v.cipher, 7, &e, explicit)[len("before"):]
			if nonce := string(b[5 : 5+nonceBytes]); seen[nonce] {
				t.Fatal("a nonce comes twice")
			} else {
				seen[nonce] = true
			}
			got, err := decodeRecord(b, 7, keys)
			if err != nil || got.PartitionKey != "key" || string(got.Data) != "data" {
				t.Fatalf("decoded %+v: %v", got, err)
			}
			if _, err := decodeRecord(b, 8, keys); err == nil {
				t.Fatal("a record opens in another shard")
			}
		}
	}
	b := appendSealed(nil, v.cipher, 7, &e, nil)
	for i := range len(b) * 8 {
		bad := slices.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := decodeRecord(bad, 7, keys); err == nil {
			t.Fatalf("bit %d may be flipped", i)
		}
	}
	for n := range b {
		if _, err := decodeRecord(b[:n], 7, keys); err == nil {
			t.Fatalf("%d of %d bytes are enough", n, len(b))
		}
	}
}

// TestTokens opens tokens that were changed, of another purpose, or cut.
func TestTokens(t *testing.T) {
	r := newRig(t)
	want := cursor{uid: 7, shard: 3, at: 99, created: 12345, stream: strings.Repeat("n", maxName)}
	token := r.tokens.sealCursor(want)
	if got, err := r.tokens.openCursor(token); err != nil || got != want || len(token) > maxIterator {
		t.Fatalf("%d characters open as %+v: %v", len(token), got, err)
	}
	if token == r.tokens.sealCursor(want) {
		t.Error("an iterator comes twice")
	}
	if _, err := r.tokens.open(pageToken, token); err == nil {
		t.Error("an iterator is taken for a page")
	}
	for i := range token {
		bad := token[:i] + string(rune('A'+(token[i]-'A'+1)%26)) + token[i+1:]
		if _, err := r.tokens.openCursor(bad); err == nil && bad != token {
			t.Fatalf("character %d may be changed", i)
		}
		if _, err := r.tokens.openCursor(token[:i]); err == nil {
			t.Fatalf("%d characters are enough", i)
		}
	}
	r.clock.Advance(time.Minute)
	ref := r.create("s", 1)
	it, err := r.Iterator(t.Context(), IteratorInput{Ref: ref, ShardID: "0", Position: horizon()})
	r.must(err)
	if got, err := r.IteratorStream(it); err != nil || got.Name != "s" {
		t.Errorf("the iterator belongs to %+v: %v", got, err)
	}
	r.clock.Advance(-time.Minute) // the clock of another node
	_, err = r.Get(t.Context(), GetInput{Iterator: it})
	r.must(err)
	r.reopen()
	_, err = r.Get(t.Context(), GetInput{Iterator: it})
	r.must(err)
}

// FuzzRecord reads any bytes as a record.
func FuzzRecord(f *testing.F) {
	r := newRig(f)
	ref := r.create("s", 1)
	if err := r.StartEncryption(f.Context(), ref, KMS, "alias/x"); err != nil {
		f.Fatal(err)
	}
	st := r.streams["s"]
	e := Entry{PartitionKey: "key", Data: []byte("data")}
	f.Add(appendSealed(nil, st.view.Load().cipher, 1, &e, nil))
	f.Add(append(appendInner([]byte{flags(nil, false)}, &e, nil), "data"...))
	f.Add(append(appendInner([]byte{flags(&HashKey{}, false)}, &e, &HashKey{}), "data"...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, stored []byte) {
		rec, err := decodeRecord(stored, shardlog.ShardUID(1), &st.keys)
		if err == nil && len(rec.Data)+len(rec.PartitionKey) > len(stored) {
			t.Errorf("%d bytes read as a record of %d and %d", len(stored), len(rec.PartitionKey), len(rec.Data))
		}
	})
}

// FuzzTexts reads any text as everything that clients send as text.
func FuzzTexts(f *testing.F) {
	r := newRig(f)
	ref := r.create("s", 1)
	for _, seed := range []string{
		"49590338271490256608559692538361571095921575989136588898", "shardId-000000000001", "340282366920938463463374607431768211455",
		"arn:aws:kinesis:us-east-1:000000000000:stream/s", "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1", "AAAA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := ParseSequenceNumber(text); ok && n.String() != text {
			t.Errorf("%q reads as the sequence number %s", text, n)
		}
		if k, ok := ParseHashKey(text); ok && k.String() != text {
			t.Errorf("%q reads as the hash key %s", text, k)
		}
		if _, err := r.Get(t.Context(), GetInput{Iterator: text}); err == nil {
			t.Errorf("%q is an iterator", text)
		}
		if _, err := r.List(t.Context(), ListInput{NextToken: text}); err == nil && text != "" {
			t.Errorf("%q is a page token", text)
		}
		_, errStream := r.Summary(t.Context(), Ref{ARN: text})
		if errStream == nil && text != "arn:aws:kinesis:us-east-1:000000000000:stream/s" {
			t.Errorf("%q is the stream", text)
		}
		if _, err := r.DescribeConsumer(t.Context(), ConsumerRef{ARN: text}); err == nil {
			t.Errorf("%q is a consumer", text)
		}
		_, _ = r.Iterator(t.Context(), IteratorInput{Ref: ref, ShardID: text, Position: Position{Type: AtSequenceNumber, SequenceNumber: text}})
	})
}
