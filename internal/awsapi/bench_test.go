package awsapi_test

import (
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/kinesis"
)

// BenchmarkPutRecords reads and checks 500 records of 1 KiB.
func BenchmarkPutRecords(b *testing.B) {
	in := &kinesis.PutRecordsInput{StreamName: new("orders")}
	for range 500 {
		in.Records = append(in.Records, kinesis.PutRecordsRequestEntry{Data: make([]byte, 1024), PartitionKey: new("customer-4711")})
	}
	for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
		b.Run(e.ContentType(), func(b *testing.B) {
			body, err := awsapi.Encode(e, in)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				v := &kinesis.PutRecordsInput{}
				if err := awsapi.Decode(e, body, v); err != nil {
					b.Fatal(err)
				}
				if err := awsapi.Validate(v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/record")
		})
	}
}
