package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
)

// kinesisBench measures a server over HTTP.
type kinesisBench struct {
	cmd    *benchStreamsCmd
	server *benchServer
	client *kinesis.Client
	name   string

	lastPut time.Time
}

const benchStream = "bench"

// newKinesisBench makes the stream that is measured.
func newKinesisBench(ctx context.Context, s *benchServer, c *benchStreamsCmd) (*kinesisBench, error) {
	b := &kinesisBench{cmd: c, server: s, name: benchStream}
	b.client = kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(s.http), Region: "us-east-1", HTTPClient: &http.Client{Transport: plainBody{&http.Transport{}}},
		Credentials: aws.CredentialsProviderFunc(b.credentials),
	})
	if _, err := b.client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &b.name, ShardCount: new(int32(c.Shards))}); err != nil {
		return nil, fmt.Errorf("create the stream: %w", err)
	}
	_, err := settled(ctx, b.client, b.name)
	return b, err
}

func (b *kinesisBench) credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: b.server.user, SecretAccessKey: b.server.pass}, nil
}

// requests measures the kinds of requests one after the other.
func (b *kinesisBench) requests(ctx context.Context, io streams) ([]requestReport, error) {
	const batch = 500
	perBatch := min(batch, max(1, (4<<20)/b.cmd.Size))
	var reports []requestReport
	for _, q := range []struct {
		name    string
		op      string
		e       awsapi.Encoding
		records int
		conns   int
	}{
		{"PutRecords, CBOR", "PutRecords", awsapi.AmzCBOR, perBatch, b.cmd.Writers},
		{"PutRecords, JSON", "PutRecords", awsapi.AmzJSON, perBatch, b.cmd.Writers},
		{"PutRecord, CBOR", "PutRecord", awsapi.AmzCBOR, 1, 4 * b.cmd.Writers},
		{"PutRecord, JSON", "PutRecord", awsapi.AmzJSON, 1, 4 * b.cmd.Writers},
	} {
		fmt.Fprintf(io.err, "measuring %s …\n", q.name)
		full, err := b.load(ctx, q.op, q.e, q.records, q.conns, 0)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", q.name, err)
		}
		full.Name = q.name
		half, err := b.load(ctx, q.op, q.e, q.records, q.conns, full.Rate/2)
		if err != nil {
			return nil, fmt.Errorf("measure %s at half load: %w", q.name, err)
		}
		half.Name = q.name + ", half load"
		reports = append(reports, full, half)
	}
	b.lastPut = time.Now()
	fmt.Fprintln(io.err, "measuring GetRecords …")
	for _, e := range []awsapi.Encoding{awsapi.AmzCBOR, awsapi.AmzJSON} {
		r, err := b.reads(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("measure GetRecords: %w", err)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// bodies are how many different requests a connection sends in turn.
const bodies = 4

// load sends requests over connections of their own, as fast as they are
// answered, or at a rate of records a second. The delay of a paced request
// counts from when it was due.
func (b *kinesisBench) load(ctx context.Context, op string, e awsapi.Encoding, records, conns int, rate float64) (requestReport, error) {
	var lat latencies
	var count atomic.Int64
	errs := make(chan error, conns)
	before, own, err := b.usage()
	if err != nil {
		return requestReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(b.cmd.Seconds)*time.Second)
	defer cancel()
	var pause time.Duration
	if rate > 0 {
		pause = time.Duration(float64(records*conns) / rate * float64(time.Second))
	}
	var wg sync.WaitGroup
	for i := range conns {
		requests := make([][]byte, bodies)
		for j := range requests {
			if requests[j], err = b.put(op, e, records); err != nil {
				return requestReport{}, err
			}
		}
		wg.Go(func() {
			due := time.Now().Add(pause * time.Duration(i) / time.Duration(conns))
			errs <- b.send(ctx, requests, func() time.Time {
				if pause == 0 {
					return time.Now()
				}
				time.Sleep(time.Until(due))
				defer func() { due = due.Add(pause) }()
				return due
			}, func(begin time.Time) { count.Add(int64(records)); lat.add(time.Since(begin)) })
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return requestReport{}, err
		}
	}
	return b.report(before, own, float64(count.Load()), &lat)
}

func (b *kinesisBench) usage() (server, own usage, err error) {
	server, err1 := b.server.usage()
	own, err2 := usageOf("self")
	return server, own, errors.Join(err1, err2)
}

func (b *kinesisBench) report(before, own usage, n float64, lat *latencies) (requestReport, error) {
	after, self, err := b.usage()
	if err != nil {
		return requestReport{}, err
	}
	span := after.at.Sub(before.at).Seconds()
	return requestReport{
		Rate: n / span, Delay: lat.spread(), ServerCPU: (after.cpu - before.cpu).Seconds() / span, OwnCPU: (self.cpu - own.cpu).Seconds() / span,
	}, nil
}

// send sends requests in turn over one connection until the context ends.
func (b *kinesisBench) send(ctx context.Context, requests [][]byte, next func() time.Time, done func(time.Time)) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.server.http, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReaderSize(conn, 64<<10)
	for i := 0; ctx.Err() == nil; i++ {
		begin := next()
		if _, err := conn.Write(requests[i%len(requests)]); err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
			return fmt.Errorf("the server answers %s: %s", answer.Status, text)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		done(begin)
	}
	return nil
}

// put is a signed request as it goes over the wire. It is sent again and again:
// signing is not what is measured, verifying is.
func (b *kinesisBench) put(op string, e awsapi.Encoding, records int) ([]byte, error) {
	key := func() *string { return new(hex.EncodeToString(benchNoise(8))) }
	var in awsapi.Value
	if op == "PutRecord" {
		in = &model.PutRecordInput{StreamName: &b.name, Data: b.cmd.record(), PartitionKey: key()}
	} else {
		list := make([]model.PutRecordsRequestEntry, records)
		for i := range list {
			list[i] = model.PutRecordsRequestEntry{Data: b.cmd.record(), PartitionKey: key()}
		}
		in = &model.PutRecordsInput{StreamName: &b.name, Records: list}
	}
	body, err := awsapi.Encode(e, in)
	if err != nil {
		return nil, err
	}
	return b.signed(op, e, body)
}

func (b *kinesisBench) signed(op string, e awsapi.Encoding, body []byte) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, b.server.http+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", e.ContentType())
	req.Header.Set("X-Amz-Target", model.Model().TargetPrefix+"."+op)
	creds, err := b.credentials(context.Background())
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(context.Background(), creds, req, hex.EncodeToString(hash[:]), "kinesis", "us-east-1", time.Now())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = req.Write(&out)
	return out.Bytes(), err
}
