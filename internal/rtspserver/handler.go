package rtspserver

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

// handler is what gortsplib calls. Its calls for one connection and for one
// session come one at a time.
type handler struct {
	server *Server
	side   *side
}

// connState is kept with a connection.
type connState struct {
	failures int
	allowed  map[grant]string // who it is, by what was authorized
}

// grant is something that a connection was allowed once.
type grant struct {
	action      Action
	name, query string
}

// sessionState is kept with a session.
type sessionState struct {
	publication Publication
	playback    Playback
	done        chan struct{} // closed with the session
}

// OnConnOpen is called by gortsplib.
func (h *handler) OnConnOpen(c *gortsplib.ServerHandlerOnConnOpenCtx) {
	c.Conn.SetUserData(&connState{allowed: map[grant]string{}})
}

// OnSessionOpen is called by gortsplib.
func (h *handler) OnSessionOpen(c *gortsplib.ServerHandlerOnSessionOpenCtx) {
	c.Session.SetUserData(&sessionState{done: make(chan struct{})})
}

// OnSessionClose is called by gortsplib after the last packet.
func (h *handler) OnSessionClose(c *gortsplib.ServerHandlerOnSessionCloseCtx) {
	st, ok := c.Session.UserData().(*sessionState)
	if !ok {
		return
	}
	close(st.done)
	if st.publication != nil {
		st.publication.Close(c.Error)
	}
	if st.playback != nil {
		st.playback.Close(c.Error)
	}
}

// errTooManyFailures ends a connection.
var errTooManyFailures = errors.New("too many wrong credentials")

// authorize asks the authenticator, once per connection and grant. The second
// error ends the connection.
func (h *handler) authorize(c *gortsplib.ServerConn, req *base.Request, action Action, name, query string) (string, error, error) {
	st, ok := c.UserData().(*connState)
	if !ok {
		st = &connState{allowed: map[grant]string{}}
		c.SetUserData(st)
	}
	g := grant{action, name, query}
	if subject, ok := st.allowed[g]; ok {
		return subject, nil, nil
	}
	subject, err := h.server.opts.Authenticator.Authorize(h.server.ctx, Access{
		Action: action, Name: name, Query: query, Method: string(req.Method), URL: req.URL.String(),
		Authorization: req.Header["Authorization"], Agent: agent(req), Remote: addrPort(c.NetConn().RemoteAddr()), Secure: h.side.secure,
	})
	if err == nil {
		if len(st.allowed) < MaxMedias {
			st.allowed[g] = subject
		}
		return subject, nil, nil
	}
	var challenge *Challenge
	if !errors.As(err, &challenge) {
		h.server.opts.Log.Warn("RTSP access refused", "action", action, "name", name, "remote", c.NetConn().RemoteAddr(), "error", err)
		var refusal *Error
		if !errors.As(err, &refusal) {
			err = Refuse(StatusForbidden, "%v", err)
		}
		return "", err, nil
	}
	if len(req.Header["Authorization"]) > 0 {
		st.failures++
		h.server.opts.Log.Warn("wrong RTSP credentials", "action", action, "name", name, "remote", c.NetConn().RemoteAddr())
		if st.failures >= MaxAuthFailures {
			return "", err, errTooManyFailures
		}
	}
	return "", err, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// streamName makes the name of a path.
func streamName(path string) (string, error) {
	name := strings.Trim(path, "/")
	if err := CheckName(name); err != nil {
		return "", Refuse(StatusNotFound, "%v", err)
	}
	return name, nil
}

func agent(req *base.Request) string {
	if v := req.Header["User-Agent"]; len(v) > 0 {
		return v[0][:min(len(v[0]), maxReason)]
	}
	return ""
}

// refuse logs and answers.
func (h *handler) refuse(c *gortsplib.ServerConn, req *base.Request, err error) *base.Response {
	var challenge *Challenge
	if !errors.As(err, &challenge) {
		h.server.opts.Log.Info("RTSP request refused", "method", req.Method, "remote", c.NetConn().RemoteAddr(), "error", err)
	}
	return response(err)
}

// OnAnnounce is called by gortsplib.
func (h *handler) OnAnnounce(c *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	name, err := streamName(c.Path)
	if err == nil && h.server.publish == nil {
		err = Refuse(StatusForbidden, "publishing is not offered here")
	}
	if err != nil {
		return h.refuse(c.Conn, c.Request, err), nil
	}
	subject, err, fatal := h.authorize(c.Conn, c.Request, Publish, name, c.Query)
	if err != nil {
		return h.refuse(c.Conn, c.Request, err), fatal
	}
	if len(c.Description.Medias) > MaxMedias {
		return h.refuse(c.Conn, c.Request, Refuse(StatusBadRequest, "%d medias announced, limit is %d", len(c.Description.Medias), MaxMedias)), nil
	}
	for _, m := range c.Description.Medias {
		if len(m.Formats) > MaxFormats {
			return h.refuse(c.Conn, c.Request, Refuse(StatusBadRequest, "%d formats announced for one media, limit is %d", len(m.Formats), MaxFormats)), nil
		}
	}
	p, err := h.server.publish.Announce(h.server.ctx, PublishRequest{
		Name: name, Query: c.Query, Remote: c.Conn.NetConn().RemoteAddr(), Subject: subject,
		Agent: agent(c.Request), Secure: h.side.secure, Description: c.Description,
	})
	if err != nil {
		return h.refuse(c.Conn, c.Request, err), nil
	}
	c.Session.UserData().(*sessionState).publication = p
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRecord is called by gortsplib.
func (h *handler) OnRecord(c *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	st := c.Session.UserData().(*sessionState)
	if st.publication == nil {
		return response(Refuse(StatusBadRequest, "nothing was announced")), nil
	}
	if err := st.publication.Record(c.Session); err != nil {
		return h.refuse(c.Conn, c.Request, err), nil
	}
	h.side.listener.established(c.Conn.NetConn().RemoteAddr(), true)
	gone := st.publication.Gone()
	h.server.wg.Go(func() {
		select {
		case <-gone:
			c.Session.Close()
		case <-st.done:
		}
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnDescribe is called by gortsplib.
func (h *handler) OnDescribe(c *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	r, err, fatal := h.playRequest(c.Conn, c.Request, c.Path, c.Query)
	if err != nil {
		return h.refuse(c.Conn, c.Request, err), nil, fatal
	}
	stream, err := h.server.play.Describe(h.server.ctx, r)
	if err != nil {
		return h.refuse(c.Conn, c.Request, err), nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, stream, nil
}

// playRequest checks and describes a player.
func (h *handler) playRequest(c *gortsplib.ServerConn, req *base.Request, path, query string) (PlayRequest, error, error) {
	name, err := streamName(path)
	if err == nil && h.server.play == nil {
		err = Refuse(StatusForbidden, "playing is not offered here")
	}
	if err != nil {
		return PlayRequest{}, err, nil
	}
	subject, err, fatal := h.authorize(c, req, Play, name, query)
	return PlayRequest{Name: name, Query: query, Remote: c.NetConn().RemoteAddr(), Subject: subject,
		Agent: agent(req), Secure: h.side.secure, Server: h.side.Server}, err, fatal
}

// OnSetup is called by gortsplib, for publishers after OnAnnounce.
func (h *handler) OnSetup(c *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	st := c.Session.UserData().(*sessionState)
	if c.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	if st.playback == nil {
		r, err, fatal := h.playRequest(c.Conn, c.Request, c.Path, c.Query)
		if err != nil {
			return h.refuse(c.Conn, c.Request, err), nil, fatal
		}
		if st.playback, err = h.server.play.Open(h.server.ctx, r, c.Session); err != nil {
			st.playback = nil
			return h.refuse(c.Conn, c.Request, err), nil, nil
		}
	}
	return &base.Response{StatusCode: base.StatusOK}, st.playback.Stream(), nil
}

// rangeNow is how players say that they name no range.
const rangeNow = "npt=now-"

// OnPlay is called by gortsplib.
func (h *handler) OnPlay(c *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	st := c.Session.UserData().(*sessionState)
	if st.playback == nil {
		return response(Refuse(StatusBadRequest, "nothing was set up")), nil
	}
	var span *headers.Range
	if v := c.Request.Header["Range"]; len(v) > 0 && !strings.HasPrefix(v[0], rangeNow) {
		span = &headers.Range{}
		if err := span.Unmarshal(v); err != nil {
			return response(Refuse(int(base.StatusInvalidRange), "range not understood: %v", err)), nil
		}
	}
	if err := st.playback.Play(span); err != nil {
		return h.refuse(c.Conn, c.Request, err), nil
	}
	h.side.listener.established(c.Conn.NetConn().RemoteAddr(), false)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnPause is called by gortsplib.
func (h *handler) OnPause(c *gortsplib.ServerHandlerOnPauseCtx) (*base.Response, error) {
	st := c.Session.UserData().(*sessionState)
	if st.playback == nil {
		return response(Refuse(int(base.StatusMethodNotValidInThisState), "only players pause; a publisher ends and comes again")), nil
	}
	if err := st.playback.Pause(); err != nil {
		return h.refuse(c.Conn, c.Request, err), nil
	}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnPacketsLost is called by gortsplib; sessions count for themselves.
func (h *handler) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {}

// OnDecodeError is called by gortsplib.
func (h *handler) OnDecodeError(c *gortsplib.ServerHandlerOnDecodeErrorCtx) {
	h.server.opts.Log.Debug("RTP packet not understood", "path", c.Session.Path(), "error", c.Error)
}

// OnStreamWriteError is called by gortsplib when a player does not keep up.
func (h *handler) OnStreamWriteError(c *gortsplib.ServerHandlerOnStreamWriteErrorCtx) {
	h.server.opts.Log.Info("RTSP player cut off", "path", c.Session.Path(), "error", c.Error)
	c.Session.Close()
}
