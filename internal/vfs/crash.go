package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is the unit in which a disk writes or does not write, in bytes.
const sectorSize = 512

// Survival says what of the unsynced state outlives a crash.
type Survival struct {
	// Keep is the chance of each unsynced sector and each unsynced change of
	// names to survive: 0 loses them all, as POSIX allows; 1 keeps them all,
	// as when the process is killed but the machine runs on.
	Keep float64
	// Seed chooses among what may survive when Keep lies between 0 and 1.
	Seed uint64
}

// CrashClone returns the disk as it may be found after a crash now. The clone
// shares nothing with m, and holds no locks.
func (m *Mem) CrashClone(s Survival) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{
		survival: s,
		random:   rand.New(rand.NewPCG(s.Seed, 0x77656972)),
		clones:   map[*inode]*inode{},
		names:    map[*inode]map[string]*inode{},
	}
	c.surviveNames(m.pending)
	clone := NewMem()
	clone.capacity = m.capacity
	clone.root = c.clone(m.root)
	return clone
}

// crash is one run of CrashClone.
type crash struct {
	survival Survival
	random   *rand.Rand
	clones   map[*inode]*inode            // old to new
	names    map[*inode]map[string]*inode // entries of a directory that survive
}

// survives throws the dice once.
func (c *crash) survives() bool {
	switch c.survival.Keep {
	case 0:
		return false
	case 1:
		return true
	}
	return c.random.Float64() < c.survival.Keep
}

// surviveNames lets some pending operations happen. One that builds upon an
// operation that is lost is lost with it.
func (c *crash) surviveNames(pending []nameOp) {
	lost := map[slot]bool{}
	for _, op := range pending {
		keep := c.survives()
		for s := range op {
			keep = keep && !lost[s]
		}
		for s, n := range op {
			if !keep {
				lost[s] = true
				continue
			}
			set(c.entries(s.dir), s.name, n)
		}
	}
}

func (c *crash) entries(dir *inode) map[string]*inode {
	if c.names[dir] == nil {
		c.names[dir] = maps.Clone(dir.durable)
	}
	return c.names[dir]
}

// clone copies what survives of n. Children are visited in the order of their
// names, so that a seed gives the same disk each time.
func (c *crash) clone(n *inode) *inode {
	if done, ok := c.clones[n]; ok {
		return done
	}
	if !n.isDir() {
		data := c.surviveBytes(n)
		copied := &inode{data: data, synced: slices.Clone(data), modified: n.modified}
		c.clones[n] = copied
		return copied
	}
	copied := newDir()
	c.clones[n] = copied
	entries := c.entries(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child := c.clone(entries[name])
		copied.entries[name] = child
		copied.durable[name] = child
	}
	return copied
}

// surviveBytes mixes the sectors of the synced and the present bytes.
func (c *crash) surviveBytes(n *inode) []byte {
	if n.dirtyLo == n.dirtyHi && len(n.data) == len(n.synced) {
		return slices.Clone(n.synced)
	}
	out := slices.Clone(n.synced)
	if len(n.data) != len(n.synced) && c.survives() {
		// The new length got to the disk; the bytes may not have.
		old := len(out)
		out = append(out[:min(old, len(n.data))], make([]byte, max(0, len(n.data)-old))...)
	}
	for lo := 0; lo < len(out); lo += sectorSize {
		hi := min(lo+sectorSize, len(out), len(n.data))
		if lo >= hi || hi <= n.dirtyLo || lo >= n.dirtyHi {
			continue
		}
		if c.survives() {
			copy(out[lo:hi], n.data[lo:hi])
		}
	}
	return out
}
