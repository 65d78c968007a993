package decode

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// bound gives a process limits from outside: address space, files that it may
// write, core dumps.
func bound(pid int, memory int64) error {
	set := func(what int, value uint64) error {
		return unix.Prlimit(pid, what, &unix.Rlimit{Cur: value, Max: value}, nil)
	}
	if err := errors.Join(set(unix.RLIMIT_AS, uint64(memory)), set(unix.RLIMIT_FSIZE, 0), set(unix.RLIMIT_CORE, 0)); err != nil {
		return fmt.Errorf("limit process %d: %w", pid, err)
	}
	return nil
}

// replayNice is how much processes yield that decode recorded pictures.
const replayNice = 5

// yield lets a process wait where live work needs the processor.
func yield(pid int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, replayNice); err != nil {
		return fmt.Errorf("lower the priority of process %d: %w", pid, err)
	}
	return nil
}
