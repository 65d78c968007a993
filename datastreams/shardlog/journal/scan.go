package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// scanner finds the frames of one file.
type scanner struct {
	r    vfs.File
	f    *file
	at   int64 // where the next frame should stand
	end  int64 // where the last one ended
	buf  []byte
	base int64 // where buf lies in the file
}

// windowLen is how much a search reads at once.
const windowLen = 1 << 20

// next returns the next frame and where it stands: the one at s.at, else the
// first one behind it that continues the log at want or later (want 0 takes
// any). A frame of which some entries do not read counts if another one
// follows: as the last one it is torn. nil means that there is none.
func (s *scanner) next(want shardlog.LSN) (*frame, int64, error) {
	x, err := s.candidate(s.at, want, true)
	if err != nil {
		return nil, 0, err
	}
	if x != nil {
		whole, err := s.whole(x, s.at)
		if err != nil {
			return nil, 0, err
		}
		if whole {
			return x, s.at, nil
		}
		later, _, err := s.search(s.at+x.size(), x.last()+1)
		if err != nil || later == nil {
			return nil, 0, err
		}
		return x, s.at, nil
	}
	return s.search(s.at+frameAlign, want)
}

// search looks for a whole frame at or behind a place.
func (s *scanner) search(at int64, want shardlog.LSN) (*frame, int64, error) {
	for ; at+frameHead <= s.f.size; at += frameAlign {
		x, err := s.candidate(at, want, false)
		if err != nil {
			return nil, 0, err
		}
		if x == nil {
			continue
		}
		whole, err := s.whole(x, at)
		if err != nil {
			return nil, 0, err
		}
		if whole {
			return x, at, nil
		}
	}
	return nil, 0, nil
}

// candidate reads the head of a frame at a place; nil if there is none.
func (s *scanner) candidate(at int64, want shardlog.LSN, mend bool) (*frame, error) {
	if at+frameHead > s.f.size {
		return nil, nil
	}
	if s.buf == nil || at < s.base || at+frameHead > s.base+int64(len(s.buf)) {
		s.base = at
		if s.buf == nil {
			s.buf = make([]byte, min(windowLen, s.f.size))
		}
		s.buf = s.buf[:cap(s.buf)]
		n, err := s.r.ReadAt(s.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		s.buf = s.buf[:n]
	}
	x, _, err := parseFrame(s.buf[at-s.base:], s.f.seed, mend)
	if err != nil || at+x.size() > s.f.size || x.first < want {
		return nil, nil
	}
	return &x, nil
}

// whole tells whether directory and entries of a frame read as written.
func (s *scanner) whole(x *frame, at int64) (bool, error) {
	body, err := readBody(s.r, x, at, nil)
	if err != nil {
		return false, err
	}
	if _, ok := directory(x, body, s.f.seed); !ok {
		return false, nil
	}
	good := true
	err = eachEntry(x, body, s.f.seed, func(_ int, data []byte, ok bool) error {
		good = good && ok
		return nil
	})
	return good, err
}

// readBody reads directory and data of a frame, into buf if it is large
// enough.
func readBody(r io.ReaderAt, x *frame, at int64, buf []byte) ([]byte, error) {
	n := int(x.count)*dirEntry + int(x.bytes)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := r.ReadAt(buf, at+frameHead); err != nil {
		return nil, fmt.Errorf("read a frame at %d: %w", at, err)
	}
	return buf, nil
}

// maxMend bounds the directories in which a flipped bit is looked for, bytes.
const maxMend = 64 << 10

// directory returns the directory of a frame, put right where one bit of it
// was flipped.
func directory(x *frame, body []byte, seed uint64) ([]byte, bool) {
	dir := body[:int(x.count)*dirEntry]
	if sum(seed, dir) == x.dirC {
		return dir, true
	}
	if len(dir) > maxMend {
		return nil, false
	}
	return repair(dir, x.dirC, seed)
}

// eachEntry calls fn with every entry of a frame, and whether it reads as
// written. Without a directory none does.
func eachEntry(x *frame, body []byte, seed uint64, fn func(i int, data []byte, ok bool) error) error {
	dir, ok := directory(x, body, seed)
	pos := int(x.count) * dirEntry
	for i := range int(x.count) {
		var data []byte
		good := false
		if ok {
			n := int(binary.LittleEndian.Uint32(dir[i*dirEntry:]))
			if n > len(body)-pos {
				return fn(i, nil, false) // the writer never makes such a directory
			}
			data = body[pos : pos+n]
			pos += n
			good = sum(seed, data) == binary.LittleEndian.Uint32(dir[i*dirEntry+4:])
		}
		if !good {
			data = nil
		}
		if err := fn(i, data, good); err != nil {
			return err
		}
	}
	return nil
}
