package objects

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

const (
	crcHeader   = "X-Amz-Checksum-Crc32c"
	crcTypeName = "X-Amz-Checksum-Type"
	crcMetadata = "Weir-Crc32c" // X-Amz-Meta-Weir-Crc32c, eight hex digits
)

// Stat describes one object.
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	var info Info
	err := s.retry(ctx, func(int) error {
		o, err := s.core.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{Checksum: true})
		if err != nil {
			return translate(err, PutOptions{})
		}
		info = describe(key, o)
		return nil
	})
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return info, nil
}

// describe reads the headers of a HEAD or GET answer.
func describe(key string, o minio.ObjectInfo) Info {
	info := Info{Key: key, Size: o.Size, ETag: strings.Trim(o.ETag, `"`), Modified: o.LastModified}
	if total, ok := totalSize(o.Headers.Get("Content-Range")); ok {
		info.Size = total
	}
	if sum, err := strconv.ParseUint(o.Headers.Get("X-Amz-Meta-"+crcMetadata), 16, 32); err == nil {
		info.CRC32C, info.HasCRC = uint32(sum), true
	}
	// The checksum of a range or of a list of parts is not that of the object.
	if o.Headers.Get("Content-Range") == "" && !strings.EqualFold(o.Headers.Get(crcTypeName), "COMPOSITE") {
		if sum, ok := parseCRC(o.Headers.Get(crcHeader)); ok {
			info.CRC32C, info.HasCRC = sum, true
		}
	}
	return info
}

func formatCRC(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func parseCRC(text string) (uint32, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// totalSize reads the last field of "bytes 0-9/100".
func totalSize(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(total, 10, 64)
	return n, err == nil && n >= 0
}

// Get opens n bytes of key from off.
func (s *S3) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error) {
	if err := CheckKey(key); err != nil {
		return nil, Info{}, err
	}
	if n == 0 || off < 0 && n >= 0 {
		return s.getCounted(ctx, key, off, n)
	}
	r := &objectReader{store: s, ctx: ctx, key: key}
	err := s.retry(ctx, func(int) error { return r.open(rangeHeader(off, n)) })
	if errors.Is(err, ErrRange) {
		return s.getEmpty(ctx, key, off, n, err)
	}
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	start, length, err := span(r.info.Size, off, n)
	if err != nil {
		r.Close()
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	r.next, r.left = start, length
	if length == r.info.Size {
		return checked(r, r.info), r.info, nil
	}
	return r, r.info, nil
}

// getCounted serves the requests that HTTP ranges cannot express.
func (s *S3) getCounted(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	start, length, err := span(info.Size, off, n)
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	if length == 0 {
		return http.NoBody, info, nil
	}
	return s.Get(ctx, key, start, length)
}

// getEmpty tells a range behind the end from any range of an empty object,
// which S3 refuses as well.
func (s *S3) getEmpty(ctx context.Context, key string, off, n int64, refusal error) (io.ReadCloser, Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	if _, length, err := span(info.Size, off, n); err == nil && length == 0 {
		return http.NoBody, info, nil
	}
	return nil, Info{}, fmt.Errorf("get %s: %w", key, refusal)
}

// rangeHeader is the Range header of a request, "" for the whole object.
func rangeHeader(off, n int64) string {
	switch {
	case off < 0:
		return fmt.Sprintf("bytes=%d", off)
	case n >= 0:
		return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	case off > 0:
		return fmt.Sprintf("bytes=%d-", off)
	}
	return ""
}

// objectReader reads a body, and asks for the rest again when the connection
// breaks, as long as the object is the same.
type objectReader struct {
	store *S3
	ctx   context.Context
	key   string
	info  Info
	body  io.ReadCloser
	guard *stallGuard
	next  int64 // offset of the next byte
	left  int64
	tries int
}

// open sends the request.
func (r *objectReader) open(rangeText string) error {
	var opts minio.GetObjectOptions
	if rangeText != "" {
		opts.Set("Range", rangeText)
	}
	if r.info.ETag != "" {
		if err := opts.SetMatchETag(r.info.ETag); err != nil {
			return err
		}
	}
	opts.Set("X-Amz-Checksum-Mode", "ENABLED")
	ctx, stall := guard(r.ctx)
	body, o, _, err := r.store.core.GetObject(ctx, r.store.bucket, r.store.prefix+r.key, opts)
	if err != nil {
		stall.stop()
		return translate(err, PutOptions{})
	}
	r.info = describe(r.key, o)
	r.body, r.guard = body, stall
	stall.rest()
	return nil
}

// Read reads on, over broken connections.
func (r *objectReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	for {
		n, err := r.readOnce(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if r.ctx.Err() != nil {
			return 0, r.ctx.Err()
		}
		r.tries++
		if r.tries >= storeTries {
			return 0, fmt.Errorf("read %s at %d: %w", r.key, r.next, err)
		}
		if err := r.reopen(); err != nil {
			return 0, fmt.Errorf("read %s at %d: %w", r.key, r.next, err)
		}
	}
}

func (r *objectReader) readOnce(p []byte) (int, error) {
	r.guard.touch()
	n, err := r.body.Read(p)
	r.guard.rest()
	r.next += int64(n)
	r.left -= int64(n)
	if err == io.EOF {
		if r.left == 0 {
			return n, nil
		}
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *objectReader) reopen() error {
	r.Close()
	return r.store.retry(r.ctx, func(int) error { return r.open(rangeHeader(r.next, r.left)) })
}

// Close ends the request.
func (r *objectReader) Close() error {
	r.guard.stop()
	return r.body.Close()
}
