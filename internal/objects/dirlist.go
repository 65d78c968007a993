package objects

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// List yields the objects below prefix in key order. It holds one directory
// of each level in memory at a time.
func (d *Dir) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Info{}, err)
			return
		}
		dir := ""
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir = prefix[:i+1]
		}
		l := &lister{dir: d, ctx: ctx, prefix: prefix, after: after, yield: yield}
		l.walk(dir)
	}
}

// lister is one run of List.
type lister struct {
	dir    *Dir
	ctx    context.Context
	prefix string
	after  string
	yield  func(Info, error) bool
}

// walk yields what lies below dir, which is "" or ends with a slash, and tells
// whether to go on.
func (l *lister) walk(dir string) bool {
	if err := l.ctx.Err(); err != nil {
		l.yield(Info{}, err)
		return false
	}
	entries, err := l.dir.disk.ReadDir(l.dir.file(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return true
	}
	if err != nil {
		l.yield(Info{}, err)
		return false
	}
	for _, key := range keysOf(dir, entries) {
		if !l.visit(key) {
			return false
		}
	}
	return true
}

// keysOf turns the entries into keys in key order: a directory sorts as its
// name with a slash behind it.
func keysOf(dir string, entries []fs.DirEntry) []string {
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		if checkCharacters(e.Name()) != nil {
			continue // records and temporary files
		}
		key := dir + e.Name()
		if e.IsDir() {
			key += "/"
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

func (l *lister) visit(key string) bool {
	if strings.HasSuffix(key, "/") {
		below := strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)
		if !below || key < l.after && !strings.HasPrefix(l.after, key) {
			return true
		}
		return l.walk(key)
	}
	if !strings.HasPrefix(key, l.prefix) || key <= l.after {
		return true
	}
	info, err := l.dir.Stat(l.ctx, path.Clean(key))
	if errors.Is(err, ErrNotFound) {
		return true // deleted meanwhile
	}
	if err != nil {
		l.yield(Info{}, err)
		return false
	}
	return l.yield(info, nil)
}
