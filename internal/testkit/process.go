// Package testkit starts the servers that tests talk to, as separate
// processes on free loopback ports with a directory of their own, and stops
// them by their process id.
//
// It holds no test doubles: whatever it hands out is the real thing. It is for
// tests only and is not linked into the product.
package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	readyTries = 600 // of one readiness check
	readyPause = 50 * time.Millisecond
	stopGrace  = 10 * time.Second // between SIGTERM and SIGKILL
	logTail    = 4 << 10          // bytes of output shown when a server fails
)

// Process is a running program. It ends with the test at the latest, and with
// the test binary should that be killed.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
	log  string
}

// StartProcess runs a program with the given environment, its output in a file
// below dir.
func StartProcess(t testing.TB, dir, program string, args, environment []string) *Process {
	t.Helper()
	log, err := os.CreateTemp(dir, filepath.Base(program)+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &Process{cmd: exec.Command(program, args...), done: make(chan struct{}), log: log.Name()}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), environment...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// run holds on to its thread: the kernel sends the death signal when the
// thread that started the program ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is of no interest: tests kill it
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signal %s: %v", p.cmd.Path, err)
	}
}

// Stop ends the program, gently at first, and waits for its end.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		p.Kill(t)
	}
}

// Kill ends the program at once, as a crash would, and waits for its end.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	<-p.done
}

// Output returns the end of what the program printed.
func (p *Process) Output() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-logTail):])
}

// Await polls ready until it succeeds, and fails the test when the program
// ends first or never gets ready.
func (p *Process) Await(t testing.TB, ready func() error) {
	t.Helper()
	var err error
	for range readyTries {
		if err = ready(); err == nil {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended before it was ready:\n%s", p.cmd.Path, p.Output())
		case <-time.After(readyPause):
		}
	}
	t.Fatalf("%s is not ready: %v\n%s", p.cmd.Path, err, p.Output())
}

// Ports that the kernel gives to nobody who asks for any: below its range for
// connections and for listeners without a port, which are taken at any moment.
const (
	firstFreePort = 20_000
	lastFreePort  = 32_000
)

// FreePort returns a loopback TCP port that nobody listened on a moment ago,
// and that only another FreePort would take.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstFreePort + rand.IntN(lastFreePort-firstFreePort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatalf("no port between %d and %d is free", firstFreePort, lastFreePort)
	return 0
}

// Tool returns the path of a program that `make tools` builds.
func Tool(t testing.TB, name string) string {
	t.Helper()
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".tools", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make tools (%v)", name, err)
	}
	return path
}

// ModuleRoot finds the directory of go.mod above the working directory.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find go.mod: none above the working directory")
		}
		dir = parent
	}
}
