// Package source pulls streams from cameras: for every stream that has a
// source it keeps one RTSP session alive, always or while somebody watches,
// comes back after failures with growing, jittered pauses, and tells what it
// is doing.
//
// It does not decide where it may connect to: it is given a dialler, which
// checks every address, also those that a camera redirects to.
//
//	          ┌────────────── demand ◄──────────────┐
//	          ▼                                     │
//	idle ──► connecting ──► online ──► waiting ──► connecting …
//	 on demand only           │            ▲
//	                          └── failure ─┘ 1 s, 2 s, … 60 s
package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Transport is how media comes.
type Transport string

// The transports.
const (
	Auto Transport = "auto" // UDP where it works, else TCP
	TCP  Transport = "tcp"
	UDP  Transport = "udp"
	HTTP Transport = "http" // tunnelled through HTTP
)

// Config of a source.
type Config struct {
	URL         string        // rtsp:// or rtsps://, without credentials
	Username    string        //
	Password    string        // secret: it is in no error, log or state
	Transport   Transport     // empty means TCP, which loses nothing
	OnDemand    bool          // connected only while somebody reads the stream
	CloseDelay  time.Duration // how long an unread source on demand stays; 0 means DefaultCloseDelay
	Fingerprint string        // SHA-256 of the camera's certificate in hex: no other is accepted, whatever signed it
	Insecure    bool          // any certificate is accepted
}

// Timing of sources.
const (
	DefaultCloseDelay = 10 * time.Second
	FirstPause        = time.Second      // after the first failure
	LastPause         = time.Minute      // between attempts at most
	Stable            = 30 * time.Second // online for so long, a source has recovered
	MaxRedirects      = 3
	maxURL            = 2048
)

// ErrConfig means that a source cannot be configured so.
var ErrConfig = errors.New("bad source")

// Validate checks what can be checked without connecting, and completes it.
func (c *Config) Validate() error {
	if len(c.URL) > maxURL {
		return fmt.Errorf("%w: URL of %d bytes, limit is %d", ErrConfig, len(c.URL), maxURL)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("%w: URL cannot be read", ErrConfig) // the text could hold a password
	}
	if u.Scheme != "rtsp" && u.Scheme != "rtsps" {
		return fmt.Errorf("%w: URL begins with %q, want rtsp:// or rtsps://", ErrConfig, u.Scheme)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%w: URL names no host", ErrConfig)
	}
	if u.User != nil {
		return fmt.Errorf("%w: URL holds credentials; give username and password by themselves, so that they can be kept secret", ErrConfig)
	}
	switch c.Transport {
	case "":
		c.Transport = TCP
	case Auto, TCP, UDP, HTTP:
	default:
		return fmt.Errorf("%w: transport %q, want auto, tcp, udp or http", ErrConfig, c.Transport)
	}
	if c.CloseDelay <= 0 {
		c.CloseDelay = DefaultCloseDelay
	}
	if c.Fingerprint != "" {
		c.Fingerprint = strings.ToLower(strings.ReplaceAll(c.Fingerprint, ":", ""))
		if b, err := hex.DecodeString(c.Fingerprint); err != nil || len(b) != sha256.Size {
			return fmt.Errorf("%w: fingerprint is not a SHA-256 in hex", ErrConfig)
		}
	}
	return nil
}

// SplitCredentials takes credentials out of a URL, as people paste it.
func SplitCredentials(raw string) (clean, username, password string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", "", fmt.Errorf("%w: URL cannot be read", ErrConfig)
	}
	if u.User != nil {
		username = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
	}
	return u.String(), username, password, nil
}

// Phase is what a source is doing.
type Phase string

// The phases.
const (
	Idle       Phase = "idle"       // on demand, and nobody reads
	Connecting Phase = "connecting" //
	Online     Phase = "online"     //
	Waiting    Phase = "waiting"    // until the next attempt
)

// State is what a source tells about itself.
type State struct {
	Phase     Phase     `json:"phase"`
	Since     time.Time `json:"since"`              // of the phase
	Until     time.Time `json:"until,omitzero"`     // of Waiting
	Attempts  int       `json:"attempts,omitempty"` // since it was online for long
	LastError string    `json:"lastError,omitempty"`
	ErrorAt   time.Time `json:"errorAt,omitzero"`
}
