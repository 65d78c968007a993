package routes

import (
	"net/http"
	"net/url"
	"time"

	"weir/internal/auth"
	"weir/internal/config"
	"weir/internal/server"
	"weir/playback"
)

// urlRequest is the body of POST /v1/video/{name}/url.
type urlRequest struct {
	Format  string `json:"format"`          // hls, dash, clip, rtsp, whep, whip
	Start   string `json:"start,omitempty"` // RFC 3339 or epoch milliseconds
	End     string `json:"end,omitempty"`
	Expires string `json:"expires,omitempty"` // a duration like 1h or 7d
	MKV     bool   `json:"mkv,omitempty"`     // a clip as Matroska
}

// issue answers with one address, ready to open, with its token.
func (p *Routes) issue(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	name := r.PathValue("name")
	var req urlRequest
	if err := server.DecodeJSON(r, &req); err != nil {
		server.WriteError(w, r, err)
		return
	}
	action := auth.Play
	if req.Format == "whip" {
		action = auth.Publish
	}
	if !id.May(action, name) {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	if _, err := p.opts.Catalogue.Get(name); err != nil {
		p.fail(w, r, err)
		return
	}
	q := url.Values{}
	for param, v := range map[string]string{"start": req.Start, "end": req.End} {
		if v != "" {
			q.Set(param, v)
		}
	}
	win, err := playback.ParseWindow(q, p.opts.Clock.Now(), catalogueMaxWindow)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	life := p.opts.TokenTime
	if req.Expires != "" {
		var d config.Duration
		if err := d.UnmarshalText([]byte(req.Expires)); err != nil {
			server.WriteError(w, r, server.Invalid("expires", "expires must be a duration like 1h or 7d"))
			return
		}
		life = d.Std()
	}
	httpURL, rtspURL := p.opts.Address(r)
	address, format, err := playbackAddress(name, req, win, httpURL, rtspURL)
	if err != nil {
		server.WriteError(w, r, err)
		return
	}
	claims := auth.Claims{
		Action: action, Stream: name, Format: format, Start: win.Start, End: win.End,
		Expires: p.opts.Clock.Now().Add(life),
	}
	token, err := p.opts.Verifier.Issue(id, claims)
	if err != nil {
		server.WriteError(w, r, server.Invalid("expires", "%v", err))
		return
	}
	q = address.Query()
	q.Set(playback.TokenParam, token)
	address.RawQuery = q.Encode()
	server.WriteJSON(w, http.StatusOK, map[string]any{"url": address.String(), "expires": claims.Expires.UTC().Truncate(time.Second)})
}

// playbackAddress is the address of a format, without token.
func playbackAddress(name string, req urlRequest, win playback.Window, httpURL, rtspURL string) (*url.URL, string, error) {
	base, path := httpURL, "/v1/video/"+url.PathEscape(name)
	switch req.Format {
	case "hls":
		path += "/hls/index.m3u8"
	case "dash":
		path += "/dash/manifest.mpd"
	case "clip":
		if win.Start.IsZero() || win.End.IsZero() {
			return nil, "", server.Invalid("start", "start and end are needed: a clip has both")
		}
		path += "/clip.mp4"
		if req.MKV {
			path = path[:len(path)-len("mp4")] + "mkv"
		}
	case "whep", "whip":
		if !win.Start.IsZero() || !win.End.IsZero() {
			return nil, "", server.Invalid("start", "WebRTC is live: start and end are for hls, dash, clip and rtsp")
		}
		path += "/" + req.Format
	case "rtsp":
		base, path = rtspURL, "/"+url.PathEscape(name)
	default:
		return nil, "", server.Invalid("format", "format must be hls, dash, clip, rtsp, whep or whip, not %.20q", req.Format)
	}
	u, err := url.Parse(base + path)
	if err != nil {
		return nil, "", server.Invalid("format", "format has no address here: %v", err)
	}
	q := url.Values{}
	if !win.Start.IsZero() {
		q.Set("start", win.Start.Format(time.RFC3339Nano))
	}
	if !win.End.IsZero() {
		q.Set("end", win.End.Format(time.RFC3339Nano))
	}
	u.RawQuery = q.Encode()
	return u, req.Format, nil
}
