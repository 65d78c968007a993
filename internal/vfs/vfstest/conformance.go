package vfstest

import (
	"bytes"
	"io"
	"io/fs"
	"path/filepath"
	"testing"

	"weir/internal/vfs"
)

// Run is the conformance suite of vfs.FS. It calls open for each test; open
// returns a disk and an existing, empty directory on it.
func Run(t *testing.T, open func(t *testing.T) (vfs.FS, string)) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, disk vfs.FS, dir string)
	}{
		{"files", testFiles},
		{"names", testNames},
		{"directories", testDirectories},
		{"positions", testPositions},
		{"unlinked", testUnlinked},
		{"lock", testLock},
		{"usage", testUsage},
		{"atomic", testAtomic},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk, dir := open(t)
			c.test(t, disk, dir)
		})
	}
}

func write(t *testing.T, disk vfs.FS, name, text string) {
	t.Helper()
	f, err := disk.Create(name)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

func read(t *testing.T, disk vfs.FS, name string) string {
	t.Helper()
	f, err := disk.Open(name)
	must(t, err)
	data, err := io.ReadAll(f)
	must(t, err)
	must(t, f.Close())
	return string(data)
}

func wantText(t *testing.T, disk vfs.FS, name, want string) {
	t.Helper()
	if got := read(t, disk, name); got != want {
		t.Fatalf("%s holds %q, want %q", filepath.Base(name), got, want)
	}
}

func testFiles(t *testing.T, disk vfs.FS, dir string) {
	a := filepath.Join(dir, "a")
	_, err := disk.Open(a)
	mustBe(t, err, fs.ErrNotExist)
	_, err = disk.OpenReadWrite(a)
	mustBe(t, err, fs.ErrNotExist)
	_, err = disk.Create(filepath.Join(dir, "missing", "a"))
	mustBe(t, err, fs.ErrNotExist)

	write(t, disk, a, "hello")
	wantText(t, disk, a, "hello")
	write(t, disk, a, "bye")
	wantText(t, disk, a, "bye")

	info, err := disk.Stat(a)
	must(t, err)
	if info.Size() != 3 || info.IsDir() || info.Name() != "a" || info.Mode().Perm() != 0o600 {
		t.Fatalf("stat says %v %d %v %v", info.Name(), info.Size(), info.IsDir(), info.Mode())
	}
	f, err := disk.Open(a)
	must(t, err)
	if _, err := f.Write([]byte("x")); err == nil {
		t.Fatal("a file opened for reading was written")
	}
	must(t, f.Close())
	mustBe(t, f.Close(), fs.ErrClosed)
	_, err = f.ReadAt(make([]byte, 1), 0)
	mustBe(t, err, fs.ErrClosed)
}

func testNames(t *testing.T, disk vfs.FS, dir string) {
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	write(t, disk, a, "one")
	must(t, disk.Link(a, b))
	wantText(t, disk, b, "one")
	mustBe(t, disk.Link(a, b), fs.ErrExist)
	mustBe(t, disk.Link(c, b), fs.ErrNotExist)
	must(t, disk.Remove(a))
	wantText(t, disk, b, "one")
	mustBe(t, disk.Remove(a), fs.ErrNotExist)
	write(t, disk, c, "two")
	must(t, disk.Rename(b, c))
	wantText(t, disk, c, "one")
	mustBe(t, disk.Rename(b, c), fs.ErrNotExist)
	must(t, disk.SyncDir(dir))
}

func testDirectories(t *testing.T, disk vfs.FS, dir string) {
	deep := filepath.Join(dir, "x", "y", "z")
	must(t, disk.MkdirAll(deep))
	must(t, disk.MkdirAll(deep))
	for _, name := range []string{"b", "c", "a"} {
		write(t, disk, filepath.Join(deep, name), name)
	}
	if err := disk.MkdirAll(filepath.Join(deep, "a", "b")); err == nil {
		t.Fatal("a directory was made under a file")
	}
	list, err := disk.ReadDir(deep)
	must(t, err)
	var names string
	for _, e := range list {
		if e.IsDir() {
			t.Fatalf("%s is listed as a directory", e.Name())
		}
		names += e.Name()
	}
	if names != "abc" {
		t.Fatalf("directory lists %q, want abc", names)
	}
	if err := disk.Remove(deep); err == nil {
		t.Fatal("a directory with files was removed")
	}
	for _, name := range []string{"a", "b", "c"} {
		must(t, disk.Remove(filepath.Join(deep, name)))
	}
	must(t, disk.Remove(deep))
	_, err = disk.ReadDir(deep)
	mustBe(t, err, fs.ErrNotExist)
	mustBe(t, disk.SyncDir(deep), fs.ErrNotExist)
}

func testPositions(t *testing.T, disk vfs.FS, dir string) {
	name := filepath.Join(dir, "a")
	f, err := disk.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte("tail"), 6)
	must(t, err)
	_, err = f.Write([]byte("head"))
	must(t, err)
	got := make([]byte, 10)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if want := []byte("head\x00\x00tail"); !bytes.Equal(got, want) {
		t.Fatalf("file holds %q, want %q", got, want)
	}
	n, err := f.ReadAt(got, 8)
	if n != 2 || err != io.EOF {
		t.Fatalf("read over the end gave %d, %v", n, err)
	}
	must(t, f.Truncate(5))
	must(t, f.Truncate(8))
	must(t, f.Sync())
	must(t, f.Close())
	wantText(t, disk, name, "head\x00\x00\x00\x00")

	f, err = disk.OpenReadWrite(name)
	must(t, err)
	_, err = f.Read(got[:4])
	must(t, err)
	_, err = f.Write([]byte("more"))
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	if info.Size() != 8 {
		t.Fatalf("size is %d, want 8", info.Size())
	}
	must(t, f.Close())
	wantText(t, disk, name, "headmore")
}

func testUnlinked(t *testing.T, disk vfs.FS, dir string) {
	name := filepath.Join(dir, "a")
	write(t, disk, name, "still here")
	f, err := disk.Open(name)
	must(t, err)
	must(t, disk.Remove(name))
	data, err := io.ReadAll(f)
	must(t, err)
	if string(data) != "still here" {
		t.Fatalf("an open file whose name is gone holds %q", data)
	}
	must(t, f.Close())
}

func testLock(t *testing.T, disk vfs.FS, dir string) {
	name := filepath.Join(dir, "LOCK")
	held, err := disk.Lock(name)
	must(t, err)
	_, err = disk.Lock(name)
	mustBe(t, err, vfs.ErrLocked)
	must(t, held.Close())
	again, err := disk.Lock(name)
	must(t, err)
	must(t, again.Close())
}

func testUsage(t *testing.T, disk vfs.FS, dir string) {
	u, err := disk.Usage(dir)
	must(t, err)
	if u.Total <= 0 || u.Free < 0 || u.Free > u.Total {
		t.Fatalf("usage is %+v", u)
	}
	_, err = disk.Usage(filepath.Join(dir, "missing"))
	mustBe(t, err, fs.ErrNotExist)
}

func testAtomic(t *testing.T, disk vfs.FS, dir string) {
	name := filepath.Join(dir, "a")
	must(t, vfs.WriteAtomic(disk, name, []byte("one")))
	must(t, vfs.WriteAtomic(disk, name, []byte("second")))
	data, err := vfs.ReadFile(disk, name, 6)
	must(t, err)
	if string(data) != "second" {
		t.Fatalf("file holds %q", data)
	}
	if _, err := vfs.ReadFile(disk, name, 5); err == nil {
		t.Fatal("a file over the limit was read")
	}
	list, err := disk.ReadDir(dir)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d files are left, want 1", len(list))
	}
}
