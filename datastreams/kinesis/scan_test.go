package kinesis

import (
	"bytes"
	"testing"

	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
)

// scan reads a body the fast way.
func scan(e awsapi.Encoding, body []byte, read func(scanner, *put) bool) (*put, bool) {
	var s scanner = &jsonScanner{in: body, data: make([]byte, 0, len(body))}
	if e == awsapi.AmzCBOR {
		s = &cborScanner{in: body}
	}
	p := &put{}
	return p, read(s, p)
}

func text(p *string) []byte {
	if p == nil {
		return nil
	}
	return []byte(*p)
}

// same tells whether an absent or present member is the same both ways.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// checkPutRecords holds the fast way against the ordinary one: what it takes,
// the model takes too, and with the same meaning.
func checkPutRecords(t *testing.T, e awsapi.Encoding, body []byte) bool {
	t.Helper()
	p, ok := scan(e, body, scanPutRecords)
	if !ok {
		return false
	}
	in := &model.PutRecordsInput{}
	if err := awsapi.Decode(e, body, in); err != nil {
		t.Fatalf("the fast way takes what does not decode: %v\n%q", err, body)
	}
	if len(in.Records) != len(p.records) || !same(text(in.StreamName), p.streamName) || !same(text(in.StreamARN), p.streamARN) {
		t.Fatalf("the fast way reads %d records of %q, the ordinary one %d of %v\n%q", len(p.records), p.streamName, len(in.Records), in.StreamName, body)
	}
	for i, r := range in.Records {
		f := p.records[i]
		if !same(r.Data, f.data) || !same(text(r.PartitionKey), f.partitionKey) || !same(text(r.ExplicitHashKey), f.explicitHashKey) {
			t.Fatalf("record %d differs: %q %q %q, want %q\n%q", i, f.data, f.partitionKey, f.explicitHashKey, r.Data, body)
		}
	}
	in.StreamName, in.StreamARN, in.StreamId = new("n"), nil, nil // they are checked apart
	if err := awsapi.Validate(in); err != nil {
		t.Fatalf("the fast way takes what breaks the model: %v\n%q", err, body)
	}
	return true
}

func checkPutRecord(t *testing.T, e awsapi.Encoding, body []byte) bool {
	t.Helper()
	p, ok := scan(e, body, scanPutRecord)
	if !ok {
		return false
	}
	in := &model.PutRecordInput{}
	if err := awsapi.Decode(e, body, in); err != nil {
		t.Fatalf("the fast way takes what does not decode: %v\n%q", err, body)
	}
	r := p.records[0]
	if !same(in.Data, r.data) || !same(text(in.PartitionKey), r.partitionKey) || !same(text(in.ExplicitHashKey), r.explicitHashKey) ||
		!same(text(in.StreamName), p.streamName) || !same(text(in.SequenceNumberForOrdering), p.ordering) {
		t.Fatalf("the fast way reads %+v, the ordinary one %+v\n%q", r, in, body)
	}
	return true
}

func sample() *model.PutRecordsInput {
	return &model.PutRecordsInput{StreamName: new("orders"), Records: []model.PutRecordsRequestEntry{
		{Data: []byte("a"), PartitionKey: new("k")}, {Data: []byte{}, PartitionKey: new("kö"), ExplicitHashKey: new("0")},
		{Data: bytes.Repeat([]byte{0xff, '"', '\\'}, 50), PartitionKey: new("k"), ExplicitHashKey: new("340282366920938463463374607431768211455")},
	}}
}

// TestScan shows that ordinary bodies take the fast way, and which do not.
func TestScan(t *testing.T) {
	for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
		body, err := awsapi.Encode(e, sample())
		if err != nil {
			t.Fatal(err)
		}
		if !checkPutRecords(t, e, body) {
			t.Errorf("%s: an ordinary body is not taken", e.ContentType())
		}
		one, err := awsapi.Encode(e, &model.PutRecordInput{StreamName: new("s"), Data: []byte("x"), PartitionKey: new("k"), SequenceNumberForOrdering: new("49")})
		if err != nil {
			t.Fatal(err)
		}
		if !checkPutRecord(t, e, one) {
			t.Errorf("%s: an ordinary record is not taken", e.ContentType())
		}
	}
	for _, body := range []string{
		``, `{}`, `{"StreamName":"s"}`, `{"StreamName":"s","Records":[]}`, `{"Records":[{"Data":"YQ==","PartitionKey":"k"}]}`,
		`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k"}}}`, `{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k"}]} x`,
		`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":""}]}`, `{"StreamName":"s","Records":[{"Data":"YR==","PartitionKey":"k"}]}`,
		"{\"StreamName\":\"s\",\"Records\":[{\"Data\":\"YWJj\nYWJj\",\"PartitionKey\":\"k\"}]}", `{"StreamName":"s","Records":[{"PartitionKey":"k"}]}`,
		`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"\u006b"}]}`, `{"StreamName":"s","Records":[{"Data":null,"PartitionKey":"k"}]}`,
		`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k"},]}`, `{"StreamName":"s","DryRun":true,"Records":[{"Data":"YQ==","PartitionKey":"k"}]}`,
		`{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"01"}]}`, `{"StreamName":"s","StreamName":"t","Records":[{"Data":"YQ=="}]}`,
	} {
		if checkPutRecords(t, awsapi.AmzJSON, []byte(body)) {
			t.Errorf("%s takes the fast way", body)
		}
	}
}

func FuzzScanJSON(f *testing.F) { fuzzScan(f, awsapi.AmzJSON) }
func FuzzScanCBOR(f *testing.F) { fuzzScan(f, awsapi.AmzCBOR) }

func fuzzScan(f *testing.F, e awsapi.Encoding) {
	for _, v := range []awsapi.Value{sample(), &model.PutRecordInput{StreamName: new("s"), Data: []byte("x"), PartitionKey: new("k")}} {
		body, err := awsapi.Encode(e, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("\xa2jStreamNameasgRecords\x81\xa2dDataBxxlPartitionKeyak"))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkPutRecords(t, e, body)
		checkPutRecord(t, e, body)
	})
}

// BenchmarkScan reads 500 records of 1 KiB.
func BenchmarkScan(b *testing.B) {
	in := &model.PutRecordsInput{StreamName: new("orders")}
	for range 500 {
		in.Records = append(in.Records, model.PutRecordsRequestEntry{Data: make([]byte, 1024), PartitionKey: new("customer-4711")})
	}
	for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
		b.Run(e.ContentType(), func(b *testing.B) {
			body, err := awsapi.Encode(e, in)
			if err != nil {
				b.Fatal(err)
			}
			buffer := make([]byte, 0, len(body))
			p := &put{}
			b.ReportAllocs()
			for b.Loop() {
				*p = put{records: p.records[:0]}
				var s scanner = &jsonScanner{in: body, data: buffer}
				if e == awsapi.AmzCBOR {
					s = &cborScanner{in: body}
				}
				if !scanPutRecords(s, p) {
					b.Fatal("not taken")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/record")
		})
	}
}

// TestScratchAgain shows that the fast way is taken by every put, not only by
// the first that has a scratch.
func TestScratchAgain(t *testing.T) {
	for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
		body, err := awsapi.Encode(e, sample())
		if err != nil {
			t.Fatal(err)
		}
		s := new(scratch)
		for range 3 {
			if !scanPutRecords(s.scanner(e, body), &s.put) || len(s.put.records) != 3 {
				t.Fatalf("%s: an ordinary body is not taken", e.ContentType())
			}
			if stream, ok := s.ref(); !ok || stream.Name != "orders" {
				t.Fatalf("the stream is %+v", stream)
			}
			if s.fill(); len(s.entries) != 3 || len(s.results) != 3 || s.entries[1].PartitionKey != "kö" {
				t.Fatalf("entries %+v", s.entries)
			}
			s.release()
		}
	}
}
