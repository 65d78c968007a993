package objects

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
)

const (
	defaultPartSize  = 16 << 20
	multipartAtParts = 2     // bodies over so many parts are uploaded in parts
	maxParts         = 9_000 // S3 allows 10000
	partGrain        = 1 << 20
)

// Put stores size bytes of body under key.
func (s *S3) Put(ctx context.Context, key string, body io.ReaderAt, size int64, opts PutOptions) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	sum, err := sumBody(body, size)
	if err != nil {
		return Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	up := &upload{store: s, key: key, body: body, size: size, sum: sum, opts: opts}
	if size > multipartAtParts*s.part {
		err = up.inParts(ctx)
	} else {
		err = up.whole(ctx)
	}
	if err != nil {
		return Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	return up.confirm(ctx)
}

// upload is one Put.
type upload struct {
	store *S3
	key   string
	body  io.ReaderAt
	size  int64
	sum   uint32
	opts  PutOptions
	// unproven is set when the store took bytes without naming their
	// checksum, as servers do that do not know CRC32C.
	unproven atomic.Bool
}

func (u *upload) object() string { return u.store.prefix + u.key }

// headers are those of the request that makes the object.
func (u *upload) headers() minio.PutObjectOptions {
	o := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		// The CRC travels in a signed header; hashing every byte a second
		// time to sign it would cost more than all the rest of an upload.
		DisableContentSha256: true,
		UserMetadata:         map[string]string{crcMetadata: fmt.Sprintf("%08x", u.sum)},
	}
	u.condition(&o)
	return o
}

func (u *upload) condition(o *minio.PutObjectOptions) {
	if u.opts.IfAbsent {
		o.SetMatchETagExcept("*")
	}
	if u.opts.IfMatch != "" {
		o.SetMatchETag(u.opts.IfMatch)
	}
}

// whole sends the body in one request.
func (u *upload) whole(ctx context.Context) error {
	return u.store.retry(ctx, func(try int) error {
		o := u.headers()
		o.UserMetadata[crcHeader] = formatCRC(u.sum)
		ctx, stall := guard(ctx)
		defer stall.stop()
		answer, err := u.store.core.PutObject(ctx, u.store.bucket, u.object(),
			&bodyReader{r: io.NewSectionReader(u.body, 0, u.size), guard: stall}, u.size, "", "", o)
		return u.judge(ctx, try, answer, translate(err, u.opts))
	})
}

// judge decides about the answer to the request that made the object.
func (u *upload) judge(ctx context.Context, try int, answer minio.UploadInfo, err error) error {
	if try > 0 && (errors.Is(err, ErrExists) || errors.Is(err, ErrChanged)) && u.stored(ctx) {
		return nil // an earlier try did it, and its answer got lost
	}
	if err != nil {
		return err
	}
	return u.compare(answer.ChecksumCRC32C, u.sum)
}

// compare holds the checksum that the store names against the one sent.
func (u *upload) compare(named string, sent uint32) error {
	sum, ok := parseCRC(named)
	if !ok {
		u.unproven.Store(true)
		return nil
	}
	if sum != sent {
		return fmt.Errorf("%w: sent %08x, the store has %08x", ErrChecksum, sent, sum)
	}
	return nil
}

// stored tells whether the object that is there is the one being put.
func (u *upload) stored(ctx context.Context) bool {
	info, err := u.store.Stat(ctx, u.key)
	return err == nil && info.Size == u.size && info.HasCRC && info.CRC32C == u.sum
}

// confirm asks the store what it has now. The store compared the bytes with
// the CRC when it took them; this proves that it also kept them under the key.
// From a store that cannot compare, they are read back.
func (u *upload) confirm(ctx context.Context) (Info, error) {
	if u.unproven.Load() {
		if err := u.readBack(ctx); err != nil {
			return Info{}, fmt.Errorf("confirm: %w", err)
		}
	}
	info, err := u.store.Stat(ctx, u.key)
	if err != nil {
		return Info{}, fmt.Errorf("confirm: %w", err)
	}
	conditional := u.opts.IfAbsent || u.opts.IfMatch != ""
	if info.Size != u.size || info.HasCRC && info.CRC32C != u.sum {
		if conditional {
			return Info{}, fmt.Errorf("confirm %s: %w: the store holds %d bytes, %d were sent", u.key, ErrChecksum, info.Size, u.size)
		}
		// Another writer has replaced the object since, as it may.
	}
	info.Size, info.CRC32C, info.HasCRC = u.size, u.sum, true
	return info, nil
}

// readBack reads the whole object and compares it.
func (u *upload) readBack(ctx context.Context) error {
	r, info, err := u.store.Get(ctx, u.key, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	sum := crc32.New(castagnoli())
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if info.Size != u.size || sum.Sum32() != u.sum {
		return fmt.Errorf("%w: sent %08x, the store has %08x", ErrChecksum, u.sum, sum.Sum32())
	}
	return nil
}

// bodyReader tells the guard of each byte that leaves. It can seek, so that
// the client knows how to send it.
type bodyReader struct {
	r     *io.SectionReader
	guard *stallGuard
}

// Read reads the caller's body.
func (b *bodyReader) Read(p []byte) (int, error) {
	b.guard.touch()
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errBody, err)
	}
	return n, err
}

// Seek moves the position.
func (b *bodyReader) Seek(offset int64, whence int) (int64, error) { return b.r.Seek(offset, whence) }
