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

// session is one of the console, or a link that opens one.
type session struct {
	end time.Time
	key string // the access key that opened it, when it is not the root's
}

// sessions are those of the console. They live in memory: after a restart one
// logs in again.
type sessions struct {
	life time.Duration

	mu    sync.Mutex // guards the following
	open  map[digest]session
	links map[digest]session
}

func newSessions(life time.Duration) *sessions {
	if life == 0 {
		life = defaultSessionTime
	}
	return &sessions{life: life, open: map[digest]session{}, links: map[digest]session{}}
}

// add makes a random secret for a session.
func (s *sessions) add(table map[digest]session, limit int, now time.Time, n session) string {
	b := make([]byte, sessionBytes)
	rand.Read(b)
	text := base64.RawURLEncoding.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	var first digest
	for d, x := range table {
		if !x.end.After(now) {
			delete(table, d)
		} else if table[first].end.IsZero() || x.end.Before(table[first].end) {
			first = d
		}
	}
	if len(table) >= limit {
		delete(table, first) // the one that would end first
	}
	table[sha256.Sum256([]byte(text))] = n
	return text
}

// valid looks a secret up, and takes it away when it can be used but once.
func (s *sessions) valid(table map[digest]session, text string, now time.Time, once bool) (session, bool) {
	d := digest(sha256.Sum256([]byte(text)))
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := table[d]
	if ok && (once || !x.end.After(now)) {
		delete(table, d)
	}
	return x, ok && x.end.After(now)
}

// LoginLink returns the secret of a link that logs in once, within an hour:
// `<address>/login?link=<secret>`.
func (v *Verifier) LoginLink() string {
	now := v.clock.Now()
	return v.sessions.add(v.sessions.links, maxLoginLinks, now, session{end: now.Add(loginLinkTime)})
}

// LoginWithLink opens a session of the console for the secret of a link.
func (v *Verifier) LoginWithLink(w http.ResponseWriter, r *http.Request, link string) error {
	if err := v.mayTry(r); err != nil {
		return err
	}
	if _, ok := v.sessions.valid(v.sessions.links, link, v.clock.Now(), true); !ok {
		v.limiter.failed(remoteAddr(r), v.clock.Now())
		return v.loginRefused(r, &Error{Status: http.StatusUnauthorized, Code: "link_used", Message: "this login link was used already or is over an hour old; log in with the root keys, which weir env prints"})
	}
	v.startSession(w, r, "")
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
	if err != nil {
		v.limiter.failed(remoteAddr(r), v.clock.Now())
		return v.loginRefused(r, errWrong())
	}
	id = v.made(id, origin{address: remoteAddr(r), secure: r.TLS != nil})
	if !id.IsAdmin() {
		return v.loginRefused(r, &Error{Status: http.StatusForbidden, Code: "forbidden", Message: "the console is for keys with the policy admin"})
	}
	key := ""
	if id.grant != nil {
		key = id.name
	}
	v.startSession(w, r, key)
	return nil
}

// loginRefused writes down that somebody was not let in.
func (v *Verifier) loginRefused(r *http.Request, err *Error) error {
	v.refused(err, origin{address: remoteAddr(r)}, "login")
	return err
}

func (v *Verifier) mayTry(r *http.Request) error {
	if v.limiter.blocked(remoteAddr(r), v.clock.Now()) {
		return errLimited()
	}
	return nil
}

func (v *Verifier) startSession(w http.ResponseWriter, r *http.Request, key string) {
	now := v.clock.Now()
	text := v.sessions.add(v.sessions.open, maxSessions, now, session{now.Add(v.sessions.life), key})
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
	s, ok := v.sessions.valid(v.sessions.open, c.Value, v.clock.Now(), false)
	if !ok {
		return Identity{}, errNone()
	}
	if s.key != "" {
		// A session of a key may do what the key may now.
		_, grant, ok := v.keys.Key(s.key)
		if !ok {
			return Identity{}, errNone()
		}
		return Identity{kind: KindConsole, name: s.key, grant: grant}, nil
	}
	return Identity{kind: KindConsole, name: "console", action: Admin}, nil
}
