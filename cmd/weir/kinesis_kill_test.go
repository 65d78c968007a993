package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/internal/testkit"
)

// ledger is what a client was told is stored.
type ledger struct {
	mu    sync.Mutex        // guards the following
	acked map[string]string // hash of the data by shard and sequence number
}

func (l *ledger) note(shard, sequence string, data []byte) {
	sum := sha256.Sum256(data)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[shard+"/"+sequence] = hex.EncodeToString(sum[:])
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// TestKinesisKill puts records from many sides while the server is killed again
// and again and its shards are split and merged, and then reads everything:
// what was acknowledged is there, once, in order, with its bytes (invariants 1
// and 3).
func TestKinesisKill(t *testing.T) {
	w := testkit.StartWeir(t, binary, nil, "--segment-age", "1s", "--stream-memory", "32MiB")
	c := kinesisClient(w)
	name := aws.String("ledger")
	if _, err := c.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: name, ShardCount: new(int32(4))}); err != nil {
		t.Fatal(err)
	}
	awaitActive(t, c, name)
	l := &ledger{acked: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() { putSteadily(ctx, kinesisClient(w), name, l, uint64(i)) })
	}
	for round := range 4 {
		before := l.count()
		await(t, "records to be acknowledged", func() bool { return l.count() > before+2000 })
		if round == 1 {
			split(t, c, name)
		}
		w.Kill(t)
		w.Start(t)
		c = kinesisClient(w)
		awaitActive(t, c, name)
	}
	cancel()
	wg.Wait()
	checkLedger(t, c, name, l)
	w.Stop(t)
	w.Start(t)
	checkLedger(t, kinesisClient(w), name, l)
}

// await waits up to a minute.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func awaitActive(t *testing.T, c *kinesis.Client, name *string) {
	t.Helper()
	await(t, "the stream to be active", func() bool {
		d, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: name})
		return err == nil && d.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
}

// split splits the first open shard.
func split(t *testing.T, c *kinesis.Client, name *string) {
	t.Helper()
	page, err := c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: name, ShardToSplit: page.Shards[0].ShardId, NewStartingHashKey: aws.String("12345678901234567890"),
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitActive(t, c, name)
}

// putSteadily puts batches and single records until ctx ends, and notes what is
// acknowledged. What fails may or may not be stored.
func putSteadily(ctx context.Context, c *kinesis.Client, name *string, l *ledger, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	data := func() []byte {
		b := make([]byte, 16+r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for ctx.Err() == nil {
		if r.IntN(4) == 0 {
			d := data()
			if out, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, Data: d, PartitionKey: aws.String(fmt.Sprint(r.Uint32()))}); err == nil {
				l.note(*out.ShardId, *out.SequenceNumber, d)
			}
			continue
		}
		in := &kinesis.PutRecordsInput{StreamName: name}
		for range 1 + r.IntN(50) {
			in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: data(), PartitionKey: aws.String(fmt.Sprint(r.Uint32()))})
		}
		out, err := c.PutRecords(ctx, in)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for i, x := range out.Records {
			if x.ErrorCode == nil {
				l.note(*x.ShardId, *x.SequenceNumber, in.Records[i].Data)
			}
		}
	}
}

// checkLedger reads all shards and finds each acknowledged record once.
func checkLedger(t *testing.T, c *kinesis.Client, name *string, l *ledger) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	left := len(l.acked)
	found := map[string]bool{}
	var shards []types.Shard
	page, err := c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: name})
	if err != nil {
		t.Fatal(err)
	}
	shards = append(shards, page.Shards...)
	total := 0
	for _, s := range shards {
		it, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: name, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for next := it.ShardIterator; next != nil; {
			out, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Records {
				total++
				key := *s.ShardId + "/" + *r.SequenceNumber
				if *r.SequenceNumber <= last || found[key] {
					t.Fatalf("%s comes after %s", key, last)
				}
				last, found[key] = *r.SequenceNumber, true
				sum := sha256.Sum256(r.Data)
				if want, ok := l.acked[key]; ok {
					left--
					if want != hex.EncodeToString(sum[:]) {
						t.Fatalf("%s has other bytes than were put", key)
					}
				}
			}
			next = out.NextShardIterator
			if len(out.Records) == 0 && *out.MillisBehindLatest == 0 {
				break
			}
		}
	}
	if left != 0 {
		var missing []string
		for key := range l.acked {
			if !found[key] {
				missing = append(missing, key)
			}
		}
		slices.Sort(missing)
		t.Fatalf("%d of %d acknowledged records are gone, the first is %s; %d were read", left, len(l.acked), missing[0], total)
	}
	t.Logf("%d acknowledged, %d read", len(l.acked), total)
}
