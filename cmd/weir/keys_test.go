package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// makeKey makes a key with one document and returns a server handle that uses
// it.
func makeKey(t *testing.T, w *testkit.Weir, name, document string) *testkit.Weir {
	t.Helper()
	status, data := w.Do(t, http.MethodPost, "/v1/keys", map[string]any{
		"name": name, "policies": []any{map[string]any{"document": json.RawMessage(document)}},
	})
	var key struct{ AccessKey, SecretKey string }
	if err := json.Unmarshal(data, &key); status != http.StatusCreated || err != nil {
		t.Fatalf("make key: %d %s", status, data)
	}
	other := *w
	other.AccessKey, other.SecretKey = key.AccessKey, key.SecretKey
	return &other
}

// TestPolicies lets a key into what its policy allows and nothing else, for
// the client of the SDK: by name, by tags, by a deny, and by the policy of the
// stream.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	root := kinesisClient(w)
	ctx := context.Background()
	for _, name := range []string{"orders", "secret"} {
		if _, err := root.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1), Tags: map[string]string{"team": "shop"}}); err != nil {
			t.Fatal(err)
		}
		if err := kinesis.NewStreamExistsWaiter(root, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond }).
			Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	bob := kinesisClient(makeKey(t, w, "bob", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": "arn:aws:kinesis:*:*:stream/orders"},
		{"Effect": "Allow", "Action": "kinesis:Describe*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}}},
		{"Effect": "Deny", "Action": "kinesis:DeleteStream", "Resource": "*"}]}`))
	put := func(name string) error {
		_, err := bob.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: []byte("x")})
		return err
	}
	want := func(what string, err error, text string) {
		t.Helper()
		var denied *types.AccessDeniedException
		switch {
		case text == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case text != "" && (!errors.As(err, &denied) || !strings.Contains(denied.ErrorMessage(), text)):
			t.Errorf("%s: %v, want %s", what, err, text)
		}
	}
	const secret = "arn:aws:kinesis:us-east-1:000000000000:stream/secret"
	want("put", put("orders"), "")
	want("put elsewhere", put("secret"), "User: arn:aws:iam::000000000000:user/bob is not authorized to perform: kinesis:PutRecord on resource: "+secret+" because no identity-based policy allows the kinesis:PutRecord action")
	_, err := bob.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("secret")})
	want("describe by tag", err, "")
	_, err = bob.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("orders")})
	want("delete", err, "with an explicit deny in an identity-based policy")
	_, err = bob.ListStreams(ctx, &kinesis.ListStreamsInput{})
	want("list", err, "on resource: * because")

	if _, err := root.PutResourcePolicy(ctx, &kinesis.PutResourcePolicyInput{ResourceARN: aws.String(secret), Policy: aws.String(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/bob"}, "Action": "kinesis:PutRecord", "Resource": "` + secret + `"},
		{"Effect": "Deny", "Principal": "*", "Action": "kinesis:Describe*", "Resource": "` + secret + `"}]}`)}); err != nil {
		t.Fatal(err)
	}
	want("put by the stream's policy", put("secret"), "")
	_, err = bob.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("secret")})
	want("describe against the stream's policy", err, "with an explicit deny in a resource-based policy")

	unknown := *w
	unknown.AccessKey = "AKIANOBODY"
	_, err = kinesisClient(&unknown).ListStreams(ctx, &kinesis.ListStreamsInput{})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("an unknown key: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(w.DataDir, "audit.log"))
	if err != nil || strings.Count(string(log), `"kind":"denied"`) != 5 || !strings.Contains(string(log), `"who":"AKIANOBODY"`) {
		t.Errorf("the audit log: %v\n%s", err, log)
	}
	if _, metrics := request(t, http.MethodGet, w.HTTP+"/metrics", ""); !strings.Contains(metrics, `weir_denied_total{code="access_denied"} 4`) {
		t.Error("the metrics do not count denials")
	}
}

// TestSignedNativeAPI signs requests to the native API: with curl, and in the
// address.
func TestSignedNativeAPI(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	curl := func(secret string) string {
		cmd := exec.Command("curl", "-sS", "--aws-sigv4", "aws:amz:eu-central-1:weir", "--user", w.AccessKey+":"+secret,
			"-X", "PUT", "-H", "Content-Type: application/json", "-d", `{"retention":{"hours":5}}`, w.HTTP+"/v1/video/porch")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := curl(w.SecretKey); !strings.Contains(out, `"name":"porch"`) {
		t.Errorf("curl: %s", out)
	}
	if out := curl("wrong"); !strings.Contains(out, `"code":"invalid_signature"`) {
		t.Errorf("curl with a wrong secret: %s", out)
	}
	r, err := http.NewRequest(http.MethodGet, w.HTTP+"/v1/video/porch?X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	address, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: w.AccessKey, SecretAccessKey: w.SecretKey}, r, empty, "weir", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if answer, body := request(t, http.MethodGet, address, ""); answer.StatusCode != http.StatusOK {
		t.Errorf("a presigned address: %d %s", answer.StatusCode, body)
	}
	if answer, body := request(t, http.MethodGet, strings.Replace(address, "porch", "torch", 1), ""); answer.StatusCode != http.StatusForbidden {
		t.Errorf("an altered one: %d %s", answer.StatusCode, body)
	}
}

// TestKeysForVideo pushes and plays with keys that may do one of the two.
func TestKeysForVideo(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	for _, name := range []string{"cam", "other"} {
		if status, body := w.Do(t, http.MethodPut, "/v1/video/"+name, map[string]any{}); status != http.StatusCreated {
			t.Fatalf("PUT: %d %s", status, body)
		}
	}
	camera := makeKey(t, w, "cam", `{"Statement": {"Effect": "Allow", "Action": "kinesisvideo:PutMedia", "Resource": "arn:aws:kinesisvideo:*:*:stream/${aws:username}/*"}}`)
	screen := makeKey(t, w, "screen", `{"Statement": [
		{"Effect": "Allow", "Action": ["kinesisvideo:GetClip", "kinesisvideo:DescribeStream"], "Resource": "arn:aws:kinesisvideo:*:*:stream/cam/*"}]}`)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 50, 25, false, "-c:v", "libx264", "-g", "25")
	push(t, camera, "cam", source, tcp()...)
	recorded(t, w, "cam")
	for _, refused := range []string{camera.PublishURL("other"), camera.PublishURL("new"), screen.PublishURL("cam")} {
		ingesttest.RunFailing(t, "ffmpeg", "-loglevel", "error", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", refused)
	}
	for _, c := range []struct {
		who    *testkit.Weir
		path   string
		status int
	}{
		{screen, "/v1/video/cam/clip.mp4" + everything(), http.StatusOK},
		{screen, "/v1/video/cam/hls/index.m3u8", http.StatusForbidden},
		{screen, "/v1/video/other", http.StatusForbidden},
		{camera, "/v1/video/cam/clip.mp4" + everything(), http.StatusForbidden},
		{camera, "/v1/keys", http.StatusForbidden},
	} {
		if status, body := c.who.Do(t, http.MethodGet, c.path, nil); status != c.status {
			t.Errorf("%s for %s: %d, want %d: %.200s", c.path, c.who.AccessKey, status, c.status, body)
		}
	}
	if status, body := screen.Do(t, http.MethodPost, "/v1/video/cam/url", map[string]string{"format": "hls"}); status < 400 {
		t.Errorf("who may take clips gets an address for HLS: %d %s", status, body)
	}
	if status, body := screen.Do(t, http.MethodPost, "/v1/video/cam/url", map[string]string{"format": "clip", "start": "-1h", "end": "now"}); status >= 500 {
		t.Errorf("an address for a clip: %d %s", status, body)
	}
	log, err := os.ReadFile(filepath.Join(w.DataDir, "audit.log"))
	if err != nil || !strings.Contains(string(log), `"action":"ANNOUNCE publish","resource":"other"`) {
		t.Errorf("the audit log: %v\n%s", err, log)
	}
}
