package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/vfs"
)

const (
	auditFile    = "audit.log"
	auditBytes   = 8 << 20 // of one file
	auditFiles   = 5       // audit.log, and audit.log.1 (the newest) to audit.log.4
	maxAuditText = 500     // bytes of what a client chose, in a line

	denialBurst    = 20          // lines that one address may cause at once
	denialInterval = time.Second // after which it may cause one more
	floodBurst     = 500         // the same for all addresses together
	floodInterval  = 20 * time.Millisecond
)

// Denial is an access that was denied.
type Denial struct {
	Who      string // the access key, as claimed when it was not verified
	ARN      string
	Action   string
	Resource string
	Address  netip.Addr
	Code     string // of the refusal
	Reason   string
}

// Change is a change of keys or policies.
type Change struct {
	Who      string
	Action   string // "create key", …
	Resource string // the key
	Address  netip.Addr
	Detail   string
}

// auditLine is a line of the log.
type auditLine struct {
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"` // "denied" or "changed"
	Who        string    `json:"who,omitempty"`
	ARN        string    `json:"arn,omitempty"`
	Action     string    `json:"action,omitempty"`
	Resource   string    `json:"resource,omitempty"`
	Address    string    `json:"address,omitempty"`
	Code       string    `json:"code,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Suppressed int64     `json:"suppressed,omitempty"` // denials without a line since the last one
}

// AuditTotals is what the audit has counted since the start.
type AuditTotals struct {
	Denied     map[string]int64 // by the code of the refusal
	Changed    int64
	Suppressed int64 // denials that were counted and not written
	Failed     int64 // lines that could not be written
}

// Audit writes down who was denied what, and who changed keys, one JSON object
// a line. The files are bounded; so is what one address can fill them with.
// A denial is on its way to the disk, a change is synced.
type Audit struct {
	disk  vfs.FS
	path  string
	clock clock.Clock
	log   *slog.Logger
	limit int64 // bytes of a file

	mu         sync.Mutex // guards the following
	file       vfs.File   // nil when it could not be opened or is closed
	size       int64
	buckets    map[netip.Prefix]time.Time // when each address's will be empty
	flood      time.Time
	suppressed int64
	totals     AuditTotals
	failing    bool // the last line was lost, and the log told
}

// OpenAudit opens the audit log of a data directory.
func OpenAudit(disk vfs.FS, dataDir string, c clock.Clock, log *slog.Logger) (*Audit, error) {
	a := &Audit{
		disk: disk, path: filepath.Join(dataDir, auditFile), clock: c, log: log, limit: auditBytes,
		buckets: map[netip.Prefix]time.Time{}, totals: AuditTotals{Denied: map[string]int64{}},
	}
	if err := a.open(); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return a, nil
}

// open continues the file. What a crash left of a line ends where it is.
func (a *Audit) open() error {
	f, err := a.disk.OpenReadWrite(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = a.disk.Create(a.path); err == nil {
			err = a.disk.SyncDir(filepath.Dir(a.path))
		}
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	a.file, a.size = f, info.Size()
	last := []byte{'\n'}
	if a.size > 0 {
		if _, err := f.ReadAt(last, a.size-1); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if last[0] != '\n' {
		a.append([]byte{'\n'})
	}
	return nil
}

// Close syncs and closes the log.
func (a *Audit) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := errors.Join(a.file.Sync(), a.file.Close())
	a.file = nil
	return err
}

// Totals returns the counts.
func (a *Audit) Totals() AuditTotals {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.totals
	t.Denied = map[string]int64{}
	for code, n := range a.totals.Denied {
		t.Denied[code] = n
	}
	return t
}

// Denied counts a denial, and writes it down unless its address has caused too
// many.
func (a *Audit) Denied(d Denial) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.Denied[d.Code]++
	now := a.clock.Now()
	if !a.mayWrite(d.Address, now) {
		a.suppressed++
		a.totals.Suppressed++
		return
	}
	a.write(auditLine{
		Kind: "denied", Who: d.Who, ARN: d.ARN, Action: d.Action, Resource: d.Resource,
		Address: addressText(d.Address), Code: d.Code, Reason: d.Reason, Suppressed: a.suppressed,
	}, now)
	a.suppressed = 0
}

// Changed writes a change down and syncs it.
func (a *Audit) Changed(c Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.Changed++
	a.write(auditLine{Kind: "changed", Who: c.Who, Action: c.Action, Resource: c.Resource, Address: addressText(c.Address), Reason: c.Detail}, a.clock.Now())
	if a.file != nil {
		a.failed(a.file.Sync())
	}
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// mayWrite fills the buckets of the address and of all.
func (a *Audit) mayWrite(address netip.Addr, now time.Time) bool {
	key := offender(address)
	one := later(a.buckets[key], now).Add(denialInterval)
	all := later(a.flood, now).Add(floodInterval)
	if one.Sub(now) > denialBurst*denialInterval || all.Sub(now) > floodBurst*floodInterval {
		return false
	}
	if len(a.buckets) >= maxOffenders {
		clear(a.buckets) // the flood's bucket still bounds them all
	}
	a.buckets[key], a.flood = one, all
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// write appends a line, to a new file when the current one is full.
func (a *Audit) write(l auditLine, now time.Time) {
	l.Time = now.UTC().Truncate(time.Millisecond)
	for _, text := range []*string{&l.Who, &l.ARN, &l.Action, &l.Resource, &l.Reason} {
		if len(*text) > maxAuditText {
			*text = (*text)[:maxAuditText] + "…"
		}
	}
	data, err := json.Marshal(l)
	if err != nil {
		a.failed(err)
		return
	}
	data = append(data, '\n')
	if a.file != nil && a.size+int64(len(data)) > a.limit {
		a.failed(a.rotate())
	}
	a.append(data)
}

// rotate moves the files on by one; the oldest is lost.
func (a *Audit) rotate() error {
	err := errors.Join(a.file.Sync(), a.file.Close())
	a.file = nil
	for i := auditFiles - 1; i > 0; i-- {
		older, newer := a.path+"."+strconv.Itoa(i), a.path+"."+strconv.Itoa(i-1)
		if i == 1 {
			newer = a.path
		}
		if e := a.disk.Rename(newer, older); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, a.open())
}

// append writes at the end.
func (a *Audit) append(data []byte) {
	if a.file == nil {
		a.failed(errors.New("the audit log is closed"))
		return
	}
	n, err := a.file.WriteAt(data, a.size)
	a.size += int64(n)
	a.failed(err)
}

// failed counts a line that was lost, and tells the log of the first.
func (a *Audit) failed(err error) {
	if err != nil {
		a.totals.Failed++
		if !a.failing {
			a.log.Error("the audit log cannot be written", "err", err)
		}
	}
	a.failing = err != nil
}

// denied writes a denial to the audit log, if there is one.
func (v *Verifier) denied(d Denial) {
	if v.audit != nil {
		v.audit.Denied(d)
	}
}

// Denied writes down that an identity was denied something by others than the
// verifier, who knows what it wanted.
func (v *Verifier) Denied(id Identity, action, resource string) {
	v.denied(Denial{Who: id.name, ARN: id.ARN(), Action: action, Resource: resource, Address: id.from.address, Code: "forbidden", Reason: "these credentials do not allow that"})
}

// Changed writes down that an identity changed keys or policies.
func (v *Verifier) Changed(id Identity, action, resource, detail string) {
	if v.audit != nil {
		v.audit.Changed(Change{Who: id.name, Action: action, Resource: resource, Address: id.from.address, Detail: detail})
	}
}

// refused writes down that credentials were. What a client wrote of them stays
// out of the log, but for the key that it claims to have.
func (v *Verifier) refused(err error, from origin, what string) {
	refusal := Refusal(err)
	reason := refusal.Message
	if refusal.aws == awsIncomplete {
		reason = "the signature is incomplete or malformed"
	}
	v.denied(Denial{Who: from.claimed, Action: what, Address: from.address, Code: refusal.Code, Reason: reason})
}
