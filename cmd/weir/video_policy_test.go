package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"weir/internal/testkit"
)

// TestVideoPolicies lets a key do on video streams what its policy allows, by
// ARN, by tags of the stream and of the request, and nothing else; who may not
// is not told what exists. What the native API makes is judged the same way.
func TestVideoPolicies(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	for name, team := range map[string]string{"cam-1": "north", "door": "south"} {
		if status, data := w.Do(t, http.MethodPost, "/createStream", map[string]any{"StreamName": name, "Tags": map[string]string{"team": team}}); status != http.StatusOK {
			t.Fatalf("%d %s", status, data)
		}
	}
	if status, data := w.Do(t, http.MethodPut, "/v1/video/cam-native", map[string]any{}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, data)
	}
	bob := makeKey(t, w, "bob", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "kinesisvideo:DescribeStream", "Resource": "arn:aws:kinesisvideo:*:*:stream/cam-*/*"},
		{"Effect": "Allow", "Action": "kinesisvideo:GetDataEndpoint", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "south"}}},
		{"Effect": "Allow", "Action": "kinesisvideo:TagStream", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/team": "east"}}},
		{"Effect": "Allow", "Action": ["kinesisvideo:CreateStream", "kinesisvideo:DeleteStream"], "Resource": "*"},
		{"Effect": "Deny", "Action": "kinesisvideo:DeleteStream", "Resource": "arn:aws:kinesisvideo:*:*:stream/door/*"}]}`)
	door := videoARN(t, w, "door")
	for _, x := range []struct {
		path   string
		body   map[string]any
		status int
	}{
		{"/describeStream", map[string]any{"StreamName": "cam-1"}, 200},
		{"/describeStream", map[string]any{"StreamName": "cam-native"}, 200},
		{"/describeStream", map[string]any{"StreamARN": videoARN(t, w, "cam-1")}, 200},
		{"/describeStream", map[string]any{"StreamName": "cam-none"}, 404},
		{"/describeStream", map[string]any{"StreamName": "door"}, 403},
		{"/describeStream", map[string]any{"StreamName": "none"}, 403},
		{"/listStreams", map[string]any{}, 403},
		{"/getDataEndpoint", map[string]any{"StreamName": "door", "APIName": "GET_MEDIA"}, 200},
		{"/getDataEndpoint", map[string]any{"StreamName": "cam-1", "APIName": "GET_MEDIA"}, 403},
		{"/tagStream", map[string]any{"StreamName": "cam-1", "Tags": map[string]string{"team": "east"}}, 200},
		{"/tagStream", map[string]any{"StreamName": "cam-1", "Tags": map[string]string{"team": "west"}}, 403},
		{"/createStream", map[string]any{"StreamName": "mine"}, 200},
		{"/createSignalingChannel", map[string]any{"ChannelName": "mine"}, 403},
		{"/deleteStream", map[string]any{"StreamARN": door}, 403},
	} {
		status, data := bob.Do(t, http.MethodPost, x.path, x.body)
		if status != x.status {
			t.Errorf("%s %v: %d %s, want %d", x.path, x.body, status, data, x.status)
		}
	}
}

// videoARN asks for the ARN of a stream.
func videoARN(t *testing.T, w *testkit.Weir, name string) string {
	t.Helper()
	status, data := w.Do(t, http.MethodPost, "/describeStream", map[string]any{"StreamName": name})
	var out struct{ StreamInfo struct{ StreamARN string } }
	if err := json.Unmarshal(data, &out); err != nil || status != http.StatusOK {
		t.Fatal(fmt.Errorf("describe %s: %d %s", name, status, data))
	}
	return out.StreamInfo.StreamARN
}
