package awsserve

import (
	"io"
	"net/http"
	"sync"

	"weir/internal/auth"
)

// Buffers for bodies are used again. One that grew beyond keptBuffer is not, so
// that a few large bodies do not hold memory for good.
const (
	firstBuffer = 4 << 10
	keptBuffer  = 2 << 20
)

// readBody returns the body of a request, which is valid until release. The
// verifier of a signature has read it already.
func readBody(r *http.Request) (body []byte, done func(), err error) {
	if body, ok := auth.SignedBody(r); ok {
		return body, func() {}, nil
	}
	buffer := buffers().Get().(*[]byte)
	*buffer, err = appendAll((*buffer)[:0], r.Body, int(max(r.ContentLength, 0)))
	if err != nil {
		release(buffer)
		return nil, nil, errTooLarge(err)
	}
	return *buffer, func() { release(buffer) }, nil
}

// release gives a buffer back.
func release(b *[]byte) {
	if cap(*b) <= keptBuffer {
		buffers().Put(b)
	}
}

// buffers is the pool of bodies, both ways, which all muxes share.
var buffers = sync.OnceValue(func() *sync.Pool {
	return &sync.Pool{New: func() any { return new(make([]byte, 0, firstBuffer)) }}
})

// appendAll reads to the end. Size is what the client announced, 0 if nothing;
// it is believed up to keptBuffer, beyond that the buffer grows with what came.
func appendAll(b []byte, r io.Reader, size int) ([]byte, error) {
	if size = min(size, keptBuffer) + 1; cap(b) < size {
		b = make([]byte, 0, size)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
