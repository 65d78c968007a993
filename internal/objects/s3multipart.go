package objects

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
)

const (
	partsAtOnce    = 4
	maxUploadsSeen = 100 // unfinished uploads of one key that are looked at
	listPartsPage  = 1000
)

// inParts uploads the parts, a few at a time, and puts them together. An
// upload that an earlier process began is taken up again: parts that are there
// with the right bytes are not sent a second time. A failed upload stays at
// the store for that reason.
func (u *upload) inParts(ctx context.Context) error {
	if u.opts.IfAbsent {
		// The store decides at the end; this spares the transfer.
		if _, err := u.store.Stat(ctx, u.key); err == nil {
			return ErrExists
		}
	}
	m := &multipart{upload: u, size: u.partSize()}
	m.parts = make([]minio.CompletePart, (u.size+m.size-1)/m.size)
	if err := m.begin(ctx); err != nil {
		return err
	}
	if err := m.sendAll(ctx); err != nil {
		return err
	}
	err := m.complete(ctx)
	if errors.Is(err, ErrExists) || errors.Is(err, ErrChanged) {
		// It can never succeed: free the room.
		_ = u.store.core.AbortMultipartUpload(ctx, u.store.bucket, u.object(), m.id)
	}
	return err
}

// partSize grows with the object, so that the number of parts is bounded.
func (u *upload) partSize() int64 {
	least := (u.size + maxParts - 1) / maxParts
	return max(u.store.part, (least+partGrain-1)/partGrain*partGrain)
}

// multipart is an upload in parts.
type multipart struct {
	*upload
	id    string
	size  int64 // of a part
	parts []minio.CompletePart
}

// begin finds an unfinished upload or starts one.
func (m *multipart) begin(ctx context.Context) error {
	if found, err := m.resume(ctx); err != nil || found {
		return err
	}
	return m.store.retry(ctx, func(int) error {
		o := m.headers()
		o.UserMetadata["X-Amz-Checksum-Algorithm"] = "CRC32C"
		// The condition holds when the object is made, not when it is begun.
		o = withoutCondition(o)
		id, err := m.store.core.NewMultipartUpload(ctx, m.store.bucket, m.object(), o)
		m.id = id
		return err
	})
}

func withoutCondition(o minio.PutObjectOptions) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		ContentType: o.ContentType, DisableContentSha256: o.DisableContentSha256, UserMetadata: o.UserMetadata,
	}
}

// resume looks for an unfinished upload of this key that has good parts.
func (m *multipart) resume(ctx context.Context) (bool, error) {
	var uploads minio.ListMultipartUploadsResult
	err := m.store.retry(ctx, func(int) (err error) {
		uploads, err = m.store.core.ListMultipartUploads(ctx, m.store.bucket, m.object(), "", "", "", maxUploadsSeen)
		return err
	})
	if err != nil {
		if answerCode(err) == "NotImplemented" || answerCode(err) == "AccessDenied" {
			return false, nil
		}
		return false, err
	}
	for _, found := range uploads.Uploads {
		if found.Key != m.object() {
			continue
		}
		if err := m.takeParts(ctx, found.UploadID); err != nil {
			return false, err
		}
		if m.id != "" {
			return true, nil
		}
		// It holds nothing of this body: free the room.
		_ = m.store.core.AbortMultipartUpload(ctx, m.store.bucket, m.object(), found.UploadID)
	}
	return false, nil
}

// takeParts makes an upload ours when the parts in it are those of the body.
func (m *multipart) takeParts(ctx context.Context, id string) error {
	marker := 0
	for {
		var page minio.ListObjectPartsResult
		err := m.store.retry(ctx, func(int) (err error) {
			page, err = m.store.core.ListObjectParts(ctx, m.store.bucket, m.object(), id, marker, listPartsPage)
			return translate(err, PutOptions{})
		})
		if errors.Is(err, ErrNotFound) {
			return nil // finished or aborted meanwhile
		}
		if err != nil {
			return err
		}
		for _, p := range page.ObjectParts {
			good, err := m.matches(p)
			if err != nil {
				return err
			}
			if good {
				m.id = id
				m.parts[p.PartNumber-1] = minio.CompletePart{PartNumber: p.PartNumber, ETag: p.ETag, ChecksumCRC32C: p.ChecksumCRC32C}
			}
		}
		if !page.IsTruncated || page.NextPartNumberMarker <= marker {
			return nil
		}
		marker = page.NextPartNumberMarker
	}
}

// matches compares an uploaded part with the body by CRC32C, or by its ETag
// where the store lists no checksums.
func (m *multipart) matches(p minio.ObjectPart) (bool, error) {
	if p.PartNumber < 1 || p.PartNumber > len(m.parts) {
		return false, nil
	}
	section, size := m.section(p.PartNumber)
	if p.Size != size {
		return false, nil
	}
	sum, digest := crc32.New(castagnoli()), md5.New()
	if _, err := io.Copy(io.MultiWriter(sum, digest), section); err != nil {
		return false, fmt.Errorf("%w: %w", errBody, err)
	}
	if listed, ok := parseCRC(p.ChecksumCRC32C); ok {
		return listed == sum.Sum32(), nil
	}
	return strings.Trim(p.ETag, `"`) == hex.EncodeToString(digest.Sum(nil)), nil
}

// section is the body of one part.
func (m *multipart) section(number int) (*io.SectionReader, int64) {
	off := int64(number-1) * m.size
	size := min(m.size, m.upload.size-off)
	return io.NewSectionReader(m.body, off, size), size
}

// sendAll sends the missing parts and waits for them.
func (m *multipart) sendAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, partsAtOnce)
	var wg sync.WaitGroup
	for i := range m.parts {
		if m.parts[i].PartNumber != 0 {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := m.send(ctx, i+1); err != nil {
				cancel(fmt.Errorf("part %d: %w", i+1, err))
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// send uploads one part.
func (m *multipart) send(ctx context.Context, number int) error {
	section, size := m.section(number)
	sum, err := sumBody(section, size)
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	header := http.Header{}
	header.Set(crcHeader, formatCRC(sum))
	return m.store.retry(ctx, func(int) error {
		ctx, stall := guard(ctx)
		defer stall.stop()
		section, size := m.section(number)
		part, err := m.store.core.PutObjectPart(ctx, m.store.bucket, m.object(), m.id, number,
			&bodyReader{r: section, guard: stall}, size,
			minio.PutObjectPartOptions{CustomHeader: header, DisableContentSha256: true})
		if err != nil {
			return translate(err, PutOptions{})
		}
		if err := m.compare(part.ChecksumCRC32C, sum); err != nil {
			return err
		}
		m.parts[number-1] = minio.CompletePart{PartNumber: number, ETag: part.ETag, ChecksumCRC32C: formatCRC(sum)}
		return nil
	})
}

// complete puts the parts together under the key, if the condition holds.
func (m *multipart) complete(ctx context.Context) error {
	return m.store.retry(ctx, func(try int) error {
		var o minio.PutObjectOptions
		m.condition(&o)
		_, err := m.store.core.CompleteMultipartUpload(ctx, m.store.bucket, m.object(), m.id, m.parts, o)
		err = translate(err, m.opts)
		if try > 0 && errors.Is(err, ErrNotFound) && m.stored(ctx) {
			return nil // an earlier try did it, and its answer got lost
		}
		// The checksum that the answer names is one of the parts' checksums;
		// those were compared one by one.
		return m.judge(ctx, try, minio.UploadInfo{ChecksumCRC32C: formatCRC(m.sum)}, err)
	})
}
