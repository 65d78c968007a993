package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/objects"
	"weir/internal/objects/objectstest"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

func newDir(t *testing.T, disk vfs.FS, root string) *objects.Dir {
	t.Helper()
	d, err := objects.NewDir(disk, root)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDir(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store { return newDir(t, vfs.OS{}, t.TempDir()) })
}

func TestDirInMemory(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store { return newDir(t, vfs.NewMem(), "/store") })
}

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "spooled")
	data := objectstest.Bytes(70_000, 1)
	if err := vfs.WriteAtomic(vfs.OS{}, file, data); err != nil {
		t.Fatal(err)
	}
	d := newDir(t, vfs.OS{}, filepath.Join(dir, "store"))
	for range 2 {
		if _, err := d.Adopt(t.Context(), "a/b", file, objects.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Adopt(t.Context(), "a/b", file, objects.PutOptions{IfAbsent: true}); !errors.Is(err, objects.ErrExists) {
		t.Fatalf("adopting twice gave %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r, info, err := d.Get(t.Context(), "a/b", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) || !info.HasCRC {
		t.Fatalf("the adopted object holds %d bytes, CRC known %t: %v", len(got), info.HasCRC, err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "store", "~tmp"))
	if err != nil || len(left) > 0 {
		t.Fatalf("%d temporary files are left: %v", len(left), err)
	}
}

// TestDirBitFlip flips one bit behind the store's back: a whole read says so.
func TestDirBitFlip(t *testing.T) {
	root := t.TempDir()
	d := newDir(t, vfs.OS{}, root)
	data := objectstest.Bytes(5000, 1)
	if _, err := d.Put(t.Context(), "a", bytes.NewReader(data), 5000, objects.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	data[1234] ^= 4
	if err := os.WriteFile(filepath.Join(root, "a"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _, err := d.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, objects.ErrChecksum) {
		t.Fatalf("reading gave %v", err)
	}
}

// TestDirForeign serves a file that somebody copied into the store.
func TestDirForeign(t *testing.T) {
	root := t.TempDir()
	d := newDir(t, vfs.OS{}, root)
	if err := os.WriteFile(filepath.Join(root, "a"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := d.Stat(t.Context(), "a")
	if err != nil || info.HasCRC || info.Size != 5 || info.ETag == "" {
		t.Fatalf("stat says %+v, %v", info, err)
	}
}

func TestDirPrunes(t *testing.T) {
	root := t.TempDir()
	d := newDir(t, vfs.OS{}, root)
	for _, key := range []string{"a/b/c/1", "a/b/c/2", "a/x"} {
		if _, err := d.Put(t.Context(), key, bytes.NewReader(nil), 0, objects.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/b/c/1", "a/b/c/2"} {
		if err := d.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "a", "b")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the empty directory is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "a", "x")); err != nil {
		t.Fatal(err)
	}
}

// crashPuts writes one key twice and another once, and tells how many of the
// three were acknowledged.
func crashPuts(disk vfs.FS) int {
	d, err := objects.NewDir(disk, "/store")
	if err != nil {
		return 0
	}
	for i, key := range []string{"a/b", "a/b", "c"} {
		body := crashBody(i)
		if _, err := d.Put(context.Background(), key, bytes.NewReader(body), int64(len(body)), objects.PutOptions{}); err != nil {
			return i
		}
	}
	return 3
}

func crashBody(i int) []byte { return objectstest.Bytes(3000+i, uint64(i)) }

func checkPuts(t *testing.T, disk vfs.FS, acked int) {
	d, err := objects.NewDir(disk, "/store")
	if err != nil {
		t.Errorf("open after the crash: %v", err)
		return
	}
	checkPut(t, d, "a/b", min(acked, 2), 0, 1)
	checkPut(t, d, "c", acked-2, 2)
}

// checkPut wants the key to hold the version that the last acknowledged put
// left, or the one that was under way, whole and with its checksum.
func checkPut(t *testing.T, d *objects.Dir, key string, acked int, versions ...int) {
	r, info, err := d.Get(t.Context(), key, 0, -1)
	if err != nil {
		if !errors.Is(err, objects.ErrNotFound) || acked > 0 {
			t.Errorf("%s after %d acknowledged puts: %v", key, acked, err)
		}
		return
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || !info.HasCRC {
		t.Errorf("%s: CRC known %t, %v", key, info.HasCRC, err)
		return
	}
	for i, v := range versions {
		if i >= acked-1 && i <= acked && bytes.Equal(data, crashBody(v)) {
			return
		}
	}
	t.Errorf("%s after %d acknowledged puts holds %d bytes of another version", key, acked, len(data))
}

func TestDirCrashes(t *testing.T) { vfstest.CrashAtEvery(t, crashPuts, checkPuts) }

func TestDirFails(t *testing.T) {
	vfstest.FailAtEvery(t, unix.EIO, crashPuts, checkPuts)
	vfstest.FailAtEvery(t, unix.ENOSPC, crashPuts, checkPuts)
}

func FuzzCheckKey(f *testing.F) {
	for _, seed := range []string{"a", "video/abc/2026/11/23/16/0001.mp4", "a/../b", "a//b", "/a", "~tmp/x", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if objects.CheckKey(key) != nil {
			return
		}
		root := "/store"
		file := filepath.Join(root, filepath.FromSlash(key))
		if rel, err := filepath.Rel(root, file); err != nil || rel != filepath.FromSlash(key) || !filepath.IsLocal(rel) {
			t.Fatalf("key %q leads to %s", key, file)
		}
	})
}
