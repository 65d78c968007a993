package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

func TestOS(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return vfs.OS{}, t.TempDir() })
}

func TestMem(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) {
		m := vfs.NewMem()
		if err := m.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		return m, "/data"
	})
}

func TestInject(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return vfs.NewInject(vfs.OS{}), t.TempDir() })
}

// versions writes one file over and over and tells how many writes were
// acknowledged.
func versions(disk vfs.FS) int {
	for i := range 4 {
		if err := vfs.WriteAtomic(disk, "/state", version(i)); err != nil {
			return i
		}
	}
	return 4
}

func version(i int) []byte { return fmt.Appendf(nil, "%04d%01500d", i, i) }

func checkVersion(t *testing.T, disk vfs.FS, acked int) {
	data, err := vfs.ReadFile(disk, "/state", 1<<20)
	if errors.Is(err, fs.ErrNotExist) && acked == 0 {
		return
	}
	if err != nil {
		t.Errorf("after %d acknowledged writes: %v", acked, err)
		return
	}
	if acked > 0 && string(data) == string(version(acked-1)) || string(data) == string(version(acked)) {
		return
	}
	t.Errorf("after %d acknowledged writes the file holds %d bytes, %.8q…", acked, len(data), data)
}

func TestWriteAtomicCrashes(t *testing.T) { vfstest.CrashAtEvery(t, versions, checkVersion) }

func TestWriteAtomicFails(t *testing.T) {
	for _, failure := range []error{unix.EIO, unix.ENOSPC} {
		vfstest.FailAtEvery(t, failure, versions, checkVersion)
	}
}

// TestMemForgets proves that the model is strict: each way to leave a sync out
// is found by CrashAtEvery's survival models.
func TestMemForgets(t *testing.T) {
	write := func(t *testing.T, m *vfs.Mem, syncFile, syncDir bool) {
		f, err := m.Create("/a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(version(1)); err != nil {
			t.Fatal(err)
		}
		if syncFile {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if syncDir {
			if err := m.SyncDir("/"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		syncFile, syncDir, kept bool
	}{
		{false, false, false}, {true, false, false}, {false, true, false}, {true, true, true},
	} {
		m := vfs.NewMem()
		write(t, m, c.syncFile, c.syncDir)
		data, err := vfs.ReadFile(m.CrashClone(vfs.Survival{}), "/a", 1<<20)
		if kept := err == nil && len(data) > 0; kept != c.kept {
			t.Errorf("file synced %t, directory synced %t: kept %t, want %t", c.syncFile, c.syncDir, kept, c.kept)
		}
		if data, err := vfs.ReadFile(m.CrashClone(vfs.Survival{Keep: 1}), "/a", 1<<20); err != nil || len(data) != 1504 {
			t.Errorf("a killed process lost %d bytes: %v", 1504-len(data), err)
		}
	}
}

// TestMemTears proves that some seed leaves a torn file, that a seed always
// gives the same disk, and that a rename is never half done.
func TestMemTears(t *testing.T) {
	m := vfs.NewMem()
	if err := vfs.WriteAtomic(m, "/a", make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	f, err := m.OpenReadWrite("/a")
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]byte, 4096)
	for i := range ones {
		ones[i] = 1
	}
	if _, err := f.WriteAt(ones, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Rename("/a", "/b"); err != nil {
		t.Fatal(err)
	}
	torn, renamed := false, 0
	for seed := range uint64(32) {
		read := func() ([]byte, bool) {
			clone := m.CrashClone(vfs.Survival{Keep: 0.5, Seed: seed})
			a, errA := vfs.ReadFile(clone, "/a", 1<<20)
			b, errB := vfs.ReadFile(clone, "/b", 1<<20)
			if (errA == nil) == (errB == nil) {
				t.Fatalf("seed %d: half a rename: %v, %v", seed, errA, errB)
			}
			return append(a, b...), errB == nil
		}
		data, moved := read()
		if again, movedAgain := read(); string(again) != string(data) || moved != movedAgain {
			t.Fatalf("seed %d gave two disks", seed)
		}
		if moved {
			renamed++
		}
		count := 0
		for i := 0; i < len(data); i += 512 {
			count += int(data[i])
		}
		torn = torn || count > 0 && count < 8
	}
	if !torn || renamed == 0 || renamed == 32 {
		t.Fatalf("32 seeds: torn %t, renamed %d times", torn, renamed)
	}
}

func TestMemFull(t *testing.T) {
	m := vfs.NewMem()
	m.SetCapacity(1000)
	f, err := m.Create("/a")
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.Write(make([]byte, 1500))
	if n != 1000 || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("write on a full disk gave %d, %v", n, err)
	}
	if u, err := m.Usage("/"); err != nil || u.Free != 0 {
		t.Fatalf("usage is %+v, %v", u, err)
	}
}

func TestTrace(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	if err := vfs.WriteAtomic(inject, "/state", []byte("abc")); err != nil {
		t.Fatal(err)
	}
	const want = "create state.tmp\nwrite state.tmp @0 +3\nsync state.tmp\nrename state.tmp state\nsyncdir .\n"
	if got := inject.Trace("/"); got != want {
		t.Fatalf("transcript is\n%s\nwant\n%s", got, want)
	}
}

// TestPoison proves that a failed sync is final on its handle.
func TestPoison(t *testing.T) {
	inject := vfs.NewInject(vfs.NewMem())
	inject.Arm(vfs.Fault{N: 1, Err: unix.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpSync }})
	f, err := inject.Create("/a")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Sync(); !errors.Is(err, vfs.ErrSync) || !errors.Is(err, unix.EIO) {
			t.Fatalf("sync gave %v", err)
		}
	}
}
