package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/netip"
	"sync"
)

const (
	defaultBodyBudget = 512 << 20 // bytes of bodies held at once
	peerShare         = 4         // one address of another machine may hold the budget divided by this
	smallestBuffer    = 4 << 10
	bufferGrowth      = 4         // each class of buffers is so much larger than the one before
	bufferClasses     = 8         // 4 KiB … 64 MiB; what is larger is not kept
	firstBuffer       = 256 << 10 // taken on the word of a Content-Length
)

// VerifiedBody is the body of a request whose signature covers it, read and
// verified. A handler takes its bytes as they are; package server gives the
// buffer back when the handler has returned.
type VerifiedBody struct {
	data   []byte
	at     int
	buffer *[]byte
	from   *bodies
	peer   netip.Prefix
}

// SignedBody returns the verified body of a request, or false when its credentials
// say nothing about its body. The bytes may be used until the handler returns.
func SignedBody(r *http.Request) ([]byte, bool) {
	b, ok := r.Body.(*VerifiedBody)
	if !ok {
		return nil, false
	}
	return b.data, true
}

// ReleaseBody gives the buffer of a verified body back.
func ReleaseBody(r *http.Request) {
	if b, ok := r.Body.(*VerifiedBody); ok {
		b.Release()
	}
}

// Bytes returns the whole body.
func (b *VerifiedBody) Bytes() []byte { return b.data }

// Read reads on.
func (b *VerifiedBody) Read(p []byte) (int, error) {
	if b.at >= len(b.data) {
		return 0, io.EOF
	}
	n := copy(p, b.data[b.at:])
	b.at += n
	return n, nil
}

// Close does nothing: the buffer may still be in use.
func (b *VerifiedBody) Close() error { return nil }

// Release gives the buffer back. The bytes are gone then; a handler that waits
// for long, after it has decoded its request, may release them early.
func (b *VerifiedBody) Release() {
	if b.buffer == nil {
		return
	}
	b.from.release(b.buffer, b.peer)
	b.buffer, b.data = nil, nil
}

// bodies bounds the memory of bodies that are held, altogether and for one
// address, so that nobody takes it all with requests whose signature is known
// to be wrong only when their body has been read.
type bodies struct {
	limit int64
	pools [bufferClasses]sync.Pool

	mu    sync.Mutex // guards the following: bytes held
	held  int64
	peers map[netip.Prefix]int64
}

func newBodies(limit int64) *bodies {
	if limit == 0 {
		limit = defaultBodyBudget
	}
	return &bodies{limit: limit, peers: map[netip.Prefix]int64{}}
}

// class returns the smallest class of buffers that holds size bytes.
func class(size int64) (index int, bytes int64) {
	bytes = smallestBuffer
	for bytes < size {
		index, bytes = index+1, bytes*bufferGrowth
	}
	return index, bytes
}

// take reserves and returns a buffer for at least size bytes.
func (b *bodies) take(size int64, peer netip.Prefix, far bool) (*[]byte, bool) {
	index, bytes := class(size)
	b.mu.Lock()
	ok := b.held+bytes <= b.limit && (!far || b.peers[peer]+bytes <= b.limit/peerShare)
	if ok {
		b.held += bytes
		b.peers[peer] += bytes
	}
	b.mu.Unlock()
	if !ok {
		return nil, false
	}
	if index < bufferClasses {
		if buffer, ok := b.pools[index].Get().(*[]byte); ok {
			return buffer, true
		}
	}
	buffer := make([]byte, bytes)
	return &buffer, true
}

func (b *bodies) release(buffer *[]byte, peer netip.Prefix) {
	bytes := int64(len(*buffer))
	b.mu.Lock()
	b.held -= bytes
	if b.peers[peer] -= bytes; b.peers[peer] <= 0 {
		delete(b.peers, peer)
	}
	b.mu.Unlock()
	if index, _ := class(bytes); index < bufferClasses {
		b.pools[index].Put(buffer)
	}
}

// read reads source to its end, into one buffer. What a client announces is
// believed up to a quarter of a megabyte; beyond that the buffer grows with
// what has come.
func (b *bodies) read(r *http.Request, source io.Reader, limit int64) (*VerifiedBody, error) {
	remote := remoteAddr(r)
	body := &VerifiedBody{from: b, peer: offender(remote)}
	far := !remote.IsLoopback()
	size := int64(smallestBuffer)
	if r.ContentLength > 0 {
		size = min(r.ContentLength+1, firstBuffer)
	}
	buffer, ok := b.take(size, body.peer, far)
	if !ok {
		return nil, errBusy()
	}
	body.buffer = buffer
	n := 0
	for {
		if n == len(*body.buffer) {
			larger, ok := b.take(int64(n)+1, body.peer, far)
			if !ok {
				body.Release()
				return nil, errBusy()
			}
			copy(*larger, (*body.buffer)[:n])
			b.release(body.buffer, body.peer)
			body.buffer = larger
		}
		m, err := source.Read((*body.buffer)[n:])
		n += m
		if int64(n) > limit {
			body.Release()
			return nil, TooLarge(limit)
		}
		if err == io.EOF {
			body.data = (*body.buffer)[:n]
			return body, nil
		}
		if err != nil {
			body.Release()
			return nil, readFailure(err)
		}
	}
}

// hashReader reads a body whose hash was signed, and fails at its end when it
// is another.
type hashReader struct {
	io.ReadCloser
	hash hash.Hash
	want string
}

func newHashReader(body io.ReadCloser, want string) io.ReadCloser {
	return &hashReader{ReadCloser: body, hash: sha256.New(), want: want}
}

// Read reads on; the end comes only if the hash is right.
func (h *hashReader) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.hash.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(h.hash.Sum(nil)) != h.want {
		return n, errPayload("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return n, err
}
