package shardlog

// freeze lets a new memtable take what comes, and the one before wait for its
// run. tables is held.
func (l *Log) freeze() {
	if l.tables.active.last == 0 {
		return
	}
	l.tables.frozen = append(l.tables.frozen, l.tables.active)
	l.tables.active = &memtable{}
}
