package decode

import (
	"sync/atomic"
	"time"

	"weir/internal/media"
)

// session is one run of a job in one process: weir-decode or ffmpeg. It ends
// with its process; the job opens another. One goroutine at a time writes and
// flushes.
type session interface {
	// write hands a sample over, with its duration where that is known. It
	// waits for room and fails when the process is gone.
	write(s *media.Sample, duration media.Ticks) error
	// key asks for a key frame, soon; it does not wait.
	key()
	// flush waits until all that was written has come out.
	flush() error
	// close gives the session up without waiting for what is on its way.
	close()
}

// sink gets what comes out of a session, from one goroutine at a time.
type sink interface {
	output(output)
	done(damaged bool, cpu time.Duration)
}

// keyFlag is a wish for a key frame that is taken once.
type keyFlag struct{ wanted atomic.Bool }

func (f *keyFlag) set()       { f.wanted.Store(true) }
func (f *keyFlag) take() bool { return f.wanted.Load() && f.wanted.Swap(false) }
