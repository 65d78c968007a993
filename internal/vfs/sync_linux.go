package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData flushes the bytes and the size of f, but not its times: no reader
// of ours depends on them, and they would cost a second journal write.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); syncErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return syncErr
}
