//go:build !linux

package vfs

import "os"

// syncData flushes f.
func syncData(f *os.File) error { return f.Sync() }
