package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	defaultSessionTime = 12 * time.Hour
	loginLinkTime      = time.Hour
	maxSessions        = 1000
	maxLoginLinks      = 100
	sessionBytes       = 32

	cookieName       = "weir_session"
	secureCookieName = "__Host-weir_session"
)

// digest is what is kept of a session's or link's secret: who reads memory or
// a core dump finds nothing to log in with.
type digest [sha256.Size]byte

// sessions are those of the console. They live in memory: after a restart one
// logs in again.
type sessions struct {
	life time.Duration

	mu    sync.Mutex // guards the following: when each ends
	open  map[digest]time.Time
	links map[digest]time.Time
}

func newSessions(life time.Duration) *sessions {
	if life == 0 {
		life = defaultSessionTime
	}
	return &sessions{life: life, open: map[digest]time.Time{}, links: map[digest]time.Time{}}
}

// add makes a random secret that is valid until the given time.
func (s *sessions) add(table map[digest]time.Time, limit int, now, until time.Time) string {
	b := make([]byte, sessionBytes)
	rand.Read(b)
	text := base64.RawURLEncoding.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	var first digest
	for d, end := range table {
		if !end.After(now) {
			delete(table, d)
		} else if table[first].IsZero() || end.Before(table[first]) {
			first = d
		}
	}
	if len(table) >= limit {
		delete(table, first) // the one that would end first
	}
	table[sha256.Sum256([]byte(text))] = until
	return text
}

// valid looks a secret up, and takes it away when it can be used but once.
func (s *sessions) valid(table map[digest]time.Time, text string, now time.Time, once bool) bool {
	d := digest(sha256.Sum256([]byte(text)))
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := table[d]
	if ok && (once || !end.After(now)) {
		delete(table, d)
	}
	return ok && end.After(now)
}

// LoginLink returns the secret of a link that logs in once, within an hour:
// `<address>/login?link=<secret>`.
func (v *Verifier) LoginLink() string {
	now := v.clock.Now()
	return v.sessions.add(v.sessions.links, maxLoginLinks, now, now.Add(loginLinkTime))
}

// LoginWithLink opens a session of the console for the secret of a link.
func (v *Verifier) LoginWithLink(w http.ResponseWriter, r *http.Request, link string) error {
	if err := v.mayTry(r); err != nil {
		return err
	}
	if !v.sessions.valid(v.sessions.links, link, v.clock.Now(), true) {
		v.limiter.failed(remoteAddr(r), v.clock.Now())
		return &Error{Status: http.StatusUnauthorized, Code: "link_used", Message: "this login link was used already or is over an hour old; log in with the root keys, which weir env prints"}
	}
	v.startSession(w, r)
	return nil
}

// LoginWithKey opens a session of the console for a key pair.
func (v *Verifier) LoginWithKey(w http.ResponseWriter, r *http.Request, accessKey, secret string) error {
	if err := v.mayTry(r); err != nil {
		return err
	}
	if err := v.origins.Check(r); err != nil {
		return errCrossOrigin()
	}
	if !confidential(r) {
		return errInsecure()
	}
	id, err := v.keyPair(accessKey, secret)
	if err != nil || !id.IsAdmin() {
		v.limiter.failed(remoteAddr(r), v.clock.Now())
		return errWrong()
	}
	v.startSession(w, r)
	return nil
}

func (v *Verifier) mayTry(r *http.Request) error {
	if v.limiter.blocked(remoteAddr(r), v.clock.Now()) {
		return errLimited()
	}
	return nil
}

func (v *Verifier) startSession(w http.ResponseWriter, r *http.Request) {
	now := v.clock.Now()
	text := v.sessions.add(v.sessions.open, maxSessions, now, now.Add(v.sessions.life))
	http.SetCookie(w, sessionCookie(r, text, int(v.sessions.life/time.Second)))
}

// Logout ends the session of a request and takes the cookie back.
func (v *Verifier) Logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie(r, "", 0).Name); err == nil {
		v.sessions.valid(v.sessions.open, c.Value, v.clock.Now(), true)
	}
	http.SetCookie(w, sessionCookie(r, "", -1))
}

// sessionCookie is bound to this host by its name where that is possible: the
// prefix __Host- works over TLS only.
func sessionCookie(r *http.Request, text string, maxAge int) *http.Cookie {
	c := &http.Cookie{
		Name: cookieName, Value: text, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if r.TLS != nil {
		c.Name, c.Secure = secureCookieName, true
	}
	return c
}

// cookie verifies a session of the console. A page of another origin cannot
// use it: browsers do not send it, and say so if they do.
func (v *Verifier) cookie(r *http.Request) (Identity, error) {
	c, err := r.Cookie(sessionCookie(r, "", 0).Name)
	if err != nil {
		return Identity{}, errNone()
	}
	if v.origins.Check(r) != nil {
		return Identity{}, errCrossOrigin()
	}
	if !v.sessions.valid(v.sessions.open, c.Value, v.clock.Now(), false) {
		return Identity{}, errNone()
	}
	return Identity{kind: KindConsole, name: "console", action: Admin}, nil
}
