package vfs

import (
	"fmt"
	"path/filepath"
)

// TempSuffix ends the name of a file that WriteAtomic has not finished. Such a
// file that is met at start is rubbish from a crash and may be removed.
const TempSuffix = ".tmp"

// WriteAtomic replaces name by data, all or nothing, durably: write beside it,
// fsync, rename, fsync the directory. After a crash at any point name holds
// the old bytes or the new ones. It is the only helper that does so; two
// writers of one name must take turns.
func WriteAtomic(fs FS, name string, data []byte) error {
	temp := name + TempSuffix
	if err := writeSynced(fs, temp, data); err != nil {
		// Best effort: what stays behind is recognised by its suffix.
		_ = fs.Remove(temp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fs.Rename(temp, name); err != nil {
		_ = fs.Remove(temp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fs.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeSynced(fs FS, name string, data []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// ReadFile returns all bytes of name, or fails when there are more than limit.
func ReadFile(fs FS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("read %s: %d bytes are over the limit of %d", name, info.Size(), limit)
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if err != nil && n < len(data) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
