package archived

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/media"
	"weir/playback"
	"weir/playback/segments"
)

// tokenParam is the query parameter of a session's token.
const tokenParam = "SessionToken"

// request is one request of a player.
type request struct {
	w http.ResponseWriter
	r *http.Request
	session
	token  string
	stream *archive.Stream
}

// play opens the session of a request and answers it. Pages of any origin may
// play: the address is all that they need.
func (a *API) play(serve func(*request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		x, err := a.resume(w, r)
		if err == nil {
			err = a.limitRequest(x)
		}
		if err == nil {
			err = serve(x)
		}
		if err == nil || errors.Is(err, playback.ErrClient) || errors.Is(err, context.Canceled) {
			return
		}
		f := awsapi.EncodeFailure(awsapi.RESTJSON, awsapi.PlainJSON, Failure(err))
		if f.Status >= http.StatusInternalServerError {
			a.opts.Log.Error("play a session", "path", r.URL.Path, "err", err)
		}
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(f.Status)
		_, _ = w.Write(f.Body) // the player may be gone
	})
}

// resume opens the token of a request.
func (a *API) resume(w http.ResponseWriter, r *http.Request) (*request, error) {
	x := &request{w: w, r: r, token: r.URL.Query().Get(tokenParam)}
	x.makers = a.opts.Makers
	claims, err := a.opts.Tokens.Session(x.token)
	if err != nil {
		return nil, exception("AccessDeniedException", http.StatusForbidden, "The session token is not valid or has expired: ask for a new session.")
	}
	format := "hls"
	if r.URL.Path[1] == 'd' {
		format = "dash"
	}
	if claims.Action != auth.Play || claims.Format != format || json.Unmarshal([]byte(claims.Session), &x.session) != nil {
		return nil, exception("AccessDeniedException", http.StatusForbidden, "The session token is not one of this sort.")
	}
	found, err := a.opts.Streams.Find(&claims.Stream, nil)
	if err != nil {
		return nil, err
	}
	x.stream, err = a.opts.Archive.Stream(found.ID)
	return x, err
}

// codecParam says in addresses that a track is wanted in another codec.
const codecParam = "Codec"

// made is the codec that is to be made of the track of a request, "" for none.
func (x *request) made() media.Codec {
	switch x.r.URL.Query().Get(codecParam) {
	case "AAC":
		return media.AAC
	case "VP9":
		return media.VP9
	}
	return ""
}

// codecQuery is what addresses of what is made end in.
func codecQuery(made media.Codec) string {
	if made == "" {
		return ""
	}
	return "&" + codecParam + "=" + strings.ToUpper(string(made))
}

// number reads a query parameter that is a small number.
func (x *request) number(param string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(x.r.URL.Query().Get(param), 10, bits)
	if err != nil {
		return 0, invalid("%s must be a number.", param)
	}
	return n, nil
}

// fragment finds the fragment that a request names, by its number or, as
// manifests do, by the time at which the track's samples in it start.
func (x *request) fragment(track media.TrackID) (fragments.Fragment, error) {
	q := x.r.URL.Query()
	var f fragments.Fragment
	if q.Has("Time") {
		at, err := strconv.ParseInt(q.Get("Time"), 10, 64)
		if err != nil || at < 0 {
			return f, invalid("Time must be a number.")
		}
		if f, err = x.stream.FindStart(x.r.Context(), track, media.Ticks(at)); err != nil {
			return f, err
		}
	} else {
		n, err := fragments.ParseNumber(q.Get("FragmentNumber"))
		if err != nil {
			return f, invalid("FragmentNumber must be a fragment number.")
		}
		if f, err = x.stream.Find(n); err != nil {
			return f, err
		}
	}
	if !x.holds(&f) {
		return f, exception("AccessDeniedException", http.StatusForbidden, "The fragment is outside of the session.")
	}
	return f, nil
}

// initFragment answers with the parameters of a track.
func (a *API) initFragment(x *request) error {
	track, err := x.number("TrackNumber", 8)
	if err != nil {
		return err
	}
	version, err := x.number("SequenceNumber", 32)
	if err != nil {
		return err
	}
	b, err := x.makers.Init(x.stream, uint32(version), media.TrackID(track), x.made())
	if err != nil {
		return err
	}
	return playback.ServeImmutable(x.w, x.r, "video/mp4", b)
}

// mediaFragment answers with one track of a fragment.
func (a *API) mediaFragment(x *request) error {
	track, err := x.number("TrackNumber", 8)
	if err != nil {
		return err
	}
	f, err := x.fragment(media.TrackID(track))
	if err != nil {
		return err
	}
	b, err := x.makers.Media(x.r.Context(), x.stream, &f, media.TrackID(track), x.made())
	if err != nil {
		return err
	}
	return playback.ServeImmutable(x.w, x.r, "video/mp4", b)
}

// tsFragment answers with a fragment as MPEG-TS.
func (a *API) tsFragment(x *request) error {
	f, err := x.fragment(0)
	if err != nil {
		return err
	}
	b, err := segments.TS(x.r.Context(), x.stream, &f)
	if err != nil {
		return err
	}
	return playback.ServeImmutable(x.w, x.r, "video/mp2t", b)
}
