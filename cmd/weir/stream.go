package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// streamCmd are the commands on data streams. Its flags hold for all of them.
// They speak the Kinesis API, as any client does.
type streamCmd struct {
	remote
	outputFlag
	Ls     streamLsCmd     `cmd:"" aliases:"list" help:"List the data streams."`
	Create streamCreateCmd `cmd:"" help:"Create a data stream."`
	Show   streamShowCmd   `cmd:"" help:"Show one data stream with its shards."`
	Put    streamPutCmd    `cmd:"" help:"Put each line of standard input as a record."`
	Tail   streamTailCmd   `cmd:"" help:"Print records as they arrive, or from a time on."`
	Split  streamSplitCmd  `cmd:"" help:"Split a shard in two."`
	Merge  streamMergeCmd  `cmd:"" help:"Merge two shards that lie side by side."`
	Rm     streamRmCmd     `cmd:"" help:"Delete a data stream with all its records."`
}

// Help shows how it is used.
func (streamCmd) Help() string {
	return `The server is the one at --endpoint. The keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else those that a server on this machine keeps in its data directory.

Examples:

  weir stream create orders --shards 4
  echo '{"id":1}' | weir stream put orders
  weir stream tail orders --from -10m
  weir stream split orders shardId-000000000000`
}

// Times of the data stream commands.
const (
	streamSettle  = 2 * time.Minute        // a change of a stream takes no longer
	streamRecheck = 100 * time.Millisecond // how often it is looked at meanwhile
)

// kinesis returns a client of the server's Kinesis API.
func (s *streamCmd) kinesis() (*kinesis.Client, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(c.endpoint.String()), Region: "us-east-1", RetryMaxAttempts: 3,
		HTTPClient: &http.Client{Transport: plainBody{c.http.Transport}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.keys.AccessKey, SecretAccessKey: c.keys.Secret.Reveal()}, nil
		}),
	}), nil
}

// plainBody hides from net/http that the SDK's request bodies can write
// themselves. The SDK closes a body when the answer comes; when that is before
// net/http has looked for an end of the body, WriteTo of the SDK takes the end
// for a failure, and the connection is closed under the answer.
type plainBody struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.RoundTripper.RoundTrip(r)
}

// explain makes an error of the SDK one for people.
func (s *streamCmd) explain(err error) error {
	var api smithy.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s; start one with weir serve, or name another with --endpoint or WEIR_ENDPOINT", s.Endpoint)
	case errors.As(err, &api):
		text := api.ErrorMessage()
		if text == "" {
			text = api.ErrorCode()
		}
		switch api.ErrorCode() {
		case "UnrecognizedClientException", "InvalidSignatureException":
			text += "; take the keys of this server: eval $(weir env --data-dir DIR)"
		}
		return errors.New(text)
	}
	return err
}

// settled waits until a stream is active, and returns its summary.
func settled(ctx context.Context, c *kinesis.Client, name string) (*types.StreamDescriptionSummary, error) {
	ctx, cancel := context.WithTimeout(ctx, streamSettle)
	defer cancel()
	for {
		out, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		if err != nil {
			return nil, err
		}
		if out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return out.StreamDescriptionSummary, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is still %s", name, out.StreamDescriptionSummary.StreamStatus)
		case <-time.After(streamRecheck):
		}
	}
}

// allShards lists all shards of a stream that have not expired.
func allShards(ctx context.Context, c *kinesis.Client, name string) ([]types.Shard, error) {
	var list []types.Shard
	in := &kinesis.ListShardsInput{StreamName: &name}
	for {
		page, err := c.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		list = append(list, page.Shards...)
		if page.NextToken == nil {
			return list, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}
