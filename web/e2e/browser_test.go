package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"weir/internal/testkit"
)

// browser is one Chromium, driven by driver.mjs. It is safe for concurrent
// use: every command gets a profile of its own.
type browser struct {
	log string
	in  io.WriteCloser

	mu      sync.Mutex // guards the following
	last    int
	waiting map[int]chan reply
	ended   bool
}

// command and reply are lines of the driver.
type command struct {
	ID     int    `json:"id"`
	Action string `json:"action"`
	Args   any    `json:"args"`
}

type reply struct {
	ID     int
	Error  string
	Result json.RawMessage
}

// maxReply bounds one line of the driver, bytes.
const maxReply = 1 << 20

// startBrowser runs a browser until the test ends.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	root, err := testkit.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "playwright-core")); err != nil {
		t.Fatalf("the packages of the console are missing: run npm ci in web (%v)", err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "browser.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "driver.mjs")
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	b := &browser{log: log.Name(), waiting: map[int]chan reply{}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		b.in, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start node: %v", err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		b.in.Close() // the driver then closes Chromium and ends
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser's driver: %v\n%s", err, b.output())
		}
		log.Close()
	})
	return b
}

// read hands replies to those who wait for them.
func (b *browser) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxReply)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // a word of a library
		}
		b.mu.Lock()
		if ch := b.waiting[r.ID]; ch != nil {
			ch <- r
			delete(b.waiting, r.ID)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, ch := range b.waiting {
		close(ch)
	}
}

func (b *browser) output() string {
	data, err := os.ReadFile(b.log)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// do runs one command in a window of its own and decodes what came of it.
func (b *browser) do(t *testing.T, action string, args, result any) {
	t.Helper()
	ch, err := b.send(action, args)
	if err != nil {
		t.Fatalf("tell the browser: %v\n%s", err, b.output())
	}
	r, ok := <-ch
	switch {
	case !ok:
		t.Fatalf("the browser ended\n%s", b.output())
	case r.Error != "":
		t.Fatalf("%s: %s", action, r.Error)
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		t.Fatal(err)
	}
}

func (b *browser) send(action string, args any) (chan reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return nil, errors.New("it has ended")
	}
	b.last++
	line, err := json.Marshal(command{b.last, action, args})
	if err != nil {
		return nil, err
	}
	ch := make(chan reply, 1)
	b.waiting[b.last] = ch
	_, err = b.in.Write(append(line, '\n'))
	return ch, err
}
