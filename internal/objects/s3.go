package objects

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

const (
	dialTimeout   = 5 * time.Second
	tlsTimeout    = 10 * time.Second
	answerTimeout = time.Minute // from the last byte of a request to the first of the answer
	idleConns     = 64
)

// S3Options say where a bucket is and how to get into it.
type S3Options struct {
	Endpoint string // "http://127.0.0.1:9000" or "https://…"
	Region   string
	Bucket   string
	Prefix   string // of every key, "" or "a/b/"
	// Credentials, where nil the standard AWS chain: environment, shared
	// files, web identity, instance role.
	Credentials *credentials.Credentials
	// CreateBucket makes the bucket when it is missing.
	CreateBucket bool
	// Transport replaces the HTTP transport, for tests.
	Transport http.RoundTripper
	// PartSize of multipart uploads, in bytes; 0 means 16 MiB. A body of more
	// than two parts is uploaded in parts.
	PartSize int64
}

// S3 is a store in a bucket. CRC32C goes along with every upload and is
// compared by the store; it is also kept as metadata of the object, because
// not every S3 server gives the checksum of a multipart object back.
type S3 struct {
	core   minio.Core
	bucket string
	prefix string
	part   int64 // bytes

	create    bool // the bucket, when it is missing
	region    string
	found     atomic.Bool // the bucket was there once
	transport http.RoundTripper
}

var (
	_ Store  = (*S3)(nil)
	_ Prober = (*S3)(nil)
)

// NewS3 returns a bucket without asking for it, so that a program can start
// while its store is away. Whatever needs the bucket first looks for it, and
// makes it where that is allowed; see also Probe.
func NewS3(o S3Options) (*S3, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, fmt.Errorf("store endpoint %q is not of the form http://host:port", o.Endpoint)
	}
	if o.Credentials == nil {
		o.Credentials = awsChain()
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        o.Credentials,
		Secure:       endpoint.Scheme == "https",
		Region:       o.Region,
		Transport:    o.Transport,
		BucketLookup: bucketLookup(endpoint.Hostname()),
		MaxRetries:   1, // S3.retry does it
	})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Endpoint, err)
	}
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return nil, fmt.Errorf("bucket %q: %w", o.Bucket, err)
	}
	s := &S3{
		core: *core, bucket: o.Bucket, prefix: o.Prefix, part: o.PartSize,
		create: o.CreateBucket, region: o.Region, transport: o.Transport,
	}
	if s.part == 0 {
		s.part = defaultPartSize
	}
	return s, nil
}

// Close drops the idle connections. No call may be under way.
func (s *S3) Close() error {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// bucketLookup puts the bucket into the path everywhere but at Amazon, which
// wants it in the host name.
func bucketLookup(host string) minio.BucketLookupType {
	if strings.HasSuffix(host, ".amazonaws.com") {
		return minio.BucketLookupAuto
	}
	return minio.BucketLookupPath
}

func awsChain() *credentials.Credentials {
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})
}

func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: answerTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          idleConns,
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // the bytes are wanted as they are stored
	}
}

// Probe asks for the bucket once: nil means that the store answers, knows the
// keys and has the bucket.
func (s *S3) Probe(ctx context.Context) error {
	found, err := s.core.BucketExists(ctx, s.bucket)
	if err == nil && !found {
		err = s.makeBucket(ctx)
	}
	if err != nil {
		return fmt.Errorf("find bucket %s at %s: %w", s.bucket, s.core.EndpointURL(), err)
	}
	s.found.Store(true)
	return nil
}

// errNoBucket is none of the failures of the interface: an object in a bucket
// that is missing may be safe and sound.
var errNoBucket = errors.New("the bucket does not exist; create it, or let Weir do so")

func (s *S3) makeBucket(ctx context.Context) error {
	if !s.create {
		return errNoBucket
	}
	err := s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	if code := answerCode(err); code == "BucketAlreadyOwnedByYou" || code == "BucketAlreadyExists" {
		return nil
	}
	return err
}

func answerCode(err error) string {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// translate gives an answer of the store the name that callers know.
func translate(err error, opts PutOptions) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	var known error
	switch {
	case answer.StatusCode == http.StatusPreconditionFailed && opts.IfAbsent:
		known = ErrExists
	case answer.StatusCode == http.StatusPreconditionFailed:
		known = ErrChanged
	case answer.StatusCode == http.StatusNotFound && opts.IfMatch != "":
		known = ErrChanged
	case answer.StatusCode == http.StatusNotFound && answer.Code != "NoSuchBucket":
		known = ErrNotFound
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		known = ErrRange
	case answer.Code == "BadDigest" || answer.Code == "XAmzContentChecksumMismatch":
		known = ErrChecksum
	default:
		return err
	}
	return fmt.Errorf("%w: %w", known, err)
}

// Delete removes one object.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	err := s.retry(ctx, func(int) error {
		err := translate(s.core.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}), PutOptions{})
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// listPage is how many keys one request asks for.
const listPage = 1000

// List yields the objects below prefix in key order. What it yields has no
// CRC: S3 lists none.
func (s *S3) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Info{}, err)
			return
		}
		for {
			page, err := s.page(ctx, prefix, after)
			if err != nil {
				yield(Info{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			for _, o := range page.Contents {
				key := strings.TrimPrefix(o.Key, s.prefix)
				after = key
				if CheckKey(key) != nil {
					continue // not of our making
				}
				info := Info{Key: key, Size: o.Size, ETag: strings.Trim(o.ETag, `"`), Modified: o.LastModified}
				if !yield(info, nil) {
					return
				}
			}
			if !page.IsTruncated || len(page.Contents) == 0 {
				return
			}
		}
	}
}

// page fetches the keys after a key; continuing by key rather than by token
// makes each request repeatable.
func (s *S3) page(ctx context.Context, prefix, after string) (page minio.ListBucketV2Result, err error) {
	if after != "" {
		after = s.prefix + after
	}
	err = s.retry(ctx, func(int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// The list call of minio.Core takes no context; it is bounded by the
		// timeouts of the transport.
		page, err = s.core.ListObjectsV2(s.bucket, s.prefix+prefix, after, "", "", listPage)
		return translate(err, PutOptions{})
	})
	return page, err
}
