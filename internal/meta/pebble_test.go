package meta

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCrash takes the power away after some acknowledged commits: each is
// there, and the revisions go on from where they were.
func TestCrash(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	for commits := range 12 {
		disk := vfs.NewCrashableMem()
		p, err := open(disk, "meta", quiet)
		if err != nil {
			t.Fatal(err)
		}
		for i := range commits {
			if err := p.Commit(Op{Key: fmt.Sprint(i), Value: []byte("x"), Expect: 0}, Op{Key: "last", Value: fmt.Append(nil, i), Expect: Any}); err != nil {
				t.Fatal(err)
			}
		}
		found := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(commits), 1))})
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p, err = open(found, "meta", quiet)
		if err != nil {
			t.Fatal(err)
		}
		for i := range commits {
			if _, err := p.Get(fmt.Sprint(i)); err != nil {
				t.Errorf("of %d commits, number %d is lost: %v", commits, i, err)
			}
		}
		if p.last != Revision(commits) {
			t.Errorf("after %d commits the revision is %d", commits, p.last)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReopen opens a store on the real disk twice in a row, and at once.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	p, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(Op{Key: "a", Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if second, err := Open(dir, quiet); err == nil {
		second.Close()
		t.Fatal("a store was opened twice at once")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = Open(dir, quiet); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Commit(Op{Key: "a", Value: []byte("2"), Expect: 0}); !errors.Is(err, ErrConflict) {
		t.Fatalf("the key is gone: %v", err)
	}
	if p.Bytes() <= 0 {
		t.Fatal("the store takes no room")
	}
}
