package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"weir/internal/auth"
)

// answer is the ResponseWriter of every request. It gives each chunk its own
// deadline, so that an answer may take hours, but a client that does not read
// holds nothing for long. A handler reaches what lies below with
// http.NewResponseController.
type answer struct {
	http.ResponseWriter
	control  *http.ResponseController
	status   int // 0 until the header is written
	bytes    int64
	route    string
	identity auth.Identity
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader writes the header once; informational ones may come before it.
func (a *answer) WriteHeader(status int) {
	if status >= 200 && a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write sends p in chunks.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	written := 0
	for {
		chunk := p[written:min(len(p), written+writeChunk)]
		a.arm()
		n, err := a.ResponseWriter.Write(chunk)
		a.disarm()
		written += n
		a.bytes += int64(n)
		if err != nil || written >= len(p) {
			return written, err
		}
	}
}

// Flush sends what is buffered.
func (a *answer) Flush() {
	a.arm()
	defer a.disarm()
	// A client that is gone shows at the next Write.
	_ = a.control.Flush()
}

// arm and disarm: HTTP/2 ends a stream whose deadline passes even while
// nothing is written, so that none may stay behind. Writers without deadlines,
// as in tests, do without.
func (a *answer) arm()    { _ = a.control.SetWriteDeadline(time.Now().Add(writeIdle)) }
func (a *answer) disarm() { _ = a.control.SetWriteDeadline(time.Time{}) }

// finish gives the last buffer, which net/http sends, its deadline, and what is
// left of the body, which net/http reads before it sends, another: a body that
// nobody wanted and that does not come would hold the answer for ever.
func (a *answer) finish() {
	a.arm()
	_ = a.control.SetReadDeadline(time.Now().Add(restIdle))
}

// body is the body of every request: it must move.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read reads on; a body that stands still for a minute fails.
func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(readIdle))
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		// A deadline that passes later would look like a client that left.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
