package putmedia

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"weir/internal/server"
)

// input is the body of a connection. It ends when the session does, at the
// pace that AWS allows if that is wanted.
type input struct {
	s       *session
	body    io.Reader
	request *http.Request
	last    atomic.Int64 // when the last byte came, ns of the monotonic clock
	since   time.Time
	bytes   int64
}

// inputError is a failure of the connection, not of what came over it.
type inputError struct{ err error }

// Error says what failed.
func (e *inputError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *inputError) Unwrap() error { return e.err }

func newInput(s *session, r *http.Request) *input {
	in := &input{s: s, body: r.Body, request: r, since: time.Now()}
	return in
}

// Read reads on. An end that is not the body's own is an inputError.
func (in *input) Read(b []byte) (int, error) {
	if err := in.s.ctx.Err(); err != nil {
		return 0, &inputError{err}
	}
	n, err := in.body.Read(b)
	if n > 0 {
		in.last.Store(int64(time.Since(in.since)))
		in.bytes += int64(n)
		if in.s.api.opts.Limits {
			in.pace()
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &inputError{err}
	}
	return n, err
}

// linger reads on for a moment what nobody wants any more: a connection that is
// closed with bytes unread takes the last answer with it.
func (in *input) linger() {
	stop := in.watch()
	defer stop()
	t := time.AfterFunc(lingering, func() { in.s.cancel(nil) })
	defer t.Stop()
	_, _ = io.Copy(io.Discard, in) // however it ends
}

// pace waits until the bytes so far are no more than AWS takes in that time.
func (in *input) pace() {
	ahead := time.Duration(in.bytes)*time.Second/maxRate - time.Since(in.since)
	if ahead < poke {
		return
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
	case <-in.s.ctx.Done():
	}
}

// watch ends the session when nothing comes any more, when it lasted too long,
// when another producer took over and when the server drains, and says IDLE
// while it waits. It ends with the function that it returns.
func (in *input) watch() (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		in.watching(done)
	}()
	return func() {
		close(done)
		<-gone
	}
}

func (in *input) watching(done <-chan struct{}) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	idle := time.Duration(0)
	for {
		select {
		case <-done:
			return
		case <-in.s.ctx.Done():
			in.wake(done)
			return
		case <-in.s.feed.pub.Gone():
			in.s.cancel(in.s.feed.pub.Err())
		case <-server.Draining(in.request.Context()):
			in.s.cancel(errDraining)
		case <-t.C:
			idle = in.tick(idle)
		}
	}
}

// tick looks at the clock; idle is when IDLE was said last.
func (in *input) tick(idle time.Duration) time.Duration {
	now, last := time.Since(in.since), time.Duration(in.last.Load())
	switch {
	case now-last > silence:
		in.s.cancel(errSilent)
	case in.s.api.opts.Limits && now > maxConnection:
		in.s.cancel(errTooLong)
	case now-max(last, idle) > idleEvery:
		if err := in.s.acks.idle(); err != nil {
			in.s.cancel(err)
		}
		return now
	}
	return idle
}

// wake makes a read that waits return. The server gives each read a deadline
// of its own, so that one attempt may be undone.
func (in *input) wake(done <-chan struct{}) {
	t := time.NewTicker(poke)
	defer t.Stop()
	for {
		_ = in.s.acks.control.SetReadDeadline(time.Now().Add(-time.Second))
		select {
		case <-done:
			return
		case <-t.C:
		}
	}
}
