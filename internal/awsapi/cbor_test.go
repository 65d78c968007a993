package awsapi_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/firehose"
	"weir/internal/awsapi/kinesis"
	"weir/internal/testkit"
)

func clean(s string) string { return strings.ReplaceAll(s, " ", "") }

// cborText is a CBOR text string in hexadecimal.
func cborText(s string) string {
	return fmt.Sprintf("%02x%02x%x", 0x78, len(s), s)
}

// TestCBOR reads items written by hand after RFC 8949 and prints them as JSON.
func TestCBOR(t *testing.T) {
	name, limit, proportion := cborText("StreamName"), cborText("Limit"), cborText("Timestamp")
	items := []string{
		"a1" + name + "6161",                       // one text
		"bf" + name + "7f61616162ff" + "ff",        // in chunks, in an indefinite map
		"a1" + name + "7f4161ff",                   // a chunk of bytes in a text
		"a1" + name + "61ff",                       // no UTF-8
		"a1" + name + "4161",                       // bytes for a text
		"a1" + name + "f6",                         // null
		"a1" + name + "f7",                         // undefined
		"a1" + limit + "1a00002710",                // not the shortest form
		"a1" + limit + "29",                        // negative
		"a1" + limit + "f95640",                    // half float
		"a1" + limit + "1bffffffffffffffff",        // beyond 64 bits with a sign
		"a1" + limit + "1c",                        // reserved length
		"a1" + proportion + "c11b0000018bcfe56800", // milliseconds
		"a1" + proportion + "c11a6553f100",         // seconds
		"a1" + proportion + "c1fb41d954fc4020c49c", // seconds with a fraction
		"a1" + proportion + "c161 61",              // a time that is text
		"a1" + proportion + "fa4eca9f88",           // float without a tag
		"a1" + proportion + "f97e00",               // not a number
		"a1" + proportion + "c0c0c0c0c000",         // too many tags
		"a1 6161 a2 01 02 03 04",                   // keys that are no text
		"bf 6161 ff",                               // a key without a value
		"a1 6161 9f ff",                            // an unknown list
		"a1 6161 9bffffffffffffffff",               // a list longer than the body
		"a1 6161 " + strings.Repeat("81", 64) + "01",
		"a0 00", // more after the end
		"ff", "f6", "80", "a1", "",
	}
	var got strings.Builder
	for _, item := range items {
		body, err := hex.DecodeString(clean(item))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []awsapi.Value{new(kinesis.DescribeStreamInput), new(kinesis.GetShardIteratorInput)} {
			fmt.Fprintf(&got, "%s %s: ", clean(item), v.WireShape().Name)
			if err := awsapi.Decode(awsapi.AmzCBOR, body, v); err != nil {
				fmt.Fprintln(&got, err)
				continue
			}
			text, err := awsapi.Encode(awsapi.AmzJSON, v)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s\n", text)
		}
	}
	testkit.Golden(t, "cbor.txt", got.String())
}

// TestTimestampForms writes one instant in both encodings, and reads what Java
// sends.
func TestTimestampForms(t *testing.T) {
	in := &kinesis.GetShardIteratorInput{Timestamp: new(awsapi.Timestamp(1700000000070))}
	text, err := awsapi.Encode(awsapi.AmzJSON, in)
	if err != nil || string(text) != `{"Timestamp":1700000000.07}` {
		t.Errorf("JSON is %s, %v", text, err)
	}
	data, err := awsapi.Encode(awsapi.AmzCBOR, in)
	if want := "bf6954696d657374616d70c11b0000018bcfe56846ff"; err != nil || hex.EncodeToString(data) != want {
		t.Errorf("CBOR is %x, want %s, %v", data, want, err)
	}
	for _, body := range []string{`{"Timestamp":1700000000070}`, `{"Timestamp":1700000000.07}`, `{"Timestamp":1.70000000007e9}`} {
		got := &kinesis.GetShardIteratorInput{}
		if err := awsapi.Decode(awsapi.AmzJSON, []byte(body), got); err != nil || *got.Timestamp != *in.Timestamp {
			t.Errorf("%s reads as %v, %v", body, got.Timestamp, err)
		}
	}
}

// TestLookaround tries the patterns that were translated by hand.
func TestLookaround(t *testing.T) {
	tag := func(key string) error {
		return awsapi.Validate(&firehose.TagDeliveryStreamInput{
			DeliveryStreamName: new("d"), Tags: []firehose.Tag{{Key: new(key)}},
		})
	}
	for key, want := range map[string]bool{"team": true, "awsteam": true, "a:aws:": true, "aws:": false, "aws:x": false, "": false, "a\tb": false} {
		if err := tag(key); (err == nil) != want {
			t.Errorf("key %q: %v", key, err)
		}
	}
}
