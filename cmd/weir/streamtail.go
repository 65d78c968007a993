package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type streamTailCmd struct {
	Name  string   `arg:"" help:"Name of the stream."`
	From  moment   `placeholder:"TIME" help:"Where to begin: a time such as -10m; default: now."`
	All   bool     `help:"Begin with the oldest record that is kept."`
	Shard []string `placeholder:"ID" help:"Read these shards only."`
	Count int      `short:"n" help:"End after this many records."`
	Once  bool     `help:"End when everything there is has been printed."`
	Lag   bool     `help:"Also tell on standard error, every other second, how far each shard is behind."`
}

// Help shows how it is used.
func (streamTailCmd) Help() string {
	return "Examples:\n\n  weir stream tail orders\n  weir stream tail orders --from -1h --once -o json\n  weir stream tail orders --all --lag"
}

// Times of a tail.
const (
	tailPause   = 200 * time.Millisecond // between two reads of a shard that has nothing more
	tailLag     = 2 * time.Second
	tailRetries = 5 // after a refusal for the rate
)

// Run prints records until it is interrupted.
func (r *streamTailCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	at, err := r.From.at(time.Now())
	if err != nil {
		return err
	}
	if !at.IsZero() && r.All {
		return &usageError{"--from and --all say different things; give one"}
	}
	list, err := allShards(ctx, c, r.Name)
	if err != nil {
		return s.explain(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &tail{cmd: r, client: c, json: s.json(), out: std.out, cancel: cancel, at: at, lag: map[string]int64{}, begun: map[string]bool{}}
	for _, x := range list {
		if t.wanted(x, list) {
			t.follow(ctx, *x.ShardId, at.IsZero() && !r.All)
		}
	}
	if r.Lag {
		go t.showLag(ctx, std.err)
	}
	t.wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errEnough) && !errors.Is(err, context.Canceled) {
		return s.explain(err)
	}
	return nil
}

var errEnough = errors.New("enough records")

// tail reads several shards at once.
type tail struct {
	cmd    *streamTailCmd
	client *kinesis.Client
	json   bool
	at     time.Time
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards the following
	out   io.Writer
	count int
	lag   map[string]int64
	begun map[string]bool
}

// wanted tells whether reading begins with a shard: with one that was named, or
// with all of which no parent is read before.
func (t *tail) wanted(x types.Shard, list []types.Shard) bool {
	if len(t.cmd.Shard) > 0 {
		return slices.Contains(t.cmd.Shard, *x.ShardId)
	}
	if t.at.IsZero() && !t.cmd.All {
		return x.SequenceNumberRange.EndingSequenceNumber == nil
	}
	return !slices.ContainsFunc(list, func(p types.Shard) bool { return slices.Contains(parents(x), *p.ShardId) })
}

// follow reads a shard, once, and then its children.
func (t *tail) follow(ctx context.Context, shard string, latest bool) {
	t.mu.Lock()
	begun := t.begun[shard]
	t.begun[shard] = true
	t.mu.Unlock()
	if begun {
		return
	}
	t.wg.Go(func() {
		if err := t.read(ctx, shard, latest); err != nil && ctx.Err() == nil {
			t.cancel(err)
		}
	})
}

func (t *tail) read(ctx context.Context, shard string, latest bool) error {
	iterator, err := t.iterator(ctx, shard, latest)
	if err != nil {
		return err
	}
	for refused := 0; iterator != nil; {
		out, err := t.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		var throttled *types.ProvisionedThroughputExceededException
		switch {
		case errors.As(err, &throttled) && refused < tailRetries:
			refused++
			if !wait(ctx, time.Second) {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		refused = 0
		if err := t.print(shard, out); err != nil {
			return err
		}
		iterator = out.NextShardIterator
		if iterator == nil && len(t.cmd.Shard) == 0 {
			for _, child := range out.ChildShards {
				t.follow(ctx, *child.ShardId, false)
			}
		}
		drained := aws.ToInt64(out.MillisBehindLatest) == 0
		if drained && t.cmd.Once {
			return nil
		}
		if drained && !wait(ctx, tailPause) {
			return nil
		}
	}
	return nil
}

func (t *tail) iterator(ctx context.Context, shard string, latest bool) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: &t.cmd.Name, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case latest:
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	case !t.at.IsZero():
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, &t.at
	}
	out, err := t.client.GetShardIterator(ctx, in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

// tailRecord is a record as programs get it, one a line. Data that is JSON
// stands as it is, other text as a string, and the rest in base64.
type tailRecord struct {
	Shard        string          `json:"shard"`
	Sequence     string          `json:"sequenceNumber"`
	Time         time.Time       `json:"time"`
	PartitionKey string          `json:"partitionKey"`
	BehindMillis int64           `json:"behindMillis"`
	JSON         json.RawMessage `json:"json,omitempty"`
	Text         string          `json:"text,omitempty"`
	Base64       []byte          `json:"base64,omitempty"`
}

// print writes what was read.
func (t *tail) print(shard string, out *kinesis.GetRecordsOutput) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	behind := aws.ToInt64(out.MillisBehindLatest)
	t.lag[shard] = behind
	for i := range out.Records {
		if t.cmd.Count > 0 && t.count >= t.cmd.Count {
			t.cancel(errEnough)
			return nil
		}
		t.count++
		if err := t.line(shard, &out.Records[i], behind); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if t.cmd.Count > 0 && t.count >= t.cmd.Count {
		t.cancel(errEnough)
	}
	return nil
}

func (t *tail) line(shard string, r *types.Record, behind int64) error {
	if t.json {
		v := tailRecord{
			Shard: shard, Sequence: *r.SequenceNumber, Time: *r.ApproximateArrivalTimestamp, PartitionKey: aws.ToString(r.PartitionKey),
			BehindMillis: behind,
		}
		switch {
		case json.Valid(r.Data):
			v.JSON = r.Data
		case printable(r.Data):
			v.Text = string(r.Data)
		default:
			v.Base64 = r.Data
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = t.out.Write(append(b, '\n'))
		return err
	}
	text := string(r.Data)
	if !printable(r.Data) {
		text = "base64:" + base64.StdEncoding.EncodeToString(r.Data)
	}
	_, err := fmt.Fprintf(t.out, "%s  %s  %s  %s\n", r.ApproximateArrivalTimestamp.Local().Format("15:04:05.000"), shard, aws.ToString(r.PartitionKey), text)
	return err
}

// printable tells whether data can be shown on a terminal as it is.
func printable(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	for _, c := range string(data) {
		if unicode.IsControl(c) && c != '\t' && c != '\n' {
			return false
		}
	}
	return true
}

// showLag tells how far each shard is behind.
func (t *tail) showLag(ctx context.Context, w io.Writer) {
	for wait(ctx, tailLag) {
		t.mu.Lock()
		names := make([]string, 0, len(t.lag))
		for name := range t.lag {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(w, "%s is %s behind\n", name, millisText(t.lag[name]))
		}
		t.mu.Unlock()
	}
}

// millisText writes a span for people.
func millisText(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(time.Millisecond).String()
}

// since is how long ago t was, ms, and at least 1.
func since(t time.Time) int64 { return max(time.Since(t).Milliseconds(), 1) }
