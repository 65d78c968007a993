package awsapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/kinesis"
)

// snapshots finds a directory of wire snapshots that AWS ships in its Go client.
func snapshots(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/kinesis").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), dir, "*.snap"))
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d snapshots, %v", len(files), err)
	}
	return files
}

// bodyOf is what follows the empty line of a snapshot, without the empty line
// that a request has before its headers.
func bodyOf(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte("\n\n"))
	if at < 0 {
		t.Fatalf("%s has no body", file)
	}
	return data[at+2:]
}

// sameJSON compares two texts by what they mean.
func sameJSON(t *testing.T, name string, got, want []byte) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %q: %v", name, got, err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatalf("%s: %q: %v", name, want, err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s: got  %s\nwant %s", name, got, want)
	}
}

// through reads a body into v, takes it through CBOR and writes it as JSON.
func through(t *testing.T, name string, body []byte, v awsapi.Value) []byte {
	t.Helper()
	if err := awsapi.Decode(awsapi.AmzJSON, body, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	data, err := awsapi.Encode(awsapi.AmzCBOR, v)
	if err != nil {
		t.Fatal(err)
	}
	again := reflect.New(reflect.TypeOf(v).Elem()).Interface().(awsapi.Value)
	if err := awsapi.Decode(awsapi.AmzCBOR, data, again); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, err := awsapi.Encode(awsapi.AmzJSON, again)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSnapshots takes every request, answer and error that AWS's Go client is
// tested with through the typed shapes and both encodings. What comes out means
// what went in, so no member is unknown to us.
func TestSnapshots(t *testing.T) {
	for _, file := range snapshots(t, "request_snapshot") {
		name := strings.TrimSuffix(filepath.Base(file), ".request.snap")
		o, ok := kinesis.Model().Operation(name)
		if !ok {
			t.Errorf("there is no operation %s", name)
			continue
		}
		body := bodyOf(t, file)
		sameJSON(t, name, through(t, name, body, o.NewInput()), body)
	}
	for _, file := range snapshots(t, "response_snapshot") {
		base := filepath.Base(file)
		if name, ok := strings.CutSuffix(base, ".error.snap"); ok {
			snapshotError(t, name, bodyOf(t, file))
			continue
		}
		name := strings.TrimSuffix(base, ".response.snap")
		o, ok := kinesis.Model().Operation(name)
		if !ok {
			t.Errorf("there is no operation %s", name)
			continue
		}
		body := bytes.TrimSpace(bodyOf(t, file))
		if o.NewOutput == nil {
			if len(body) > 0 && string(body) != "{}" {
				t.Errorf("%s answers %s", name, body)
			}
			continue
		}
		sameJSON(t, name, through(t, name, body, o.NewOutput()), body)
	}
}

func snapshotError(t *testing.T, name string, body []byte) {
	t.Helper()
	for _, make := range kinesis.Model().Structures {
		x, ok := make().(awsapi.Exception)
		if !ok || x.ErrorShape().Code != name {
			continue
		}
		if err := awsapi.Decode(awsapi.AmzJSON, body, x); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameJSON(t, name, awsapi.EncodeFailure(awsapi.JSON11, awsapi.AmzJSON, x).Body, body)
		return
	}
	t.Errorf("there is no error %s", name)
}
