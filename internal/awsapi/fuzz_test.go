package awsapi_test

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/firehose"
	"weir/internal/awsapi/kinesis"
)

// targets are structures that between them have members of every kind.
func targets() []awsapi.Value {
	return []awsapi.Value{new(kinesis.PutRecordsInput), new(kinesis.CreateStreamInput), new(kinesis.GetRecordsOutput), new(firehose.CreateDeliveryStreamInput)}
}

// distinct tells whether the times of a value are where seconds and milliseconds
// differ by magnitude; others may be read as something else.
func distinct(v awsapi.Value) bool {
	out, ok := v.(*kinesis.GetRecordsOutput)
	return !ok || !slices.ContainsFunc(out.Records, func(r kinesis.Record) bool {
		at := r.ApproximateArrivalTimestamp
		return at != nil && (*at <= 1e11 || *at > 1e14)
	})
}

// again wants what was read to be written and read as the same.
func again(t *testing.T, e awsapi.Encoding, got awsapi.Value) {
	if !distinct(got) {
		return
	}
	body, err := awsapi.Encode(e, got)
	if err != nil {
		t.Fatal(err)
	}
	back := reflect.New(reflect.TypeOf(got).Elem()).Interface().(awsapi.Value)
	if err := awsapi.Decode(e, body, back); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	twice, err := awsapi.Encode(e, back)
	if err != nil {
		t.Fatal(err)
	}
	if string(body) != string(twice) {
		t.Fatalf("%q becomes %q", body, twice)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"StreamName":"a","Records":[{"Data":"AAEC","PartitionKey":"k\n\u00e9"}]}`,
		`{"StreamName":"a","ShardCount":2,"Tags":{"k":"v"},"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}`,
		`{"Records":[{"ApproximateArrivalTimestamp":1.7e9,"SequenceNumber":"1"}],"MillisBehindLatest":-0}`,
		`{"Unknown":[[{}],1e3,null,true]}`, `{`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range targets() {
			if awsapi.Decode(awsapi.AmzJSON, body, v) != nil {
				continue
			}
			if len(body) > 0 && !json.Valid(body) {
				t.Fatalf("took %q, which is no JSON", body)
			}
			_ = awsapi.Validate(v)
			again(t, awsapi.AmzCBOR, v)
		}
	})
}

func FuzzDecodeCBOR(f *testing.F) {
	for _, s := range []string{
		"bf6a53747265616d4e616d656161675265636f7264739fa2644461746143000102 6c506172746974696f6e4b6579616bffff",
		"a16a53747265616d4e616d657f61616162ff",
		"a1675265636f72647381a1781b417070726f78696d6174654172726976616c54696d657374616d70c11b0000018bcfe56800",
		"a1724d696c6c6973426568696e644c6174657374f93c00", "bf", "f6", "9f",
	} {
		b, err := hex.DecodeString(clean(s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range targets() {
			if awsapi.Decode(awsapi.AmzCBOR, body, v) != nil {
				continue
			}
			_ = awsapi.Validate(v)
			again(t, awsapi.AmzJSON, v)
		}
	})
}
