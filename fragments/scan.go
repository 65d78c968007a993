package fragments

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"weir/internal/media"
)

// Limits of a scan.
const (
	MaxHeadLen     = 1 << 20           // bytes of a chunk's head
	MaxFragmentLen = MaxBytes + 16<<20 // bytes of a fragment with all that the container adds
	MaxDamages     = 1000              // damages that a scan lists; it counts them all
	scanBufferLen  = 256 << 10         // bytes read at once
)

// ErrTorn means that a file ends in the middle of a fragment, as a crash
// leaves it.
var ErrTorn = errors.New("file ends inside a fragment")

// Damage is a part of a chunk that is not as it was written.
type Damage struct {
	Offset int64
	Len    int64
	Err    error
}

// String describes the damage for reports.
func (d Damage) String() string {
	return fmt.Sprintf("%d bytes at offset %d: %v", d.Len, d.Offset, d.Err)
}

// Scanned is what a scan found beside the fragments.
type Scanned struct {
	Stream  string
	Init    uint32
	Tracks  []media.Track
	HeadLen int64    // bytes before the first fragment
	End     int64    // where the last intact fragment ends, or the head
	Sealed  bool     // the chunk ends with an intact footer
	Footer  Footer   // when Sealed
	Count   int      // intact fragments
	Damages []Damage // in order of offset, at most MaxDamages
	Damaged int      // how many damages there are
	Torn    bool     // the last damage is the tail of a file that was never sealed, cut off in the middle
}

// scanner walks one chunk.
type scanner struct {
	r    io.ReaderAt
	size int64
	e    Envelope
	fn   func(Fragment) error
	out  Scanned
	end  int64         // where fragments end: size, or where the footer begins
	done bool          // the file ends with a trailer, if of a damaged footer
	at   map[int64]int // footer entries by position
	buf  []byte        // for checksums and searches
	head [MaxHeaderLen + 32]byte
}

// Scan reads a chunk or a spool file and calls fn with every intact fragment,
// in order: those whose header and runs have the checksums they were written
// with. A fragment whose header is damaged is taken from the footer when there
// is one. What is damaged is reported and skipped: after it, the scan goes on
// at the next header. An error is one of reading or of fn, never of content.
func Scan(r io.ReaderAt, size int64, e Envelope, fn func(Fragment) error) (Scanned, error) {
	s := &scanner{r: r, size: size, e: e, fn: fn, end: size, buf: make([]byte, scanBufferLen)}
	if err := s.openFooter(); err != nil {
		return s.out, err
	}
	pos, err := s.openHead()
	if err != nil {
		return s.out, err
	}
	s.out.HeadLen, s.out.End = pos, pos
	for pos < s.end {
		if pos, err = s.step(pos); err != nil {
			return s.out, err
		}
	}
	return s.out, nil
}

func (s *scanner) damage(offset, n int64, err error) {
	s.out.Damaged++
	if len(s.out.Damages) < MaxDamages {
		s.out.Damages = append(s.out.Damages, Damage{offset, n, err})
	}
}

// read fills b from pos, or less at the end of the file.
func (s *scanner) read(b []byte, pos int64) ([]byte, error) {
	if pos < 0 || pos >= s.size {
		return nil, nil
	}
	b = b[:min(int64(len(b)), s.size-pos)]
	if n, err := s.r.ReadAt(b, pos); err != nil && (!errors.Is(err, io.EOF) || n < len(b)) {
		return nil, fmt.Errorf("read chunk at %d: %w", pos, err)
	}
	return b, nil
}

// openFooter looks for a footer at the end.
func (s *scanner) openFooter() error {
	tail, err := s.read(s.head[:TrailerLen], max(s.size-TrailerLen, 0))
	if err != nil {
		return err
	}
	s.done = bytes.HasSuffix(tail, []byte(trailerMagic))
	n, err := FooterLen(tail)
	if err != nil || int64(n) > s.size {
		return nil
	}
	b, err := s.read(make([]byte, n), s.size-int64(n))
	if err != nil {
		return err
	}
	f, err := OpenFooter(b, s.e)
	if err != nil {
		return nil // the fragments tell all; step reports these bytes
	}
	s.out.Sealed, s.out.Footer, s.end = true, f, s.size-int64(n)
	s.out.Stream, s.out.Init, s.out.Tracks = f.Stream, f.Init, f.Tracks
	s.at = make(map[int64]int, len(f.Fragments))
	for i := range f.Fragments {
		s.at[f.Fragments[i].Pos] = i
	}
	return nil
}

// openHead finds the identity, checks the head, and returns where it ends.
func (s *scanner) openHead() (int64, error) {
	b, err := s.read(make([]byte, min(MaxHeadLen, s.end)), 0)
	if err != nil {
		return 0, err
	}
	b = b[:min(int64(len(b)), s.end)]
	f, at, n, sum, ok := findIdentity(b, s.e)
	if !ok {
		return s.skipHead()
	}
	s.out.Stream, s.out.Init, s.out.Tracks = f.Stream, f.Init, f.Tracks
	if Checksum(b[:at]) != sum {
		s.damage(0, int64(at), fmt.Errorf("%w: checksum of head", ErrCorrupt))
	}
	return int64(at + n), nil
}

// findIdentity looks for the identity in the head of a chunk: at is where it
// begins, n its length, sum the checksum of what stands before it.
func findIdentity(b []byte, e Envelope) (f Footer, at, n int, sum uint32, ok bool) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(identityMarker))
		if i < 0 {
			return f, 0, 0, 0, false
		}
		at := from + i - e.PrefixLen()
		from += i + 1
		if at < 0 {
			continue
		}
		if f, n, sum, err := parseIdentity(b[at:], e); err == nil {
			return f, at, n, sum, true
		}
	}
}

// HeadLen is the length of the part of a chunk's head before the identity. b
// is what stands before the chunk's first fragment, or more. What is damaged
// is ErrCorrupt.
func HeadLen(b []byte, e Envelope) (int, error) {
	_, at, _, sum, ok := findIdentity(b, e)
	if !ok || Checksum(b[:at]) != sum {
		return 0, fmt.Errorf("%w: checksum of head", ErrCorrupt)
	}
	return at, nil
}

// skipHead reports a head without identity and returns where the first
// fragment begins.
func (s *scanner) skipHead() (int64, error) {
	pos, err := s.seek(0)
	if err != nil {
		return 0, err
	}
	if s.size > 0 {
		s.damage(0, pos, fmt.Errorf("%w: no identity in head", ErrCorrupt))
	}
	s.out.Torn = pos == s.size && !s.done
	return pos, nil
}

// step takes what stands at pos and returns where to go on.
func (s *scanner) step(pos int64) (int64, error) {
	f, ok, err := s.headerAt(pos)
	if err != nil {
		return 0, err
	}
	if !ok {
		return s.recover(pos)
	}
	if f.Pos+f.Len > s.end {
		return s.cutShort(&f)
	}
	good, err := s.runsIntact(&f)
	if err != nil {
		return 0, err
	}
	if !good {
		s.damage(pos, f.Len, fmt.Errorf("%w: checksum of fragment %s", ErrCorrupt, f.Number.Short()))
		return pos + f.Len, nil
	}
	return pos + f.Len, s.emit(f)
}

func (s *scanner) emit(f Fragment) error {
	s.out.Count++
	s.out.End = f.Pos + f.Len
	return s.fn(f)
}

// headerAt reads the header at pos; ok tells whether one stands there that was
// written for this place.
func (s *scanner) headerAt(pos int64) (f Fragment, ok bool, err error) {
	b, err := s.read(s.head[:], pos)
	if err != nil {
		return f, false, err
	}
	f, n, err := ParseHeader(b, s.e)
	if err != nil || f.Pos != pos || !s.laidOut(&f, n) {
		return Fragment{}, false, nil
	}
	return f, true, nil
}

// laidOut tells whether the runs of f fill it from its header to its end.
func (s *scanner) laidOut(f *Fragment, header int) bool {
	if f.Len > MaxFragmentLen || f.Len < int64(header) {
		return false
	}
	pos := f.Pos + int64(header)
	if f.Flags&Raw != 0 {
		return rawLaidOut(f, pos)
	}
	for i := range f.Runs {
		r := &f.Runs[i]
		if r.Pos != pos || r.Len < 0 || r.Len > MaxFragmentLen {
			return false
		}
		pos += r.Len
	}
	return pos == f.Pos+f.Len
}

// rawLaidOut tells whether every run of a raw fragment is all of it from pos
// on.
func rawLaidOut(f *Fragment, pos int64) bool {
	for i := range f.Runs {
		r := &f.Runs[i]
		if r.Pos != pos || r.Len != f.Pos+f.Len-pos || r.CRC != f.Runs[0].CRC {
			return false
		}
	}
	return len(f.Runs) > 0
}

// runsIntact checks the runs of f, which lies within the file.
func (s *scanner) runsIntact(f *Fragment) (bool, error) {
	table := castagnoli()
	runs := f.Runs
	if f.Flags&Raw != 0 {
		runs = runs[:1]
	}
	for _, r := range runs {
		var sum uint32
		for pos, end := r.Pos, r.Pos+r.Len; pos < end; {
			b, err := s.read(s.buf[:min(int64(len(s.buf)), end-pos)], pos)
			if err != nil {
				return false, err
			}
			sum = crc32.Update(sum, table, b)
			pos += int64(len(b))
		}
		if sum != r.CRC {
			return false, nil
		}
	}
	return true, nil
}

// cutShort deals with a fragment that reaches beyond the end.
func (s *scanner) cutShort(f *Fragment) (int64, error) {
	next, err := s.seek(f.Pos + 1)
	if err != nil {
		return 0, err
	}
	s.out.Torn = next == s.size && !s.done
	s.damage(f.Pos, next-f.Pos, fmt.Errorf("%w: %s", ErrTorn, f.Number.Short()))
	return next, nil
}

// recover deals with a place where a header should stand and does not.
func (s *scanner) recover(pos int64) (int64, error) {
	if i, ok := s.at[pos]; ok {
		f := s.out.Footer.Fragments[i]
		n := HeaderLen(s.e, len(f.Runs))
		if s.laidOut(&f, n) && f.Pos+f.Len <= s.end {
			good, err := s.runsIntact(&f)
			if err != nil {
				return 0, err
			}
			if good {
				s.damage(pos, int64(n), fmt.Errorf("%w: header of fragment %s; the footer has it", ErrCorrupt, f.Number.Short()))
				return pos + f.Len, s.emit(f)
			}
		}
	}
	next, err := s.seek(pos + 1)
	if err != nil {
		return 0, err
	}
	s.out.Torn = next == s.size && !s.done
	what := "no fragment header"
	if next == s.size && s.done {
		what = "footer"
	}
	s.damage(pos, next-pos, fmt.Errorf("%w: %s", ErrCorrupt, what))
	return next, nil
}

// seek returns where the next header, or entry of the footer, stands at or
// after pos, else where the fragments end.
func (s *scanner) seek(pos int64) (int64, error) {
	p := int64(s.e.PrefixLen())
	listed := s.end
	for at := range s.at {
		if at >= pos && at < listed {
			listed = at
		}
	}
	for at := pos + p; at < listed; {
		b, err := s.read(s.buf, at)
		if err != nil {
			return 0, err
		}
		for from := 0; ; {
			i := bytes.Index(b[from:], []byte(headerMarker))
			if i < 0 {
				break
			}
			start := at + int64(from+i) - p
			from += i + 1
			if start >= listed {
				return listed, nil
			}
			if _, ok, err := s.headerAt(start); err != nil || ok {
				return start, err
			}
		}
		if len(b) < len(s.buf) {
			break
		}
		at += int64(len(b) - markerLen + 1)
	}
	return listed, nil
}
