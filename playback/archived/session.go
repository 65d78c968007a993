package archived

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsserve"
	"weir/internal/media"
	"weir/playback/segments"
)

// Numbers of sessions.
const (
	defaultExpires = 300 * time.Second
	liveResults    = 5    // fragments of a playlist that plays live, when not told
	vodResults     = 1000 // of one on demand
	// liveAge is how old the newest fragment of a stream that plays live may
	// be.
	liveAge = 30 * time.Second
)

// mode is how a session plays, in the words of the API.
type mode string

const (
	live       mode = "LIVE"
	liveReplay mode = "LIVE_REPLAY"
	onDemand   mode = "ON_DEMAND"
)

// session is what a token says of a session. Its keys are short, as each
// address of a playlist carries it.
type session struct {
	Mode    mode   `json:"m"`
	Span    span   `json:"r"`
	Anchor  uint64 `json:"n,omitempty"` // number of the first fragment of a live session
	Created int64  `json:"c"`           // ms since the epoch
	Results int    `json:"l"`           // most fragments of a playlist or manifest
	// Breaks is when a discontinuity is told: ALWAYS, NEVER or
	// ON_DISCONTINUITY; HLS only.
	Breaks string `json:"d,omitempty"`
	TS     bool   `json:"ts,omitempty"` // MPEG-TS
	Times  bool   `json:"pt,omitempty"` // shows the times of fragments
	Ids    bool   `json:"fn,omitempty"` // shows the numbers of fragments

	makers segments.Makers // of the API, not of the token
}

// wish is what the two operations have in common.
type wish struct {
	name, arn *string
	format    string // "hls" or "dash"
	mode      mode
	axis      axis
	from, to  *awsapi.Timestamp
	expires   *int32
	results   *int64
	session   session // what only one of them has
}

// begin makes a session and returns its address.
func (a *API) begin(c *awsserve.Call, w wish, path string) (*string, error) {
	found, s, err := a.openKept(c, w.name, w.arn)
	if err != nil {
		return nil, err
	}
	x := w.session
	now := a.opts.Clock.Now()
	x.Mode, x.Created, x.Results = w.mode, now.UnixMilli(), liveResults
	if w.mode == onDemand {
		x.Results = vodResults
	}
	if w.results != nil {
		x.Results = int(*w.results)
	}
	if err := a.limitCall(c, s, x.Results); err != nil {
		return nil, err
	}
	x.makers = a.opts.Makers
	if x.Span, err = w.span(); err != nil {
		return nil, err
	}
	first, err := x.first(c.Request, s, now)
	if err != nil {
		return nil, err
	}
	if w.mode == live {
		x.Anchor = uint64(first.Number)
	}
	tracks, err := s.Tracks(first.Init)
	if err != nil {
		return nil, err
	}
	if _, err := x.playable(tracks); err != nil {
		return nil, err
	}
	life := defaultExpires
	if w.expires != nil {
		life = time.Duration(*w.expires) * time.Second
	}
	token, err := a.token(c.Identity, x, auth.Claims{Action: auth.Play, Stream: found.Name, Format: w.format, Expires: now.Add(life)})
	if err != nil {
		return nil, err
	}
	address := a.opts.Address(c.Request) + path + "?SessionToken=" + token
	return &address, nil
}

func (a *API) token(by auth.Identity, x session, c auth.Claims) (string, error) {
	text, err := json.Marshal(x)
	if err != nil {
		return "", fmt.Errorf("write a session: %w", err)
	}
	c.Session = string(text)
	return a.opts.Tokens.Issue(by, c)
}

// span checks the range that a session is asked for.
func (w *wish) span() (span, error) {
	if w.mode == live {
		if w.from != nil || w.to != nil {
			return span{}, invalid("TimestampRange must not be given with the playback mode LIVE.")
		}
		return span{Axis: w.axis, To: noEnd}, nil
	}
	if w.from == nil {
		return span{}, invalid("TimestampRange with StartTimestamp is required with the playback mode %s.", w.mode)
	}
	if w.to == nil && w.mode == onDemand {
		return span{}, invalid("EndTimestamp is required with the playback mode ON_DEMAND.")
	}
	return spanOf(w.axis, w.from, w.to, maxRange)
}

// first finds the first fragment of a session. There must be one.
func (x *session) first(r *http.Request, s *archive.Stream, now time.Time) (fragments.Fragment, error) {
	if x.Mode != live {
		for f, err := range x.Span.fragments(r.Context(), s, place{}) {
			return f, err
		}
		return fragments.Fragment{}, notFound("No fragments found in the stream for the streaming request: none starts in the range.")
	}
	newest, err := s.Newest(x.Results)
	if err != nil {
		return fragments.Fragment{}, err
	}
	if n := len(newest); n == 0 || now.Sub(time.Unix(0, newest[n-1].Received+newest[n-1].Duration)) > liveAge {
		return fragments.Fragment{}, notFound("No fragments found in the stream for the streaming request: none came within the last %s.", liveAge)
	}
	return newest[0], nil
}

// holds tells whether a fragment may be fetched in the session.
func (x *session) holds(f *fragments.Fragment) bool {
	if x.Mode == live {
		return uint64(f.Number) >= x.Anchor
	}
	return x.Span.holds(f)
}

// playable returns the tracks that the session plays: one of pictures, one of
// sound.
func (x *session) playable(tracks []media.Track) ([]media.Track, error) {
	fit := segments.PlayableTracks(tracks)
	if x.Breaks == "" { // DASH
		fit = segments.WithTelephony(tracks)
	}
	if x.TS {
		fit = fit[:0]
		for _, t := range tracks {
			if segments.CanTS(t) {
				fit = append(fit, t)
			}
		}
	}
	video, audio := segments.MainTracks(fit)
	if audio == nil && x.Breaks != "" && !x.TS { // sound that HLS has as AAC only
		if i := slices.IndexFunc(tracks, x.makers.AAC.Offers); i >= 0 {
			audio = &tracks[i]
		}
	}
	var out []media.Track
	for _, t := range []*media.Track{video, audio} {
		if t == nil {
			continue
		}
		if err := checkTrack(t); err != nil {
			return nil, err
		}
		out = append(out, *t)
	}
	if len(out) == 0 {
		return nil, unsupported("None of the tracks has a media type that can be played in this form.")
	}
	return out, nil
}

// checkTrack tells whether the parameters of a track are there and of use.
func checkTrack(t *media.Track) error {
	needs := t.Codec == media.H264 || t.Codec == media.H265 || t.Codec == media.AAC
	switch {
	case needs && len(t.Config) == 0:
		return exception("MissingCodecPrivateDataException", http.StatusBadRequest, "No codec private data was found in track %d.", t.ID)
	case needs && media.CodecString(*t) == "":
		return exception("InvalidCodecPrivateDataException", http.StatusBadRequest, "The codec private data of track %d is not valid.", t.ID)
	}
	return nil
}

// sameForm tells whether tracks are of the codecs that a session began with:
// their parameters may change.
func sameForm(a, b []media.Track) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Codec != b[i].Codec {
			return false
		}
	}
	return true
}
