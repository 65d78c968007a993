package streams

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestTranscripts runs the conversations in testdata: what is asked, and every
// word of the answers. A file whose name begins with limits has the limits of
// AWS on.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		t.Parallel()
		c := &conversation{t: t, names: map[string]string{}, subs: map[string]*Subscription{}}
		c.rig = newRig(t, large, func(r *rig) { r.opts.Limits = strings.Contains(path, "limits") })
		datadriven.RunTest(t, path, c.run)
		for _, u := range c.subs {
			u.Close()
		}
	})
}

// conversation is the state of one transcript.
type conversation struct {
	*rig
	t     *testing.T
	names map[string]string // iterators, tokens and sequence numbers that were kept with as=
	subs  map[string]*Subscription
	out   strings.Builder
}

// line is the arguments of one command: stream names and the like by position,
// the rest by name.
type line struct {
	words []string
	named map[string]string
}

func (l line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func (l line) number(name string) int {
	n, _ := strconv.Atoi(l.named[name])
	return n
}

// ref is the stream that the first word names, which is an ARN when it has a
// colon in it.
func (l line) ref() Ref {
	r := Ref{Name: l.word(0), ARN: l.named["arn"]}
	if strings.Contains(r.Name, ":") {
		r.ARN, r.Name = r.Name, ""
	}
	return r
}

// time reads a time relative to now: -10s, 1h.
func (c *conversation) time(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		c.t.Fatalf("time %q: %v", text, err)
	}
	return c.clock.Now().Add(d)
}

func (c *conversation) run(t *testing.T, d *datadriven.TestData) string {
	c.out.Reset()
	for text := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		l := line{named: map[string]string{}}
		for _, w := range strings.Fields(text) {
			if k, v, ok := strings.Cut(w, "="); ok {
				if strings.HasPrefix(v, "$") {
					v = c.names[v[1:]]
				}
				l.named[k] = v
			} else {
				l.words = append(l.words, w)
			}
		}
		if d.Input == "" {
			for _, a := range d.CmdArgs {
				c.t.Fatalf("%s: arguments belong on lines of their own, not %v", d.Pos, a)
			}
		}
		if err := c.do(d.Cmd, l); err != nil {
			c.fail(err)
		}
	}
	return c.out.String()
}

// fail prints an error.
func (c *conversation) fail(err error) {
	var e *Error
	switch {
	case errors.As(err, &e):
		fmt.Fprintf(&c.out, "%s: %s\n", e.Kind, e.Message)
	case errors.Is(err, io.EOF):
		fmt.Fprintln(&c.out, "over")
	default:
		c.t.Fatal(err)
	}
}

func (c *conversation) say(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func (c *conversation) do(cmd string, l line) error {
	ctx, ref := c.t.Context(), l.ref()
	switch cmd {
	case "create":
		return c.Create(ctx, CreateInput{
			Name: l.word(0), ShardCount: l.number("shards"), Mode: Mode(l.named["mode"]), MaxRecordSizeKiB: l.number("kib"),
			WarmThroughputMiBps: l.number("warm"), Distribution: Distribution(l.named["distribution"]), Tags: tagsOf(l),
		})
	case "delete":
		return c.Delete(ctx, ref, l.named["enforce"] == "true")
	case "advance":
		d, err := time.ParseDuration(l.word(0))
		c.clock.Advance(d)
		return err
	case "maintain":
		return c.maintain(ctx, true)
	case "restart":
		c.reopen()
		return nil
	case "split":
		return c.Split(ctx, ref, l.word(1), l.word(2))
	case "merge":
		return c.Merge(ctx, ref, l.word(1), l.word(2))
	case "count":
		out, err := c.UpdateShardCount(ctx, ref, l.number("to"))
		if err == nil {
			c.say("%s: %d to %d", out.Name, out.Current, out.Target)
		}
		return err
	case "put", "put-batch":
		return c.doPut(cmd, l)
	case "iterator", "get", "subscribe", "next":
		return c.doRead(cmd, l)
	case "describe", "summary", "list", "shards":
		return c.doDescribe(cmd, l)
	case "register", "deregister", "consumer", "consumers", "tag", "untag", "tags", "policy", "put-policy":
		return c.doResource(cmd, l)
	default:
		return c.doSettings(cmd, l)
	}
}

func tagsOf(l line) map[string]string {
	tags := map[string]string{}
	for k, v := range l.named {
		if name, ok := strings.CutPrefix(k, "tag:"); ok {
			tags[name] = v
		}
	}
	return tags
}

// data is the data of a record: data=text, or bytes=number.
func (l line) data() []byte {
	if n := l.number("bytes"); n > 0 {
		return []byte(strings.Repeat("x", n))
	}
	return []byte(l.named["data"])
}

func (c *conversation) doPut(cmd string, l line) error {
	e := Entry{Data: l.data(), PartitionKey: l.named["key"], ExplicitHashKey: l.named["hash"]}
	dry := l.named["dry"] == "true"
	if cmd == "put" {
		out, err := c.Put(c.t.Context(), PutInput{Ref: l.ref(), Entry: e, SequenceNumberForOrdering: l.named["ordering"], DryRun: dry})
		if err == nil {
			c.names[l.named["as"]] = out.Sequence.String()
			c.say("%s %s %s", out.ShardID, out.Sequence, out.Encryption)
		}
		return err
	}
	entries := make([]Entry, l.number("times"))
	for i := range entries {
		entries[i] = e
		if e.PartitionKey == "#" {
			entries[i].PartitionKey = strconv.Itoa(i)
		}
	}
	results := make([]EntryResult, len(entries))
	out, err := c.PutBatch(c.t.Context(), l.ref(), entries, results, dry)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	c.say("%d of %d failed, %s", out.Failed, len(entries), out.Encryption)
	for _, r := range results {
		text := r.ShardID
		if r.Failure != 0 {
			text = r.Failure.String() + ": " + r.Message
		}
		if !told[text] {
			told[text] = true
			c.say("  %s", text)
		}
	}
	return nil
}

func (c *conversation) doRead(cmd string, l line) error {
	ctx := c.t.Context()
	p := Position{Type: IteratorType(l.word(2)), SequenceNumber: l.named["seq"], Timestamp: c.time(l.named["at"])}
	dry := l.named["dry"] == "true"
	switch cmd {
	case "iterator":
		it, err := c.Iterator(ctx, IteratorInput{Ref: l.ref(), ShardID: l.word(1), Position: p, DryRun: dry})
		if err == nil {
			c.names[l.named["as"]] = it
		}
		return err
	case "subscribe":
		u, err := c.Subscribe(ctx, SubscribeInput{ConsumerARN: l.word(0), ShardID: l.word(1), Position: p, DryRun: dry})
		if err == nil {
			c.subs[l.named["as"]] = u
		}
		return err
	case "next":
		e, err := c.subs[l.word(0)].Next(ctx)
		if err == nil {
			c.records(e.Records, e.MillisBehindLatest, e.ChildShards)
			if c.names[l.named["as"]] = e.Continuation.String(); e.Continuation.IsZero() != (len(e.ChildShards) > 0) {
				c.t.Errorf("continuation %s with %d children", e.Continuation, len(e.ChildShards))
			}
		}
		return err
	}
	it := l.named["it"]
	out, err := c.Get(ctx, GetInput{Iterator: it, Limit: l.number("limit"), StreamARN: l.named["arn"], DryRun: dry})
	if err != nil {
		return err
	}
	if out.NextIterator == it {
		c.t.Error("the same iterator came back")
	}
	c.names[l.named["as"]] = out.NextIterator
	c.records(out.Records, out.MillisBehindLatest, out.ChildShards)
	return nil
}

func (c *conversation) records(recs []Record, behind int64, children []ChildShard) {
	for _, r := range recs {
		data := string(r.Data)
		if len(data) > 40 {
			data = fmt.Sprintf("%d bytes", len(data))
		}
		c.say("%s %s %q %q %s", r.Sequence, time.UnixMilli(r.Arrival).UTC().Format("15:04:05.000"), r.PartitionKey, data, r.Encryption)
	}
	c.say("%d records, %d ms behind", len(recs), behind)
	for _, ch := range children {
		c.say("child %s of %v: %s-%s", ch.ID, ch.Parents, ch.Hash.Starting, ch.Hash.Ending)
	}
}

func (c *conversation) define(d Definition) {
	c.say("%s %s %s %s retention=%d created=%s monitoring=%v encryption=%s key=%q", d.Name, d.ARN, d.Status, d.Mode,
		d.RetentionHours, d.Created.UTC().Format(time.RFC3339), d.Monitoring, d.Encryption, d.KeyID)
}

func (c *conversation) shards(list []Shard) {
	for _, s := range list {
		c.say("%s parents=%q,%q hash=%s-%s", s.ID, s.Parent, s.AdjacentParent, s.Hash.Starting, s.Hash.Ending)
		if c.names[s.ID+".start"] = s.StartingSequence.String(); !s.EndingSequence.IsZero() {
			c.names[s.ID+".end"] = s.EndingSequence.String()
			c.say("  %s-%s", s.StartingSequence, s.EndingSequence)
		}
	}
}

func (c *conversation) doDescribe(cmd string, l line) error {
	ctx := c.t.Context()
	switch cmd {
	case "describe":
		d, err := c.Describe(ctx, l.ref(), l.number("limit"), l.named["after"])
		if err == nil {
			c.define(d.Definition)
			c.shards(d.Shards)
			c.say("more=%v", d.HasMoreShards)
		}
		return err
	case "summary":
		d, err := c.Summary(ctx, l.ref())
		if err == nil {
			c.define(d.Definition)
			c.say("open=%d consumers=%d warm=%v kib=%d distribution=%s", d.OpenShards, d.Consumers, d.WarmThroughput, d.MaxRecordSizeKiB, d.RecordDistribution)
		}
		return err
	case "list":
		out, err := c.List(ctx, ListInput{Limit: l.number("limit"), ExclusiveStart: l.named["after"], NextToken: l.named["token"]})
		c.names[l.named["as"]] = out.NextToken
		for _, d := range out.Streams {
			c.say("%s %s %s", d.Name, d.Status, d.Mode)
		}
		if err == nil {
			c.say("more=%v", out.HasMore)
		}
		return err
	default:
		out, err := c.ListShards(ctx, ListShardsInput{
			Ref: l.ref(), NextToken: l.named["token"], ExclusiveStart: l.named["after"], MaxResults: l.number("max"),
			Filter: FilterType(l.named["filter"]), FilterShardID: l.named["shard"], FilterTimestamp: c.time(l.named["at"]),
			StreamCreated: c.time(l.named["created"]),
		})
		c.names[l.named["as"]] = out.NextToken
		c.shards(out.Shards)
		if out.NextToken != "" {
			c.say("more")
		}
		return err
	}
}

func (c *conversation) doResource(cmd string, l line) error {
	ctx := c.t.Context()
	cr := ConsumerRef{ARN: l.named["consumer"], StreamARN: l.named["stream"], Name: l.named["name"]}
	switch cmd {
	case "register":
		k, err := c.RegisterConsumer(ctx, l.word(0), l.word(1), tagsOf(l))
		if err == nil {
			c.say("%s %s %s", k.Name, k.ARN, k.Status)
		}
		return err
	case "deregister":
		return c.DeregisterConsumer(ctx, cr)
	case "consumer":
		k, err := c.DescribeConsumer(ctx, cr)
		if err == nil {
			c.say("%s %s %s %s %s", k.Name, k.ARN, k.Status, k.Created.UTC().Format(time.RFC3339), k.StreamARN)
		}
		return err
	case "consumers":
		out, err := c.ListConsumers(ctx, ListConsumersInput{StreamARN: l.word(0), MaxResults: l.number("max"), NextToken: l.named["token"]})
		c.names[l.named["as"]] = out.NextToken
		for _, k := range out.Consumers {
			c.say("%s %s %s", k.Name, k.ARN, k.Status)
		}
		return err
	case "tag":
		return c.TagResource(ctx, l.word(0), tagsOf(l))
	case "untag":
		return c.UntagResource(ctx, l.word(0), l.words[1:])
	case "tags":
		list, err := c.ResourceTags(ctx, l.word(0))
		for _, tag := range list {
			c.say("%s=%s", tag.Key, tag.Value)
		}
		return err
	case "put-policy":
		return c.PutPolicy(ctx, l.word(0), l.word(1))
	default:
		p, err := c.Policy(ctx, l.word(0))
		if err == nil {
			c.say("%s", p)
		}
		return err
	}
}

func (c *conversation) doSettings(cmd string, l line) error {
	ctx, ref := c.t.Context(), l.ref()
	switch cmd {
	case "mode":
		return c.UpdateMode(ctx, ref.ARN, Mode(l.word(1)), l.number("warm"))
	case "warm":
		out, err := c.UpdateWarmThroughput(ctx, ref, l.number("to"))
		if err == nil {
			c.say("%s: target %d, current %d", out.Name, out.Target, out.Current)
		}
		return err
	case "max-record":
		return c.UpdateMaxRecordSize(ctx, ref, l.number("kib"))
	case "distribution":
		return c.UpdateDistribution(ctx, ref.ARN, Distribution(l.word(1)))
	case "increase":
		return c.IncreaseRetention(ctx, ref, l.number("hours"))
	case "decrease":
		return c.DecreaseRetention(ctx, ref, l.number("hours"))
	case "monitor", "unmonitor":
		do := c.EnableMonitoring
		if cmd == "unmonitor" {
			do = c.DisableMonitoring
		}
		out, err := do(ctx, ref, l.words[1:])
		if err == nil {
			c.say("%v to %v", out.Current, out.Desired)
		}
		return err
	case "encrypt":
		return c.StartEncryption(ctx, ref, EncryptionType(l.word(1)), l.named["key"])
	case "decrypt":
		return c.StopEncryption(ctx, ref, EncryptionType(l.word(1)), l.named["key"])
	case "commitment":
		out, err := c.UpdateAccountSettings(ctx, l.word(0))
		if err == nil {
			c.say("%s %s %s %s", out.Status, out.StartedAt.UTC(), out.EndedAt.UTC(), out.EarliestAllowedEndAt.UTC())
		}
		return err
	case "limits":
		out, err := c.DescribeLimits(ctx)
		if err == nil {
			c.say("%+v", out)
		}
		return err
	default:
		c.t.Fatalf("there is no command %s", cmd)
		return nil
	}
}
