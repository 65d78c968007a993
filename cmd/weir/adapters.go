package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	ingestrtsp "weir/ingest/rtsp"
	"weir/ingest/source"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/rtspserver"
	"weir/playback"
	"weir/playback/rtspplay"
)

// pulls makes sources of the catalogue's definitions and shows their state.
type pulls struct {
	sup *source.Supervisor
	log *slog.Logger
}

// StreamChanged implements catalogue.Listener.
func (p pulls) StreamChanged(s catalogue.Stream) {
	if s.Source == nil {
		p.sup.Remove(string(s.ID))
		return
	}
	err := p.sup.Set(string(s.ID), source.Config{
		URL: s.Source.URL, Username: s.Source.Username, Password: s.Source.Password.Reveal(),
		Transport: source.Transport(s.Source.Transport), OnDemand: s.Source.OnDemand,
		Fingerprint: s.Source.Fingerprint, Insecure: s.Source.Insecure,
	})
	if err != nil {
		p.log.Error("pull stream", "stream", s.Name, "err", err)
	}
}

// StreamRemoved implements catalogue.Listener.
func (p pulls) StreamRemoved(s catalogue.Stream) { p.sup.Remove(string(s.ID)) }

// SourceState implements catalogue.Sources.
func (p pulls) SourceState(id string) (any, bool) {
	st, ok := p.sup.State(id)
	return st, ok
}

// passwords shows the verifier the streams' own passwords.
type passwords struct{ c *catalogue.Catalogue }

// Password implements auth.Streams.
func (p passwords) Password(stream string, a auth.Action) (auth.Secret, bool) {
	s, err := p.c.Get(stream)
	if err != nil {
		return auth.Secret{}, false
	}
	secret := s.PlayPassword
	if a == auth.Publish {
		secret = s.PublishPassword
	}
	return secret.Secret, !secret.IsZero()
}

// TokenEpoch implements auth.Streams: a stream that is made anew under an old
// name does not open to old tokens.
func (p passwords) TokenEpoch(stream string) uint64 {
	s, err := p.c.Get(stream)
	if err != nil {
		return 0
	}
	return uint64(s.Created.UnixMilli())
}

// publishers finds the stream that a producer publishes to. Who may publish
// to a name that does not exist yet may also create it: only administrators
// pass the authenticator there.
type publishers struct {
	c *catalogue.Catalogue
	a *archive.Archive
}

// Resolve implements the publish side's catalogue.
func (p publishers) Resolve(ctx context.Context, name string) (ingestrtsp.Target, error) {
	s, err := p.c.Get(name)
	if errors.Is(err, catalogue.ErrNotFound) {
		s, _, err = p.c.Put(ctx, p.c.New(name))
	}
	if err != nil {
		return ingestrtsp.Target{}, err
	}
	return ingestrtsp.Target{StreamID: string(s.ID), Takeover: s.Takeover, NotBefore: recordedUntil(p.a, s.ID)}, nil
}

// players finds what RTSP players ask for.
type players struct {
	c   *catalogue.Catalogue
	a   *archive.Archive
	hub *live.Hub
}

// find is rtspplay's.
func (p players) find(_ context.Context, name string) (rtspplay.Target, error) {
	s, err := p.c.Get(name)
	if errors.Is(err, catalogue.ErrNotFound) {
		return rtspplay.Target{}, fmt.Errorf("%w: %s", rtspplay.ErrNotFound, name)
	}
	if err != nil {
		return rtspplay.Target{}, err
	}
	recorded, err := p.a.Stream(s.ID)
	return rtspplay.Target{Live: p.hub.Stream(string(s.ID)), Recorded: recorded, Pulled: s.Source != nil}, err
}

// recordedUntil is where the recordings of a stream end, ns since the epoch.
func recordedUntil(a *archive.Archive, id archive.StreamID) int64 {
	s, err := a.Stream(id)
	if err != nil {
		return 0
	}
	if end := s.Status().LastEnd; !end.IsZero() {
		return end.UnixNano()
	}
	return 0
}

// rtspAuth lets the verifier decide about RTSP requests.
type rtspAuth struct {
	v     *auth.Verifier
	clock clock.Clock
}

// Authorize implements rtspserver.Authenticator.
func (a rtspAuth) Authorize(_ context.Context, x rtspserver.Access) (string, error) {
	q, err := url.ParseQuery(x.Query)
	if err != nil {
		return "", rtspserver.Refuse(rtspserver.StatusBadRequest, "the query of the address is malformed")
	}
	req := auth.RTSPRequest{
		Method: x.Method, URI: x.URL, Authorization: x.Authorization, UserAgent: x.Agent, Token: q.Get(playback.TokenParam),
		Stream: x.Name, Action: auth.Action(x.Action), Remote: x.Remote.Addr(), Secure: x.Secure,
	}
	id, err := a.v.VerifyRTSP(req)
	if err != nil {
		if r := auth.Refusal(err); r.Status != http.StatusUnauthorized {
			return "", rtspserver.Refuse(r.Status, "%s", r.Message)
		}
		return "", &rtspserver.Challenge{WWWAuthenticate: a.v.RTSPChallenges(req, err)}
	}
	allowed := id.May(req.Action, x.Name)
	if req.Action == auth.Play {
		win, err := playback.ParseWindow(q, a.clock.Now(), maxRTSPWindow)
		if err != nil {
			return "", rtspserver.Refuse(rtspserver.StatusBadRequest, "%v", err)
		}
		allowed = id.MayPlay(x.Name, "rtsp", win.Start, win.End)
	}
	if !allowed {
		a.v.Denied(id, x.Method+" "+string(x.Action), x.Name)
		return "", rtspserver.Refuse(rtspserver.StatusForbidden, "these credentials do not allow to %s %s", x.Action, x.Name)
	}
	return id.Name(), nil
}

// addresses tells how the client of a request reaches this node.
func (n *node) addresses(r *http.Request) (httpURL, rtspURL string) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	httpURL = scheme + "://" + r.Host
	if n.settings.PublicURL != "" {
		httpURL = strings.TrimSuffix(n.settings.PublicURL, "/")
	}
	if n.rtsp == nil {
		return httpURL, ""
	}
	rtspURL = n.localRTSP()
	if n.settings.PublicRTSP == "" {
		if u, err := url.Parse(rtspURL); err == nil {
			if host, _, err := net.SplitHostPort(r.Host); err == nil {
				rtspURL = u.Scheme + "://" + net.JoinHostPort(host, u.Port())
			}
		}
	}
	return httpURL, rtspURL
}

// maxRTSPWindow bounds the archive that one RTSP session names.
const maxRTSPWindow = 10 * 365 * 24 * time.Hour
