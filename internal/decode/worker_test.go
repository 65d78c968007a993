package decode_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
)

// children are the processes of that name that this process started.
func children(t *testing.T, name string) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		pid, rest, _ := strings.Cut(string(b), " (")
		comm, rest, _ := strings.Cut(rest, ") ")
		fields := strings.Fields(rest)
		if comm == name && len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

// until waits for a condition that must come true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come true", what)
		}
	}
}

// TestJobsOutliveTheirProcess kills the process in the middle: what comes
// later is coded, marked as following a gap, and begins with a key frame.
func TestJobsOutliveTheirProcess(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		for _, codec := range []media.Codec{media.Opus, media.VP8} {
			t.Run(string(codec), func(t *testing.T) {
				in, samples := decodetest.Sine(t, media.AAC, 2, 400, 1)
				if codec == media.VP8 {
					in, samples = decodetest.Pictures(t, media.H264, 320, 240, 2)
				}
				var c collector
				j, err := d.Open(in, decode.Target{Codec: codec}, c.take)
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				step, loop := samples[1].DTS-samples[0].DTS, 0
				write := func() {
					for _, s := range samples {
						x := *s
						x.DTS += step * media.Ticks(loop*len(samples))
						if err := j.Write(&x); err != nil {
							t.Fatal(err)
						}
					}
					loop++
				}
				until(t, "output", func() bool { write(); return len(c.got()) > 10 })
				pids := children(t, d.Kind())
				if len(pids) == 0 {
					t.Fatal("no process runs")
				}
				for _, pid := range pids {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
				until(t, "a restart", func() bool { write(); return j.Stats().Restarts > 0 })
				was := len(c.got())
				until(t, "output after the restart", func() bool { write(); return len(c.got()) > was+10 })
				lossy := 0
				for i, s := range c.got() {
					if i > 0 && s.DTS <= c.got()[i-1].DTS {
						t.Fatalf("%v follows %v", s, c.got()[i-1])
					}
					if s.Lossy {
						lossy++
						if !s.Key {
							t.Errorf("%v follows a gap and is no key frame", s)
						}
					}
				}
				if lossy != 1 {
					t.Errorf("%d gaps", lossy)
				}
			})
		}
		if d.Status().Deaths == 0 {
			t.Error("no death was counted")
		}
	})
}

// TestRecordedPicturesYield opens a job of live and one of recorded pictures:
// each has a process of its own, and that of the second has less priority.
func TestRecordedPicturesYield(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		in, samples := decodetest.Pictures(t, media.VP8, 320, 240, 0.2)
		for _, once := range []bool{false, true} {
			var c collector
			j, err := d.Open(in, decode.Target{Codec: media.VP9, Once: once}, c.take)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			if err := j.Write(samples[0]); err != nil {
				t.Fatal(err)
			}
		}
		var nices []int
		for _, pid := range children(t, d.Kind()) {
			n, err := syscall.Getpriority(syscall.PRIO_PROCESS, pid)
			if err != nil {
				t.Fatal(err)
			}
			nices = append(nices, 20-n) // the system call counts from 20 down
		}
		slices.Sort(nices)
		if len(nices) != 2 || nices[1] != nices[0]+5 {
			t.Errorf("two processes are expected, one of them nicer by 5: %v", nices)
		}
	})
}

// TestProcessesThatHang stops the process in the middle: it is killed, and the
// job goes on in another.
func TestProcessesThatHang(t *testing.T) {
	for _, o := range []decode.Options{{Worker: decodetest.Worker(t, "../.."), FFmpeg: "none"}, {Worker: "none"}} {
		o.Patience = 300 * time.Millisecond
		d, err := decode.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(d.Kind(), func(t *testing.T) {
			defer d.Close()
			in, samples := decodetest.Pictures(t, media.H264, 320, 240, 2)
			var c collector
			j, err := d.Open(in, decode.Target{Codec: media.VP8}, c.take)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			loop := 0
			write := func() {
				for _, s := range samples {
					x := *s
					x.DTS += media.Ticks(loop * len(samples) * 3600)
					if err := j.Write(&x); err != nil {
						t.Fatal(err)
					}
				}
				loop++
			}
			until(t, "output", func() bool { write(); return len(c.got()) > 10 })
			for _, pid := range children(t, d.Kind()) {
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			until(t, "a restart", func() bool { write(); return j.Stats().Restarts > 0 })
			was := len(c.got())
			until(t, "output after it", func() bool { write(); return len(c.got()) > was+10 })
		})
	}
}

// TestHostileInput gives every decoder samples with flipped, lost and added
// bytes. Nothing hangs, and afterwards the same decoders work.
func TestHostileInput(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		t.Parallel()
		r := rand.New(rand.NewPCG(1, 2))
		for _, codec := range []media.Codec{media.H264, media.H265, media.VP8, media.VP9, media.AV1, media.AAC, media.Opus, media.PCMU} {
			t.Run(string(codec), func(t *testing.T) {
				target := decode.Target{Codec: media.VP8}
				var in media.Track
				var samples []*media.Sample
				switch codec.Kind() {
				case media.Video:
					in, samples = decodetest.Pictures(t, codec, 160, 128, 1)
				default:
					in, samples = decodetest.Sine(t, codec, 1, 400, 1)
					target.Codec = media.Opus
					if codec == media.Opus {
						target.Codec = media.AAC
					}
				}
				bad := in
				for round := range 3 {
					if round == 2 && len(bad.Config) > 0 {
						bad.Config = mutate(r, bad.Config)
					}
					j, err := d.Open(bad, target, func(decode.Result) {})
					if err != nil {
						continue // also an answer
					}
					for _, s := range samples {
						x := *s
						x.Data = mutate(r, x.Data)
						if err := j.Write(&x); err != nil {
							t.Fatal(err)
						}
					}
					_ = j.Flush() // ffmpeg may give up on such a stream
					j.Close()
				}
				if _, got, _ := run(t, d, in, samples, target); len(got) < 20 {
					t.Errorf("afterwards %d samples came out", len(got))
				}
			})
		}
	})
}

// mutate returns a damaged copy.
func mutate(r *rand.Rand, b []byte) []byte {
	out := append([]byte(nil), b...)
	for range 1 + r.IntN(8) {
		if len(out) == 0 {
			break
		}
		switch r.IntN(5) {
		case 0:
			out = out[:r.IntN(len(out))]
		case 1:
			out = append(out, byte(r.Uint32()), byte(r.Uint32()))
		default:
			out[r.IntN(len(out))] ^= 1 << r.IntN(8)
		}
	}
	return append(out, 0)
}

// TestKeyFramesOnRequest asks in the middle of a group of pictures.
func TestKeyFramesOnRequest(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	in, samples := decodetest.Pictures(t, media.H264, 320, 240, 1)
	var c collector
	j, err := d.Open(in, decode.Target{Codec: media.VP8}, c.take)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, s := range samples {
		if i == 10 {
			j.RequestKey()
		}
		if err := j.Write(s); err != nil {
			t.Fatal(err)
		}
		// A frame in is a frame out, at once.
		until(t, "a frame", func() bool { return len(c.got()) == i+1 })
	}
	for i, s := range c.got() {
		if s.Key != (i == 0 || i == 10) {
			t.Errorf("frame %d: key %t", i, s.Key)
		}
	}
}

// TestIdleWorkersStop closes the only job.
func TestIdleWorkersStop(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../.."), Idle: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	in, _ := decodetest.Sine(t, media.PCMU, 1, 400, 0.1)
	var jobs []*decode.Job
	for range 5 { // they share one worker
		j, err := d.Open(in, decode.Target{Codec: media.Opus}, func(decode.Result) {})
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	if n := d.Status().Workers; n != 1 {
		t.Errorf("%d workers", n)
	}
	for _, j := range jobs {
		j.Close()
	}
	until(t, "no worker", func() bool { return d.Status().Workers == 0 })
	if d.Status().Deaths != 0 {
		t.Error("stopping counts as a death")
	}
}

// TestWorkerIsConfined looks at what the kernel says of the process.
func TestWorkerIsConfined(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../.."), Memory: 512 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	in, _ := decodetest.Sine(t, media.PCMU, 1, 400, 0.1)
	j, err := d.Open(in, decode.Target{Codec: media.Opus}, func(decode.Result) {})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	pids := children(t, "weir-decode")
	if len(pids) != 1 {
		t.Fatalf("processes %v", pids)
	}
	dir := filepath.Join("/proc", strconv.Itoa(pids[0]))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "Threads:\t1"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("status lacks %q", want)
		}
	}
	limits, err := os.ReadFile(filepath.Join(dir, "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Max core file size": "0", "Max file size": "0", "Max open files": "3", "Max address space": "536870912"} {
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, name); ok && strings.Fields(rest)[1] != want {
				t.Errorf("%s is %s, want %s", name, strings.Fields(rest)[1], want)
			}
		}
	}
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil || len(fds) != 3 {
		t.Errorf("%d files are open, %v", len(fds), err)
	}
}

// TestWithoutPrograms says what to do.
func TestWithoutPrograms(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: "none", FFmpeg: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Available(); err == nil || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("got %v", err)
	}
	if _, err := decode.New(decode.Options{Worker: "/nowhere/weir-decode"}); err == nil {
		t.Error("a worker that is not there was found")
	}
}
