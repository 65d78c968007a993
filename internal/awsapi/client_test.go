package awsapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/internal/awsapi"
	"weir/internal/awsapi/kinesis"
)

// records answers two operations with fixed values and refuses all others.
func records(w http.ResponseWriter, r *http.Request) {
	out, err := func() (awsapi.Value, error) {
		e, ok := awsapi.ParseContentType(r.Header.Get("Content-Type"))
		name, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), kinesis.Model().TargetPrefix+".")
		o, known := kinesis.Model().Operation(name)
		if !ok || !found || !known {
			return nil, awsapi.UnknownOperation()
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, awsapi.MaxBody))
		if err != nil {
			return nil, err
		}
		in := o.NewInput()
		if err := awsapi.Decode(e, body, in); err != nil {
			return nil, err
		}
		if err := awsapi.Validate(in); err != nil {
			return nil, err
		}
		switch in := in.(type) {
		case *kinesis.GetRecordsInput:
			return &kinesis.GetRecordsOutput{Records: []kinesis.Record{{
				Data: []byte(*in.ShardIterator), PartitionKey: new("k"), SequenceNumber: new("1"),
				ApproximateArrivalTimestamp: new(awsapi.Timestamp(1700000000123)),
			}}}, nil
		default:
			return nil, &kinesis.ResourceNotFoundException{Message: new("Stream X under account N not found.")}
		}
	}()
	if err != nil {
		f := awsapi.EncodeFailure(awsapi.JSON11, awsapi.AmzJSON, err)
		w.Header().Set("Content-Type", f.Header.Get("Content-Type"))
		w.WriteHeader(f.Status)
		w.Write(f.Body)
		return
	}
	body, err := awsapi.Encode(awsapi.AmzJSON, out)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", awsapi.AmzJSON.ContentType())
	w.Write(body)
}

// TestClient lets AWS's own client read answers and errors.
func TestClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(records))
	defer server.Close()
	c := client.New(client.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, nil
		}),
	})
	got, err := c.GetRecords(t.Context(), &client.GetRecordsInput{ShardIterator: aws.String("it")})
	if err != nil {
		t.Fatal(err)
	}
	r := got.Records[0]
	if string(r.Data) != "it" || *r.SequenceNumber != "1" || !r.ApproximateArrivalTimestamp.Equal(time.UnixMilli(1700000000123)) {
		t.Errorf("got %+v", r)
	}
	_, err = c.DescribeStream(t.Context(), &client.DescribeStreamInput{StreamName: aws.String("x")})
	if missing, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || missing.ErrorMessage() != "Stream X under account N not found." {
		t.Errorf("got %v", err)
	}
	_, err = c.DescribeStream(t.Context(), &client.DescribeStreamInput{StreamName: aws.String("a b")})
	if invalid, ok := errors.AsType[*types.ValidationException](err); !ok || !strings.Contains(invalid.ErrorMessage(), "at 'streamName'") {
		t.Errorf("got %v", err)
	}
}
