package awsapi_test

import (
	"net/http"
	"strings"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/kvmedia"
)

// TestHeaders reads an input that comes in headers and writes an output whose
// body is a stream.
func TestHeaders(t *testing.T) {
	o, ok := kvmedia.Model().Route(http.MethodPost, "/putMedia")
	if !ok {
		t.Fatal("there is no route to PutMedia")
	}
	in := o.NewInput().(*kvmedia.PutMediaInput)
	awsapi.DecodeHeader(http.Header{
		"X-Amzn-Stream-Name":            {"a b"},
		"X-Amzn-Stream-Arn":             {""},
		"X-Amzn-Fragment-Timecode-Type": {"ABSOLUTE"},
	}, in)
	if *in.StreamName != "a b" || in.StreamARN != nil || *in.FragmentTimecodeType != kvmedia.FragmentTimecodeTypeAbsolute {
		t.Errorf("got %+v", in)
	}
	if err := awsapi.Validate(in); err == nil || !strings.Contains(err.Error(), "Value 'a b' at 'streamName'") {
		t.Errorf("got %v", err)
	}
	h := http.Header{}
	out := &kvmedia.GetMediaOutput{ContentType: new("video/webm"), Payload: strings.NewReader("mkv")}
	awsapi.EncodeHeader(h, out)
	body, err := awsapi.Encode(awsapi.PlainJSON, out)
	if h.Get("Content-Type") != "video/webm" || string(body) != "{}" || err != nil {
		t.Errorf("got %v and %s, %v", h, body, err)
	}
}
