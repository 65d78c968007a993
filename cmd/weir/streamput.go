package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type streamPutCmd struct {
	Name     string `arg:"" help:"Name of the stream."`
	Key      string `xor:"key" help:"Partition key of all records. Default: a random one for each."`
	KeyField string `xor:"key" placeholder:"FIELD" help:"Member of the JSON in each line whose value is the partition key."`
}

// Help shows how it is used.
func (streamPutCmd) Help() string {
	return "Examples:\n\n  echo hello | weir stream put orders\n  weir stream put clicks --key-field user < clicks.ndjson"
}

// Limits of a put: those of one PutRecords, and how patient it is.
const (
	putBatchRecords = 500
	putBatchBytes   = 4 << 20
	putLineBytes    = 10 << 20
	putTries        = 8
	putPause        = 100 * time.Millisecond // doubled with each try
	putProgress     = 2 * time.Second
)

// Run puts the lines.
func (r *streamPutCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	p := &putter{cmd: r, client: c, progress: terminal(std.err), err: std.err, shown: time.Now()}
	lines := bufio.NewScanner(std.in)
	lines.Buffer(make([]byte, 64<<10), putLineBytes)
	for lines.Scan() {
		if err := p.add(ctx, lines.Bytes()); err != nil {
			return fmt.Errorf("after %d records: %w", p.done, s.explain(err))
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("after %d records: a line is longer than a record may be, %d bytes", p.done, putLineBytes)
	} else if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	if err := p.flush(ctx); err != nil {
		return fmt.Errorf("after %d records: %w", p.done, s.explain(err))
	}
	if s.json() {
		return writeJSON(std.out, map[string]any{"stream": r.Name, "records": p.done})
	}
	_, err = fmt.Fprintf(std.out, "put %d records\n", p.done)
	return err
}

// putter gathers lines into requests.
type putter struct {
	cmd      *streamPutCmd
	client   *kinesis.Client
	batch    []types.PutRecordsRequestEntry
	bytes    int
	done     int
	progress bool
	err      io.Writer
	shown    time.Time
}

func (p *putter) add(ctx context.Context, line []byte) error {
	key, err := p.cmd.key(line)
	if err != nil {
		return err
	}
	if len(p.batch) == putBatchRecords || p.bytes+len(line)+len(key) > putBatchBytes && len(p.batch) > 0 {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	p.batch = append(p.batch, types.PutRecordsRequestEntry{Data: append([]byte{}, line...), PartitionKey: &key})
	p.bytes += len(line) + len(key)
	return nil
}

// key chooses the partition key of a line.
func (r *streamPutCmd) key(line []byte) (string, error) {
	if r.Key != "" {
		return r.Key, nil
	}
	if r.KeyField == "" {
		var b [8]byte
		rand.Read(b[:])
		return hex.EncodeToString(b[:]), nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return "", fmt.Errorf("--key-field: a line is no JSON object: %w", err)
	}
	raw, ok := members[r.KeyField]
	if !ok {
		return "", fmt.Errorf("--key-field: a line has no member %q", r.KeyField)
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return text, nil
}

// flush sends what is gathered, and again what was refused for its rate.
func (p *putter) flush(ctx context.Context) error {
	pause := putPause
	for try := 1; len(p.batch) > 0; try++ {
		out, err := p.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &p.cmd.Name, Records: p.batch})
		if err != nil {
			return err
		}
		var again []types.PutRecordsRequestEntry
		for i, r := range out.Records {
			if r.ErrorCode == nil {
				p.done++
				continue
			}
			if try == putTries {
				return fmt.Errorf("%s: %s", *r.ErrorCode, *r.ErrorMessage)
			}
			again = append(again, p.batch[i])
		}
		p.batch = append(p.batch[:0], again...)
		if len(again) > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause *= 2
		}
	}
	p.bytes = 0
	if p.progress && time.Since(p.shown) > putProgress {
		p.shown = time.Now()
		fmt.Fprintf(p.err, "%d records\r", p.done)
	}
	return nil
}
