package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/fragments/mkv"
	"weir/internal/testkit"
	"weir/playback/notify"
)

// configureNotices lets the notifications of a stream go to an address.
func configureNotices(t *testing.T, w *testkit.Weir, stream, uri string) {
	t.Helper()
	status, body := w.Do(t, http.MethodPost, "/updateNotificationConfiguration", map[string]any{
		"StreamName":                stream,
		"NotificationConfiguration": map[string]any{"Status": "ENABLED", "DestinationConfig": map[string]any{"Uri": uri}},
	})
	if status != http.StatusOK {
		t.Fatalf("UpdateNotificationConfiguration: %d %s", status, body)
	}
}

// putTagged puts two fragments, the second of which asks for a notification.
// It returns the number of that one.
func putTagged(t *testing.T, w *testkit.Weir, stream string) string {
	t.Helper()
	p, err := openProducer(w, stream)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	first, _ := syntheticCluster(at)
	second, _ := syntheticCluster(at.Add(time.Second))
	tags := mkv.AppendTags(nil, mkv.SimpleTag{Name: "AWS_KINESISVIDEO_NOTIFICATION"}, mkv.SimpleTag{Name: "door", Value: "open"})
	for _, part := range [][]byte{syntheticHead(t), first, tags, second} {
		if _, err := p.body.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	number := ""
	for _, a := range p.finish() {
		if a.EventType == "ERROR" {
			t.Fatalf("%+v", a)
		}
		if a.EventType == "PERSISTED" {
			number = a.FragmentNumber
		}
	}
	return number
}

// TestNotifications lets a producer ask for notifications, which go to a
// webhook and to a data stream.
func TestNotifications(t *testing.T) {
	got := make(chan []byte, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		got <- b
	}))
	defer hook.Close()
	w := testkit.StartWeir(t, binary, nil, "--camera-network", "127.0.0.1/32")
	createVideo(t, w, "hooked")
	createVideo(t, w, "streamed")
	client := kinesisClient(w)
	name := aws.String("notices")
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if err := kinesis.NewStreamExistsWaiter(client).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	configureNotices(t, w, "hooked", hook.URL+"/hook")
	configureNotices(t, w, "streamed", "arn:aws:kinesis:us-east-1:000000000000:stream/notices")

	number := putTagged(t, w, "hooked")
	select {
	case b := <-got:
		checkNotice(t, b, "hooked", number)
	case <-time.After(time.Minute):
		t.Fatalf("the webhook was not called:\n%s", w.Output())
	}
	number = putTagged(t, w, "streamed")
	checkNotice(t, firstRecord(t, client, name), "streamed", number)
}

func checkNotice(t *testing.T, b []byte, stream, number string) {
	t.Helper()
	var m notify.Message
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if m.FragmentNumber.String() != number || m.NotificationPayload["door"] != "open" || m.NotificationType != "PERSISTED" ||
		!strings.Contains(m.StreamArn, ":stream/"+stream+"/") || m.FragmentStartServerTimestamp == 0 {
		t.Errorf("the notification of %s, fragment %s, is %s", stream, number, bytes.TrimSpace(b))
	}
}

// firstRecord waits for the first record of a data stream.
func firstRecord(t *testing.T, client *kinesis.Client, name *string) []byte {
	t.Helper()
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: name})
	if err != nil {
		t.Fatal(err)
	}
	it, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: name, ShardId: shards.Shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	for next := it.ShardIterator; ; time.Sleep(50 * time.Millisecond) {
		out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Records) > 0 {
			return out.Records[0].Data
		}
		next = out.NextShardIterator
	}
}
