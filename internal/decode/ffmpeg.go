package decode

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/decode/pipe"
	"weir/internal/media"
)

// longestGap is how much silence ffmpeg may put where sound is missing; after
// a longer gap, or a step back, another process begins.
const longestGap = 10 * time.Second

// errStep means that the times of a track jump.
var errStep = errors.New("times of the track jump")

// ffmpegSession is a run of a job in the program ffmpeg: Matroska goes in, Ogg,
// ADTS or IVF comes out. Times in the pipes count from base.
type ffmpegSession struct {
	d    *Decoders
	in   media.Track
	out  Target
	sink sink
	head []byte // of the stream

	buf   []byte
	base  int64 // nanoseconds: presentation time 0 of the pipes
	first media.Ticks
	last  int64 // nanoseconds, of the newest sample

	mu struct {
		sync.Mutex // guards the following
		run        *ffmpegRun
		closed     bool
	}
}

// ffmpegRun is one process.
type ffmpegRun struct {
	cmd      *exec.Cmd
	stdin    *os.File
	ended    atomic.Bool   // by us
	patience time.Duration // how long it may be busy without taking what it is given
	done     chan struct{} // closed when its output has ended
	err      error         // why, valid after done
}

// openFFmpeg prepares a session; the process starts with the first sample,
// whose time it needs.
func (d *Decoders) openFFmpeg(in media.Track, out Target, k sink) (session, error) {
	plain := in
	plain.Config = workerConfig(in)
	head, err := pipe.MatroskaHead(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return &ffmpegSession{d: d, in: in, out: out, sink: k, head: head}, nil
}

// arguments are those of ffmpeg.
func (s *ffmpegSession) arguments() []string {
	a := []string{"-hide_banner", "-loglevel", "fatal", "-protocol_whitelist", "pipe", "-threads", "1",
		"-copyts", "-probesize", "32", "-analyzeduration", "0", "-f", "matroska", "-i", "pipe:0", "-threads", "1"}
	switch s.out.Codec {
	case media.Opus:
		a = append(a, "-map", "0:a:0", "-af", "aresample=48000:async=1000:first_pts=0", "-ac", strconv.Itoa(s.out.Channels),
			"-c:a", "libopus", "-application", "audio", "-frame_duration", "20", "-b:a", strconv.Itoa(s.out.Bitrate),
			"-f", "ogg", "-page_duration", "1")
	case media.AAC:
		a = append(a, "-map", "0:a:0", "-af", "aresample=48000:async=1000:first_pts=0", "-ac", strconv.Itoa(s.out.Channels),
			"-c:a", "aac", "-aac_coder", "fast", "-aac_tns", "0", "-b:a", strconv.Itoa(s.out.Bitrate), "-f", "adts")
	default:
		rate := strconv.Itoa(s.out.Bitrate)
		coder := []string{"libvpx", "-error-resilient", "default"}
		if s.out.Codec == media.VP9 {
			coder = []string{"libvpx-vp9", "-row-mt", "0"}
		}
		a = append(a, "-map", "0:v:0", "-vf",
			fmt.Sprintf("scale=w='trunc(min(1,min(%d/iw,%d/ih))*iw/2)*2':h='trunc(min(1,min(%[1]d/iw,%[2]d/ih))*ih/2)*2'", s.out.MaxWidth, s.out.MaxHeight),
			"-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v")
		a = append(append(a, coder...), "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-auto-alt-ref", "0", "-b:v", rate,
			"-maxrate", rate, "-bufsize", strconv.Itoa(s.out.Bitrate/2), "-g", "3600", "-force_key_frames", "source", "-f", "ivf")
	}
	return append(a, "-flush_packets", "1", "pipe:1")
}

// start starts a process whose time 0 is the first sample, or with a grid the
// start of the frame that it lies in.
func (s *ffmpegSession) start(m *media.Sample) (*ffmpegRun, error) {
	s.base = m.PTS().Nanos(s.in.Timescale)
	if s.in.Kind() == media.Video {
		s.first = media.ToTicks(s.base, VideoClock)
	} else {
		s.first = media.ToTicks(s.base+int64(time.Second)/AudioRate/2, AudioRate)
		if s.out.Grid {
			s.first -= s.first % AACFrame
			s.base = s.first.Nanos(AudioRate)
		}
	}
	if err := s.d.reserve(); err != nil {
		return nil, err
	}
	r, err := s.spawn()
	if err != nil {
		s.d.unreserve(nil, false)
		return nil, err
	}
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		r.end()
		return nil, ErrClosed
	}
	s.mu.run = r
	s.mu.Unlock()
	return r, r.write(s.head, nil)
}

// spawn starts the process and what reads its output.
func (s *ffmpegSession) spawn() (*ffmpegRun, error) {
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
	r := &ffmpegRun{stdin: inW, patience: s.d.opts.Patience, done: make(chan struct{})}
	r.cmd = exec.Command(s.d.ffmpeg, s.arguments()...)
	r.cmd.Env = []string{}
	r.cmd.Dir = "/"
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = inR, outW, errW
	err = r.cmd.Start()
	err = errors.Join(err, inR.Close(), outW.Close(), errW.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.d.ffmpeg, err), inW.Close(), outR.Close(), errR.Close())
	}
	if err := bound(r.cmd.Process.Pid, s.d.opts.Memory); err != nil {
		s.d.opts.Log.Warn("ffmpeg runs without bounds", "err", err)
	}
	if dutyOf(s.in, s.out) == dutyReplay {
		if err := yield(r.cmd.Process.Pid); err != nil {
			s.d.opts.Log.Warn("ffmpeg does not yield to live work", "err", err)
		}
	}
	s.d.wg.Go(func() { logLines(errR, s.d.opts.Log, r.cmd.Process.Pid) })
	s.d.keep(r)
	first := s.first
	s.d.wg.Go(func() {
		err := s.read(bufio.NewReaderSize(outR, 64<<10), first)
		if err != nil {
			_ = r.cmd.Process.Kill()
		}
		_ = outR.Close()
		state := r.cmd.Wait()
		_ = r.stdin.Close()
		if err == nil && state != nil {
			err = fmt.Errorf("%w: %w", errGone, state)
		}
		r.err = err
		s.d.unreserve(r, err != nil && !r.ended.Load())
		s.spent(r.cmd)
		close(r.done)
	})
	return r, nil
}

// spent adds the processor time of a process that ended.
func (s *ffmpegSession) spent(cmd *exec.Cmd) {
	if st := cmd.ProcessState; st != nil {
		s.sink.done(false, st.UserTime()+st.SystemTime())
	}
}

// read takes the output of a process whose time 0 is first.
func (s *ffmpegSession) read(r *bufio.Reader, first media.Ticks) error {
	n := media.Ticks(0)
	switch s.out.Codec {
	case media.Opus:
		return pipe.ReadOpus(r, func(b []byte) error {
			s.sink.output(output{pts: first + n*960 - media.OpusPreSkip, key: true, data: b})
			n++
			return nil
		})
	case media.AAC:
		return pipe.ReadADTS(r, func(b []byte) error {
			s.sink.output(output{pts: first + (n-1)*AACFrame, key: true, data: b})
			n++
			return nil
		})
	}
	return pipe.ReadIVF(r, func(pts media.Ticks, b []byte) error {
		key := isKey(s.out.Codec, b)
		s.sink.output(output{pts: first + pts, key: key, data: b})
		return nil
	})
}

// isKey tells whether a frame of VP8 (RFC 6386 section 9.1) or VP9
// (uncompressed_header in section 6.2 of its specification) is a key frame.
func isKey(c media.Codec, b []byte) bool {
	if len(b) > 0 && c == media.VP9 {
		return b[0]&0x0C == 0 // of profile 0, no repetition of another
	}
	return len(b) > 0 && b[0]&1 == 0
}

// write gives a sample to the process.
func (s *ffmpegSession) write(m *media.Sample, _ media.Ticks) error {
	s.mu.Lock()
	r, closed := s.mu.run, s.mu.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	at := m.PTS().Nanos(s.in.Timescale)
	if step := time.Duration(at - s.last); r != nil && s.in.Kind() == media.Audio && (step > longestGap || step < -time.Second) {
		r.end()
		return errStep
	}
	if r == nil {
		var err error
		if r, err = s.start(m); err != nil {
			return err
		}
	}
	s.last = at
	s.buf = pipe.AppendBlock(s.buf[:0], (at-s.base+pipe.MatroskaTick/2)/pipe.MatroskaTick, m.Key || s.in.Kind() == media.Audio, len(m.Data))
	return r.write(s.buf, m.Data)
}

// write sends bytes. It waits while the process is busy, within bounds.
func (r *ffmpegRun) write(head, body []byte) error {
	err := r.stdin.SetWriteDeadline(time.Now().Add(r.patience))
	if err == nil {
		_, err = r.stdin.Write(head)
	}
	if err == nil && len(body) > 0 {
		_, err = r.stdin.Write(body)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		_ = r.cmd.Process.Kill()
		<-r.done
		return errHangs
	}
	_ = r.cmd.Process.Kill()
	<-r.done
	return errGone
}

// end kills the process and waits for it.
func (r *ffmpegRun) end() {
	r.ended.Store(true)
	_ = r.cmd.Process.Kill()
	<-r.done
}

// key does nothing: the program has no way to ask for one. Its key frames are
// those of the input.
func (s *ffmpegSession) key() {}

// flush lets the process come to its end; the next sample starts another.
func (s *ffmpegSession) flush() error {
	s.mu.Lock()
	r := s.mu.run
	s.mu.run = nil
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	_ = r.stdin.Close()
	watch := time.AfterFunc(r.patience, func() { _ = r.cmd.Process.Kill() })
	<-r.done
	watch.Stop()
	return r.err
}

// close ends the process.
func (s *ffmpegSession) close() {
	s.mu.Lock()
	r := s.mu.run
	s.mu.run, s.mu.closed = nil, true
	s.mu.Unlock()
	if r != nil {
		r.end()
	}
}

// reserve takes the place of a process.
func (d *Decoders) reserve() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.mu.closed:
		return ErrClosed
	case d.mu.programs >= d.opts.Workers:
		return fmt.Errorf("%w: %d run, the bound; end some viewers that need another codec", ErrBusy, d.opts.Workers)
	}
	d.mu.programs++
	return nil
}

// keep remembers a process, for Close to end.
func (d *Decoders) keep(r *ffmpegRun) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.runs[r] = true
	if d.mu.closed {
		_ = r.cmd.Process.Kill()
	}
}

// unreserve gives the place back; died tells that the process failed.
func (d *Decoders) unreserve(r *ffmpegRun, died bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.runs, r)
	d.mu.programs--
	if died {
		d.mu.deaths++
	}
}
