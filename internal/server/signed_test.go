package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"weir/internal/auth"
)

// signedRoute registers a route as an AWS service has it.
func (b *bench) signedRoute() {
	b.Handle("POST /{$}", func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		body, ok := auth.SignedBody(r)
		scope, signed := id.Scope()
		if !ok || !signed || !json.Valid(body) || scope.Service != "kinesis" {
			b.Errorf("the handler got body %q (%v) for %+v", body, ok, scope)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprintf(w, `{"StreamNames":["%d bytes"],"HasMoreStreams":false}`, len(body))
	}, Services("kinesis"), BodyLimit(200<<10), Refuse(func(w http.ResponseWriter, r *http.Request, err error) {
		a := auth.Refusal(err).AWS(false)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(a.Status)
		fmt.Fprintf(w, `{"__type":%q,"message":%q}`, a.Code, a.Message)
	}))
}

// TestSDK calls a route with the client of the AWS SDK, over HTTP/1.1 and h2c.
func TestSDK(t *testing.T) {
	b := newBench(t, nil)
	b.signedRoute()
	b.start()
	for _, h2 := range []bool{false, true} {
		client := b.client(func(tr *http.Transport) {
			if h2 {
				tr.Protocols = new(http.Protocols)
				tr.Protocols.SetUnencryptedHTTP2(true)
			}
		})
		call := func(access, secret, token string) error {
			c := kinesis.New(kinesis.Options{
				Region: "us-east-1", BaseEndpoint: aws.String("http://" + b.Addr().String()), HTTPClient: client, Retryer: aws.NopRetryer{},
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, SessionToken: token}, nil
				}),
			})
			out, err := c.ListStreams(context.Background(), &kinesis.ListStreamsInput{Limit: aws.Int32(7)})
			if err == nil && (len(out.StreamNames) != 1 || out.StreamNames[0] != "11 bytes") {
				t.Errorf("the answer is %v", out.StreamNames)
			}
			return err
		}
		if err := call("ROOT", "top-secret", ""); err != nil {
			t.Error(err)
		}
		for _, c := range []struct{ access, secret, token, code string }{
			{"ROOT", "top-secret!", "", "InvalidSignatureException"},
			{"NOBODY", "top-secret", "", "UnrecognizedClientException"},
			{"ROOT", "top-secret", "token", "UnrecognizedClientException"},
		} {
			var e smithy.APIError
			if err := call(c.access, c.secret, c.token); !errors.As(err, &e) || e.ErrorCode() != c.code {
				t.Errorf("%+v gives %v", c, err)
			}
		}
		client.CloseIdleConnections()
	}
}

// TestSignedRouteRefusals answers what is not signed in the words of AWS.
func TestSignedRouteRefusals(t *testing.T) {
	b := newBench(t, nil)
	b.signedRoute()
	b.start()
	c := b.client(nil)
	defer c.CloseIdleConnections()
	for _, x := range []struct {
		body, authorization string
		status              int
		code                string
	}{
		{"{}", "", 400, "MissingAuthenticationTokenException"},
		{"{}", "AWS4-HMAC-SHA256 x", 400, "IncompleteSignatureException"},
		{"{}", "Basic Uk9PVDp3cm9uZw==", 400, "UnrecognizedClientException"},
		{strings.Repeat("x", 201<<10), "", 413, "RequestEntityTooLarge"},
	} {
		headers := []string{}
		if x.authorization != "" {
			headers = []string{"Authorization", x.authorization}
		}
		answer, body := b.do(c, "POST", "/", x.body, headers...)
		if answer.StatusCode != x.status || !strings.Contains(body, `"__type":"`+x.code+`"`) {
			t.Errorf("%.20q with %q: %d %s", x.body, x.authorization, answer.StatusCode, body)
		}
	}
}

// TestUnverifiedBodyIsNotRead sends the head of a request with a key that does
// not exist: the refusal comes before any of the body.
func TestUnverifiedBodyIsNotRead(t *testing.T) {
	b := newBench(t, nil)
	b.signedRoute()
	b.start()
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nX-Amz-Date: 20200101T000000Z\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=NOBODY/20200101/us-east-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature="+
		strings.Repeat("0", 64)+"\r\n\r\n")
	head := make([]byte, 12)
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 400" {
		t.Fatalf("%q, %v", head, err)
	}
}
