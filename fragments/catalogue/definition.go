package catalogue

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
)

// Definition is what a user says of a video stream. It is the body of the
// native API's PUT and, with State, the answer of its GET.
type Definition struct {
	Name string `json:"name"`
	// Source makes Weir pull the stream; without one, producers push it.
	Source *Source `json:"source,omitempty"`
	// Retention says how long recordings are kept.
	Retention Retention `json:"retention"`
	// Container is what chunks are written in: "mp4" or "mkv".
	Container       string  `json:"container"`
	FragmentSeconds float64 `json:"fragmentSeconds"`
	ChunkSeconds    float64 `json:"chunkSeconds"`
	// Record false makes the stream live only: a few minutes are kept, so that
	// players can join and rewind a little.
	Record bool `json:"record"`
	// Takeover lets a new producer replace the present one.
	Takeover bool `json:"takeover"`
	// PublishPassword and PlayPassword open the stream, and only it, over
	// RTSP with any user name. They are written, never read back.
	PublishPassword Secret `json:"publishPassword,omitzero"`
	PlayPassword    Secret `json:"playPassword,omitzero"`
}

// Retention is how long the recordings of a stream are kept: until they are
// older than Hours or the stream is larger than Bytes, whichever comes first.
// Zero means no limit of that sort; the disk's low-water mark always holds.
type Retention struct {
	Hours float64 `json:"hours"`
	Bytes int64   `json:"bytes"`
}

// Source is where a stream is pulled from.
type Source struct {
	// URL is rtsp://host:port/path or rtsps://…, without credentials.
	URL      string `json:"url"`
	Username string `json:"username,omitempty"`
	Password Secret `json:"password,omitzero"` // written, never read back
	// Transport is auto, tcp, udp or http.
	Transport string `json:"transport"`
	// OnDemand pulls only while somebody watches.
	OnDemand bool `json:"onDemand,omitempty"`
	// Fingerprint pins the SHA-256 of the server's certificate, in hex.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Insecure accepts any certificate.
	Insecure bool `json:"insecure,omitempty"`
}

// Bounds of a definition.
const (
	MaxNameLen      = 256
	MaxURLLen       = 2048
	MaxPasswordLen  = 128
	MaxRetention    = 10 * 365 * 24 // hours
	MaxChunkSeconds = 600
	MinChunkSeconds = 2
)

// What a stream that is not recorded keeps, as Kinesis Video Streams does
// without retention.
const (
	liveFor   = 5 * time.Minute
	liveBytes = 200 << 20
)

// Transports are the values of Source.Transport.
var transports = []string{"auto", "tcp", "udp", "http"}

// FieldError says which field of a definition is wrong, and what would be
// right.
type FieldError struct {
	Field, Problem string
}

// Error names the field first.
func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// CheckName tells whether a name may be a stream's: the Kinesis form, and no
// name that a path would take apart.
func CheckName(name string) error {
	if name == "" || len(name) > MaxNameLen {
		return fieldErrorf("name", "must have 1 to %d characters", MaxNameLen)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return fieldErrorf("name", "may hold letters, digits, '_', '.' and '-', not %q", c)
		}
	}
	if strings.Trim(name, ".") == "" {
		return fieldErrorf("name", "must hold more than dots")
	}
	return nil
}

// normalize fills defaults in and refuses what cannot be.
func (d *Definition) normalize() error {
	if err := CheckName(d.Name); err != nil {
		return err
	}
	if d.Container == "" {
		d.Container = "mp4"
	}
	if _, ok := fragments.ParseFormat(d.Container); !ok {
		return fieldErrorf("container", "must be mp4 or mkv, not %.20q", d.Container)
	}
	if d.FragmentSeconds == 0 {
		d.FragmentSeconds = fragments.TargetDuration.Seconds()
	}
	if d.FragmentSeconds < fragments.MinDuration.Seconds() || d.FragmentSeconds > fragments.MaxDuration.Seconds() {
		return fieldErrorf("fragmentSeconds", "must be between %g and %g", fragments.MinDuration.Seconds(), fragments.MaxDuration.Seconds())
	}
	if d.ChunkSeconds == 0 {
		d.ChunkSeconds = max(archive.DefaultChunk.Seconds(), d.FragmentSeconds)
	}
	if d.ChunkSeconds < max(MinChunkSeconds, d.FragmentSeconds) || d.ChunkSeconds > MaxChunkSeconds {
		return fieldErrorf("chunkSeconds", "must be between fragmentSeconds and %d", MaxChunkSeconds)
	}
	if d.Retention.Hours < 0 || d.Retention.Hours > MaxRetention {
		return fieldErrorf("retention.hours", "must be between 0 (no limit) and %d", MaxRetention)
	}
	if d.Retention.Bytes < 0 {
		return fieldErrorf("retention.bytes", "must be 0 (no limit) or more")
	}
	for field, p := range map[string]Secret{"publishPassword": d.PublishPassword, "playPassword": d.PlayPassword} {
		if len(p.Reveal()) > MaxPasswordLen {
			return fieldErrorf(field, "must have at most %d characters", MaxPasswordLen)
		}
	}
	if d.Source != nil {
		return d.Source.normalize()
	}
	return nil
}

// normalize moves credentials out of the URL, where a user may have put them,
// and refuses what cannot be pulled.
func (s *Source) normalize() error {
	if s.URL == "" || len(s.URL) > MaxURLLen {
		return fieldErrorf("source.url", "must have 1 to %d characters, like rtsp://192.168.1.20:554/stream", MaxURLLen)
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "rtsp" && u.Scheme != "rtsps" {
		return fieldErrorf("source.url", "must be an address like rtsp://192.168.1.20:554/stream or rtsps://…")
	}
	if u.User != nil {
		s.Username = u.User.Username()
		if p, ok := u.User.Password(); ok {
			s.Password = NewSecret(p)
		}
		u.User = nil
		s.URL = u.String()
	}
	if s.Transport == "" {
		s.Transport = "auto"
	}
	if !slices.Contains(transports, s.Transport) {
		return fieldErrorf("source.transport", "must be one of %s", strings.Join(transports, ", "))
	}
	if len(s.Username) > MaxPasswordLen || len(s.Password.Reveal()) > MaxPasswordLen {
		return fieldErrorf("source.password", "and username must have at most %d characters", MaxPasswordLen)
	}
	if f := strings.ReplaceAll(s.Fingerprint, ":", ""); f != "" && len(f) != 64 {
		return fieldErrorf("source.fingerprint", "must be a SHA-256 in hex, 64 digits")
	}
	return nil
}

// Policy is what the archive does with the stream.
func (d *Definition) Policy() archive.Policy {
	format, _ := fragments.ParseFormat(d.Container)
	p := archive.Policy{
		Format:    format,
		Fragment:  time.Duration(d.FragmentSeconds * float64(time.Second)),
		Chunk:     time.Duration(d.ChunkSeconds * float64(time.Second)),
		KeepFor:   time.Duration(d.Retention.Hours * float64(time.Hour)),
		KeepBytes: d.Retention.Bytes,
	}
	if !d.Record {
		p.KeepFor, p.KeepBytes = liveFor, liveBytes
	}
	return p
}
