// Package vfstest tests disks and what is written on them: [Run] is the
// conformance suite of vfs.FS, and [CrashAtEvery] and [FailAtEvery] run a
// piece of code with a crash or a fault at every change of the disk in turn.
//
//	vfstest.CrashAtEvery(t, func(fs vfs.FS) int {
//		acked := 0
//		for appendRecord(fs, acked) == nil {
//			acked++ // the record is durable from here on
//		}
//		return acked
//	}, func(t *testing.T, fs vfs.FS, acked int) {
//		if n := countRecords(fs); n < acked { t.Errorf(…) }
//	})
//
// It is for tests only; nothing of it is linked into the product.
package vfstest

import (
	"errors"
	"fmt"
	"testing"

	"weir/internal/vfs"
)

// maxChanges bounds a scenario, so that one which never ends is found out.
const maxChanges = 20_000

// survivals are the crashes that CrashAtEvery tries at each change: everything
// unsynced lost, everything kept, and some of it kept in three ways.
func survivals(k int) []vfs.Survival {
	seed := uint64(k) * 8
	return []vfs.Survival{
		{Keep: 0},
		{Keep: 1},
		{Keep: 0.5, Seed: seed + 1},
		{Keep: 0.5, Seed: seed + 2},
		{Keep: 0.8, Seed: seed + 3},
	}
}

// CrashAtEvery calls run on a fresh disk that crashes at its first change, at
// its second and so on until run comes through, and verify on each disk that
// may be found afterwards. What run returns, typically what it was told is
// durable, is handed to verify. Run stops all that it started before it
// returns; after the crash every call on its disk fails.
func CrashAtEvery[S any](t *testing.T, run func(vfs.FS) S, verify func(*testing.T, vfs.FS, S)) {
	t.Helper()
	for k := 1; k < maxChanges; k++ {
		disk := vfs.NewMem()
		inject := vfs.NewInject(disk)
		inject.Arm(vfs.Fault{N: k, Crash: true})
		acked := run(inject)
		for _, s := range survivals(k) {
			found := disk.CrashClone(s)
			if !verified(t, fmt.Sprintf("crash at change %d, keep %.1f, seed %d", k, s.Keep, s.Seed), inject, func(t *testing.T) {
				verify(t, found, acked)
			}) {
				return
			}
		}
		if !inject.Crashed() {
			return
		}
	}
	t.Fatalf("the scenario changed the disk more than %d times", maxChanges)
}

// FailAtEvery calls run on a fresh disk whose first change fails with failure,
// then its second and so on, once with the disk well again afterwards and once
// with it failing for good; and verify on the disk that a restart finds, both
// after a crash and after an orderly end. A write fails half done.
func FailAtEvery[S any](t *testing.T, failure error, run func(vfs.FS) S, verify func(*testing.T, vfs.FS, S)) {
	t.Helper()
	for _, sticky := range []bool{false, true} {
		for k := 1; ; k++ {
			if k == maxChanges {
				t.Fatalf("the scenario changed the disk more than %d times", maxChanges)
			}
			disk := vfs.NewMem()
			inject := vfs.NewInject(disk)
			inject.Arm(vfs.Fault{N: k, Err: failure, Sticky: sticky, Short: true})
			acked := run(inject)
			for _, keep := range []float64{0, 1} {
				found := disk.CrashClone(vfs.Survival{Keep: keep})
				if !verified(t, fmt.Sprintf("%v at change %d, sticky %t, keep %.0f", failure, k, sticky, keep), inject, func(t *testing.T) {
					verify(t, found, acked)
				}) {
					return
				}
			}
			if inject.Changes() < k {
				break
			}
		}
	}
}

// verified runs one check, and after a failure tells where the disk stood.
func verified(t *testing.T, name string, inject *vfs.Inject, check func(*testing.T)) bool {
	t.Helper()
	// A subtest for each of thousands of points would drown the output, so
	// that only the first that fails gets a name.
	failedBefore := t.Failed()
	check(t)
	if t.Failed() && !failedBefore {
		t.Logf("failed with %s after these changes:\n%s", name, inject.Trace("/"))
		return false
	}
	return !t.Failed()
}

// must fails the test on an unexpected error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}
