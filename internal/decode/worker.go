package decode

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"weir/internal/media"
)

// Bounds of a worker.
const (
	// audioJobs is how many sound jobs share a worker: one thread does some
	// hundred in real time.
	audioJobs = 16
	// audioWindow and videoWindow are how many samples of a job may be on
	// their way.
	audioWindow = 64
	videoWindow = 8
	// maxLine bounds a line of its stderr, and maxLines how many are logged.
	maxLine  = 1 << 10
	maxLines = 100
)

// Why a worker is gone.
var (
	errHangs  = errors.New("decode worker does not answer")
	errGone   = errors.New("decode worker died")
	errClosed = errors.New("decode worker was stopped")
)

// duty is what a worker is for. Jobs of different duties never share one: a
// recording that is worked through at full speed would hold up live sound, and
// pictures would hold up both.
type duty string

const (
	dutySound    duty = "sound"    // live, up to audioJobs
	dutyPictures duty = "pictures" // one job
	dutyRecorded duty = "recorded" // sound on the grid, up to audioJobs
	dutyReplay   duty = "replay"   // recorded pictures, one job
)

// dutyOf is what a job needs.
func dutyOf(in media.Track, out Target) duty {
	switch {
	case in.Kind() == media.Video && out.Once:
		return dutyReplay
	case in.Kind() == media.Video:
		return dutyPictures
	case out.Grid:
		return dutyRecorded
	}
	return dutySound
}

// room is how many jobs a worker takes.
func (d duty) room() int {
	if d == dutyPictures || d == dutyReplay {
		return 1
	}
	return audioJobs
}

// worker is one process of weir-decode.
type worker struct {
	cmd      *exec.Cmd
	stdin    *os.File
	log      *slog.Logger
	hello    hello
	duty     duty
	idle     time.Duration // how long it waits for a job
	patience time.Duration // how long it may be busy without an answer
	dead     chan struct{} // closed when it takes no more
	wg       sync.WaitGroup
	sendMu   sync.Mutex // one message at a time

	mu struct {
		sync.Mutex // guards the following
		jobs       map[uint32]*workerSession
		next       uint32
		pending    int         // messages that await an answer
		watch      *time.Timer // ends it when it does not answer
		unused     *time.Timer // ends it when it has no jobs
		err        error       // why it is dead
	}
}

// startWorker starts a process and waits for its hello.
func startWorker(program string, duty duty, o *Options) (*worker, error) {
	log := o.Log
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), inR.Close(), inW.Close())
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), inR.Close(), inW.Close(), outR.Close(), outW.Close())
	}
	w := &worker{stdin: inW, log: log, duty: duty, idle: o.Idle, patience: o.Patience, dead: make(chan struct{})}
	w.mu.jobs = map[uint32]*workerSession{}
	w.cmd = exec.Command(program, "--memory", strconv.FormatInt(o.Memory>>20, 10), "--parent", strconv.Itoa(os.Getpid()))
	w.cmd.Env = []string{}
	w.cmd.Dir = "/"
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = inR, outW, errW
	err = w.cmd.Start()
	err = errors.Join(err, inR.Close(), outW.Close(), errW.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), inW.Close(), outR.Close(), errR.Close())
	}
	w.wg.Go(func() { logLines(errR, log, w.cmd.Process.Pid) })
	if duty == dutyReplay {
		if err := yield(w.cmd.Process.Pid); err != nil {
			log.Warn("decode worker does not yield to live work", "err", err)
		}
	}
	in := bufio.NewReaderSize(outR, 64<<10)
	if err := w.greet(in, outR, o.Patience); err != nil {
		w.kill(err)
		w.reap(outR)
		w.wg.Wait()
		return nil, err
	}
	w.mu.Lock()
	w.mu.watch = time.AfterFunc(o.Patience, func() { w.kill(errHangs) })
	w.mu.watch.Stop()
	w.mu.unused = time.AfterFunc(w.idle, w.stopUnused)
	w.mu.Unlock()
	w.wg.Go(func() {
		w.kill(w.read(in))
		w.reap(outR)
	})
	return w, nil
}

// greet reads the hello.
func (w *worker) greet(in *bufio.Reader, out *os.File, patience time.Duration) error {
	if err := out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	m, err := readMessage(in)
	if err == nil {
		w.hello, err = parseHello(m)
	}
	if err != nil {
		return fmt.Errorf("start the decode worker: %w", err)
	}
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear a deadline: %w", err)
	}
	return nil
}

// logLines logs what a worker says on stderr, a line at a time.
func logLines(r *os.File, log *slog.Logger, pid int) {
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	for n := 0; n < maxLines && lines.Scan(); n++ {
		log.Warn("decode worker says", "pid", pid, "line", lines.Text())
	}
	// A longer line is no line, and more of them are no news: take the rest
	// without keeping it, so that the worker is not held up.
	buf := make([]byte, maxLine)
	for {
		if _, err := r.Read(buf); err != nil {
			return
		}
	}
}

// read takes messages until there are no more.
func (w *worker) read(in *bufio.Reader) error {
	for {
		m, err := readMessage(in)
		if err != nil {
			if errors.Is(err, errProtocol) {
				return err
			}
			return errGone
		}
		w.mu.Lock()
		s := w.mu.jobs[m.job]
		w.mu.Unlock()
		if m.typ == msgDone || m.typ == msgOpened || m.typ == msgFailed || m.typ == msgFlushed {
			w.answered()
		}
		if s == nil {
			continue // it was closed meanwhile
		}
		if err := s.take(m); err != nil {
			return err
		}
	}
}

// expect counts a message that will be answered; the watch runs from the
// first on.
func (w *worker) expect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.pending++; w.mu.pending == 1 {
		w.mu.watch.Reset(w.patience)
	}
}

func (w *worker) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.pending > 0 {
		w.mu.pending--
	}
	w.mu.watch.Stop()
	if w.mu.pending > 0 {
		w.mu.watch.Reset(w.patience)
	}
}

// send writes a message. It waits while the worker is busy, at most until the
// watch ends it.
func (w *worker) send(head, body []byte) error {
	w.sendMu.Lock()
	defer w.sendMu.Unlock()
	_, err := w.stdin.Write(head)
	if err == nil && len(body) > 0 {
		_, err = w.stdin.Write(body)
	}
	if err != nil {
		w.kill(errGone)
		return w.why()
	}
	return nil
}

// kill ends the process for a reason; the first one counts.
func (w *worker) kill(reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killLocked(reason)
}

// killLocked is kill; mu is held.
func (w *worker) killLocked(reason error) {
	if w.mu.err != nil {
		return
	}
	w.mu.err = reason
	if w.mu.watch != nil {
		w.mu.watch.Stop()
		w.mu.unused.Stop()
	}
	close(w.dead)
	_ = w.cmd.Process.Kill() // it may be gone
}

// stopUnused ends the process if it has no jobs. Whoever comes to it at this
// moment finds it dead and takes another.
func (w *worker) stopUnused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.jobs) == 0 {
		w.killLocked(errClosed)
	}
}

func (w *worker) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}

// reap waits for the process and tells its jobs.
func (w *worker) reap(out *os.File) {
	state := w.cmd.Wait()
	_ = w.stdin.Close()
	_ = out.Close()
	w.mu.Lock()
	jobs := w.mu.jobs
	w.mu.jobs = nil
	err := w.mu.err
	w.mu.Unlock()
	if !errors.Is(err, errClosed) {
		w.log.Warn("decode worker ended", "pid", w.cmd.Process.Pid, "reason", err, "state", state, "jobs", len(jobs))
	}
}

// load is how many jobs it has; -1 when it is dead.
func (w *worker) load() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.err != nil {
		return -1
	}
	return len(w.mu.jobs)
}

// stop ends a worker and waits for it.
func (w *worker) stop() {
	w.kill(errClosed)
	w.wg.Wait()
}

// workerSession is a job within a worker.
type workerSession struct {
	w      *worker
	id     uint32
	sink   sink
	window chan struct{} // a token for each sample on its way
	opened chan error    // one answer
	idle   chan struct{} // tokens of FLUSHED
	wanted keyFlag
	buf    []byte
	closed sync.Once
}

// open begins a job in a worker and waits for the answer.
func (w *worker) open(in media.Track, out Target, k sink) (session, error) {
	s := &workerSession{w: w, sink: k, window: make(chan struct{}, audioWindow), opened: make(chan error, 1), idle: make(chan struct{}, 1)}
	if in.Kind() == media.Video {
		s.window = make(chan struct{}, videoWindow)
	}
	w.mu.Lock()
	if w.mu.err != nil {
		defer w.mu.Unlock()
		return nil, w.mu.err
	}
	w.mu.next++
	s.id = w.mu.next
	w.mu.jobs[s.id] = s
	w.mu.unused.Stop()
	w.mu.Unlock()
	w.expect()
	err := w.send(appendOpen(nil, s.id, in, out), nil)
	if err == nil {
		timer := time.NewTimer(waits * w.patience)
		defer timer.Stop()
		select {
		case err = <-s.opened:
		case <-w.dead:
			err = w.why()
		case <-timer.C:
			err = w.hangs()
		}
	}
	if err != nil {
		s.forget()
		return nil, err
	}
	return s, nil
}

// take handles a message of the worker.
func (s *workerSession) take(m message) error {
	switch m.typ {
	case msgOpened:
		return s.answer(nil)
	case msgFailed:
		return s.answer(fmt.Errorf("%w: %.200s", ErrUnsupported, m.data))
	case msgOutput:
		o, err := parseOutput(m)
		if err == nil {
			s.sink.output(o)
		}
		return err
	case msgDone:
		d, err := parseDone(m)
		if err != nil {
			return err
		}
		select {
		case <-s.window:
		default:
			return fmt.Errorf("%w: it acknowledges more than it got", errProtocol)
		}
		s.sink.done(d.damaged, time.Duration(d.micros)*time.Microsecond)
		return nil
	case msgFlushed:
		select {
		case s.idle <- struct{}{}:
		default:
		}
		return nil
	}
	return fmt.Errorf("%w: message of type %d", errProtocol, m.typ)
}

func (s *workerSession) answer(err error) error {
	select {
	case s.opened <- err:
		return nil
	default:
		return fmt.Errorf("%w: it answers twice", errProtocol)
	}
}

// write hands a sample to the worker; it waits for room in the window.
func (s *workerSession) write(m *media.Sample, duration media.Ticks) error {
	select {
	case s.window <- struct{}{}:
	default:
		if err := s.awaitRoom(); err != nil {
			return err
		}
	}
	if s.wanted.take() {
		if err := s.w.send(appendHead(nil, msgKey, s.id, 0), nil); err != nil {
			return err
		}
	}
	s.w.expect()
	s.buf = appendSample(s.buf[:0], s.id, m, duration)
	return s.w.send(s.buf, m.Data)
}

func (s *workerSession) key() { s.wanted.set() }

// flush waits until everything that was written has come out.
func (s *workerSession) flush() error {
	s.w.expect()
	if err := s.w.send(appendHead(nil, msgFlush, s.id, 0), nil); err != nil {
		return err
	}
	timer := time.NewTimer(waits * s.w.patience)
	defer timer.Stop()
	select {
	case <-s.idle:
		return nil
	case <-s.w.dead:
		return s.w.why()
	case <-timer.C:
		return s.w.hangs()
	}
}

func (s *workerSession) forget() {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.mu.jobs == nil {
		return
	}
	delete(s.w.mu.jobs, s.id)
	if len(s.w.mu.jobs) == 0 && s.w.mu.err == nil {
		s.w.mu.unused.Reset(s.w.idle)
	}
}

// close ends the job. What is on its way is not delivered any more.
func (s *workerSession) close() {
	s.closed.Do(func() {
		s.forget()
		// Without an answer: when the worker is dead, so is the job.
		_ = s.w.send(appendHead(nil, msgClose, s.id, 0), nil)
	})
}
