package awsserve_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
	"weir/internal/server"
	"weir/internal/testkit"
)

// routes catches the one route that a mux registers.
type routes struct{ handler server.Handler }

func (r *routes) Handle(_ string, h server.Handler, _ ...server.RouteOption) { r.handler = h }
func (r *routes) Public(_ string, _ http.Handler, _ ...server.RouteOption)   {}
func (r *routes) ServeHTTP(w http.ResponseWriter, x *http.Request) {
	r.handler(w, x, auth.Internal("test"))
}
func refuseAll(*awsserve.Call, awsapi.Value) (awsapi.Value, error) {
	return nil, errors.New("secret cause")
}
func write(_ *awsserve.Call, in *kinesis.PutRecordInput, w *awsapi.Writer) error {
	w.OpenMap()
	w.Key("ShardId")
	w.Text(*in.PartitionKey)
	w.CloseMap()
	return nil
}

// quick answers PutRecord for one body only.
func quick(_ *awsserve.Call, body []byte, w *awsapi.Writer) (bool, error) {
	if !bytes.Contains(body, []byte("quick")) {
		return false, nil
	}
	w.OpenMap()
	w.CloseMap()
	return true, nil
}

func events(c *awsserve.Call, in awsapi.Value, w http.ResponseWriter) error {
	if *in.(*kinesis.SubscribeToShardInput).ShardId == "none" {
		return &kinesis.ResourceNotFoundException{Message: new("no such shard")}
	}
	e, err := awsserve.NewEvents(c, w)
	if err != nil {
		return err
	}
	if err := e.Send("SubscribeToShardEvent", []byte(`{"Records":[]}`)); err != nil {
		return err
	}
	return e.Fail(&kinesis.ResourceInUseException{Message: new("taken over")})
}

// serving returns a server with a service that answers a few operations.
func serving(t *testing.T) http.Handler {
	t.Helper()
	m, err := awsserve.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]awsserve.Entry{}
	for _, o := range kinesis.Model().Operations {
		entries[o.Name] = awsserve.Entry{Answer: refuseAll}
	}
	entries["PutRecord"] = awsserve.Writes(write)
	e := entries["PutRecord"]
	e.Fast = quick
	entries["PutRecord"] = e
	entries["SubscribeToShard"] = awsserve.Entry{Stream: events}
	entries["DeleteStream"] = awsserve.Does(func(*awsserve.Call, *kinesis.DeleteStreamInput) error { return nil })
	entries["DescribeLimits"] = awsserve.Returns(func(*awsserve.Call, *kinesis.DescribeLimitsInput) (*kinesis.DescribeLimitsOutput, error) {
		return &kinesis.DescribeLimitsOutput{ShardLimit: new(int32(7))}, nil
	})
	if err := m.Add(&awsserve.Service{Model: kinesis.Model(), Entries: entries}); err != nil {
		t.Fatal(err)
	}
	r := &routes{}
	m.Register(r)
	return r
}

// TestAnswers is a transcript of requests and answers.
func TestAnswers(t *testing.T) {
	const json, cbor = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
	var b strings.Builder
	h := serving(t)
	for _, x := range []struct{ target, content, body string }{
		{"Kinesis_20131202.DescribeLimits", json, "{}"},
		{"Kinesis_20131202.DescribeLimits", json + "; charset=utf-8", ""},
		{"Kinesis_20131202.DescribeLimits", cbor, "\xa0"},
		{"Kinesis_20131202.DeleteStream", json, `{"StreamName":"s"}`},
		{"Kinesis_20131202.PutRecord", json, `{"StreamName":"s","Data":"YQ==","PartitionKey":"k"}`},
		{"Kinesis_20131202.PutRecord", json, `{"StreamName":"quick","Data":"YQ==","PartitionKey":"k"}`},
		{"Kinesis_20131202.PutRecord", cbor, "\xa3jStreamNameasdDataAalPartitionKeyak"},
		{"Kinesis_20131202.PutRecord", json, `{"StreamName":"s","PartitionKey":"k"}`},
		{"Kinesis_20131202.PutRecord", json, `{"StreamName":`},
		{"Kinesis_20131202.PutRecord", cbor, "\xa1"},
		{"Kinesis_20131202.PutRecord", json, `{"StreamName":"s","Data":7,"PartitionKey":"k"}`},
		{"Kinesis_20131202.ListStreams", json, `{}`},
		{"Kinesis_20131202.SubscribeToShard", json, `{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"none","StartingPosition":{"Type":"LATEST"}}`},
		{"Kinesis_20131202.Nothing", json, `{}`},
		{"DynamoDB_20120810.ListTables", json, `{}`},
		{"", json, `{}`},
		{"Kinesis_20131202.ListStreams", "text/plain", `{}`},
		{"Kinesis_20131202.ListStreams", "", `{}`},
		{"Kinesis_20131202.PutRecord", json, strings.Repeat("[", 100_000)},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(x.body))
		r.Header.Set("X-Amz-Target", x.target)
		r.Header.Set("Content-Type", x.content)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Header().Get("X-Amz-Id-2") == "" {
			t.Errorf("%s: no id", x.target)
		}
		fmt.Fprintf(&b, "%s %s %.120q\n  %d %s %q\n", x.target, x.content, x.body, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	testkit.Golden(t, "answers.txt", b.String())
}

// TestEvents reads an event stream as clients do.
func TestEvents(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(
		`{"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"0","StartingPosition":{"Type":"LATEST"}}`))
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.SubscribeToShard")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	w := httptest.NewRecorder()
	serving(t).ServeHTTP(w, r)
	var b strings.Builder
	d := eventstream.NewDecoder()
	for {
		m, err := d.Decode(w.Body, nil)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range m.Headers {
			fmt.Fprintf(&b, "%s=%s ", h.Name, h.Value)
		}
		fmt.Fprintf(&b, "%s\n", m.Payload)
	}
	testkit.Golden(t, "events.txt", b.String())
}

// TestAddNeedsAll shows that an operation cannot be forgotten.
func TestAddNeedsAll(t *testing.T) {
	m, err := awsserve.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	err = m.Add(&awsserve.Service{Model: kinesis.Model(), Entries: map[string]awsserve.Entry{}})
	if err == nil || !regexp.MustCompile(`AddTagsToStream has no answer`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
