package decode

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/media"
)

// ErrNone means that there is neither a decode worker nor ffmpeg.
var ErrNone = errors.New("nothing here can decode")

// ErrClosed means that a job or the decoders were closed.
var ErrClosed = errors.New("decoder is closed")

// ErrDied means that the process of a job that was to run once died.
var ErrDied = errors.New("decode process died")

// ErrBusy means that as many workers run as may.
var ErrBusy = errors.New("all decode workers are busy")

// Defaults of Options.
const (
	DefaultWorkers  = 16      // processes
	DefaultMemory   = 1 << 30 // bytes of address space of each
	DefaultIdle     = 10 * time.Second
	DefaultPatience = 10 * time.Second
)

// Options of decoders.
type Options struct {
	// Worker is the program weir-decode. Empty means: beside this program,
	// else in PATH.
	Worker string
	// FFmpeg is the program ffmpeg. Empty means: in PATH. "none" means not to
	// use it.
	FFmpeg   string
	Workers  int           // processes at a time; 0 means DefaultWorkers
	Memory   int64         // bytes a process may have; 0 means DefaultMemory
	Idle     time.Duration // how long a worker without jobs waits for one; 0 means DefaultIdle
	Patience time.Duration // how long a process may be busy without an answer before it is killed; 0 means DefaultPatience
	Clock    clock.Clock   // nil means that of this machine
	Log      *slog.Logger  // nil logs nothing
}

// Decoders start and bound the processes that decode.
type Decoders struct {
	opts   Options
	worker string // program, or empty
	ffmpeg string // program, or empty
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex // guards the following
		workers    []*worker
		starting   int
		programs   int // ffmpeg processes
		runs       map[*ffmpegRun]bool
		closed     bool
		deaths     uint64
	}
}

// New finds out what can decode here. It starts nothing. An error means that
// what the options name is not there; that nothing is there is told by
// Available.
func New(o Options) (*Decoders, error) {
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	d := &Decoders{opts: o}
	d.mu.runs = map[*ffmpegRun]bool{}
	var err error
	if d.worker, err = findWorker(o.Worker); err != nil {
		return nil, err
	}
	if d.worker == "" && o.FFmpeg != "none" {
		name := o.FFmpeg
		if name == "" {
			name = "ffmpeg"
		}
		if d.ffmpeg, err = exec.LookPath(name); err != nil && o.FFmpeg != "" {
			return nil, fmt.Errorf("find ffmpeg: %w", err)
		}
	}
	return d, nil
}

// workerName is the file name of the worker.
const workerName = "weir-decode"

// findWorker finds the program: the one named, else beside this program, else
// in PATH; "none" means not to use one.
func findWorker(named string) (string, error) {
	switch named {
	case "none":
		return "", nil
	case "":
		if self, err := os.Executable(); err == nil {
			beside := filepath.Join(filepath.Dir(self), workerName)
			if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return beside, nil
			}
		}
		if found, err := exec.LookPath(workerName); err == nil {
			return found, nil
		}
		return "", nil
	}
	found, err := exec.LookPath(named)
	if err != nil {
		return "", fmt.Errorf("find the decode worker: %w; leave decode-worker empty to use the one beside weir", err)
	}
	return filepath.Abs(found)
}

// Kind is what decodes: "weir-decode", "ffmpeg", or "none".
func (d *Decoders) Kind() string {
	switch {
	case d.worker != "":
		return workerName
	case d.ffmpeg != "":
		return "ffmpeg"
	}
	return "none"
}

// Available is nil when something can decode, else an ErrNone that says what
// to do.
func (d *Decoders) Available() error {
	if d.Kind() == "none" {
		return fmt.Errorf("%w: install ffmpeg, or put %s, which make build makes, beside weir", ErrNone, workerName)
	}
	return nil
}

// Status is what runs.
type Status struct {
	Kind    string `json:"kind"`
	Workers int    `json:"workers"` // processes
	Deaths  uint64 `json:"deaths"`  // processes that died of what they were given
}

// Status tells what runs.
func (d *Decoders) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Status{Kind: d.Kind(), Workers: len(d.mu.workers) + d.mu.starting + d.mu.programs, Deaths: d.mu.deaths}
}

// open begins a session in whatever process there is for it.
func (d *Decoders) open(in media.Track, out Target, k sink) (session, error) {
	if err := d.Available(); err != nil {
		return nil, err
	}
	if d.worker == "" {
		return d.openFFmpeg(in, out, k)
	}
	for {
		w, fresh, err := d.find(dutyOf(in, out))
		if err == nil && fresh {
			w, err = d.start(dutyOf(in, out))
		}
		if err != nil {
			return nil, err
		}
		s, err := w.open(in, out, k)
		switch {
		case err == nil:
			return s, nil
		case fresh || errors.Is(err, ErrUnsupported):
			return nil, fmt.Errorf("open a job: %w", err)
		}
		// It ended meanwhile, of others or for want of jobs: take another.
	}
}

// find returns a worker with room; fresh tells that there is none and another is
// to be started, whose place it has taken.
func (d *Decoders) find(duty duty) (w *worker, fresh bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, false, ErrClosed
	}
	for _, x := range d.mu.workers {
		if n := x.load(); x.duty == duty && n >= 0 && n < duty.room() && (w == nil || n < w.load()) {
			w = x
		}
	}
	if w != nil {
		return w, false, nil
	}
	if len(d.mu.workers)+d.mu.starting >= d.opts.Workers {
		return nil, false, fmt.Errorf("%w: %d run, the bound; end some viewers that need another codec", ErrBusy, d.opts.Workers)
	}
	d.mu.starting++
	return nil, true, nil
}

// start starts a worker, whose place was taken.
func (d *Decoders) start(duty duty) (*worker, error) {
	w, err := startWorker(d.worker, duty, &d.opts)
	d.mu.Lock()
	d.mu.starting--
	if err != nil {
		d.mu.Unlock()
		return nil, err
	}
	if d.mu.closed {
		d.mu.Unlock()
		w.stop()
		return nil, ErrClosed
	}
	d.mu.workers = append(d.mu.workers, w)
	d.mu.Unlock()
	d.opts.Log.Info("decode worker started", "pid", w.cmd.Process.Pid, "library", w.hello.libav, "filtered", w.hello.filtered)
	d.wg.Go(func() {
		w.wg.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if !errors.Is(w.why(), errClosed) {
			d.mu.deaths++
		}
		for i, x := range d.mu.workers {
			if x == w {
				d.mu.workers = append(d.mu.workers[:i:i], d.mu.workers[i+1:]...)
				return
			}
		}
	})
	return w, nil
}

// Close stops all processes and waits for them. Jobs fail from then on.
func (d *Decoders) Close() {
	d.mu.Lock()
	d.mu.closed = true
	workers := d.mu.workers
	for r := range d.mu.runs {
		r.ended.Store(true)
		_ = r.cmd.Process.Kill()
	}
	d.mu.Unlock()
	for _, w := range workers {
		w.stop()
	}
	d.wg.Wait()
}
