package catalogue

import (
	"time"

	"weir/fragments/archive"
	"weir/internal/auth"
	"weir/internal/live"
	"weir/internal/media"
)

// Sources tells what the supervised pulls do.
type Sources interface {
	// SourceState describes the pull of a stream; false when it has none.
	SourceState(id string) (any, bool)
}

// Viewers counts who watches over HTTP, beside the live readers.
type Viewers interface {
	Viewers(id string) int
}

// ViewerList is what Viewers may also be: it describes those who watch and of
// whom more is known than their number.
type ViewerList interface {
	ViewerList(id string) any
}

// Transcodes tells what is made of a stream in other codecs, and for whom.
type Transcodes interface {
	// TranscodeState describes the transcodes of a stream, nil for none.
	TranscodeState(id string) any
}

// View is a stream as the native API shows it.
type View struct {
	ID      archive.StreamID `json:"id"`
	Created time.Time        `json:"created"`
	Changed time.Time        `json:"changed"`
	Definition
	State State `json:"state"`
}

// State is what a stream does at the moment.
type State struct {
	Online   bool        `json:"online"`
	Producer string      `json:"producer,omitempty"`
	Remote   string      `json:"remote,omitempty"`
	Since    time.Time   `json:"since,omitzero"`
	Tracks   []TrackView `json:"tracks,omitempty"`
	Bitrate  uint64      `json:"bitrate"`           // bits per second
	Readers  int         `json:"readers"`           // players, over RTSP, HTTP and WebRTC
	Viewers  any         `json:"viewers,omitempty"` // those over WebRTC, one by one; for administrators
	Health   live.Health `json:"health"`
	// LastError is why the last producer left.
	LastError string         `json:"lastError,omitempty"`
	Recording RecordingState `json:"recording"`
	Source    any            `json:"source,omitempty"`
	// Transcodes are the streams in other codecs that are made of it now.
	Transcodes any `json:"transcodes,omitempty"`
}

// TrackView is a track without its binary parameters.
type TrackView struct {
	ID          media.TrackID `json:"id"`
	Kind        media.Kind    `json:"kind"`
	Codec       media.Codec   `json:"codec"`
	CodecString string        `json:"codecString,omitempty"`
	Timescale   uint32        `json:"timescale"`
	Width       int           `json:"width,omitempty"`
	Height      int           `json:"height,omitempty"`
	SampleRate  int           `json:"sampleRate,omitempty"`
	Channels    int           `json:"channels,omitempty"`
}

// RecordingState sums the archive up.
type RecordingState struct {
	Bytes           int64     `json:"bytes"`
	Chunks          int64     `json:"chunks"`
	LastFragment    string    `json:"lastFragment,omitempty"`
	LastEnd         time.Time `json:"lastEnd,omitzero"`
	WaitingForStore int       `json:"waitingForStore"`
}

// viewer puts views together.
type viewer struct {
	hub        *live.Hub
	archive    *archive.Archive
	sources    Sources
	viewers    Viewers
	transcodes Transcodes // nil shows none
}

func (v *viewer) view(s Stream) (View, error) {
	out := View{ID: s.ID, Created: s.Created, Changed: s.Changed, Definition: s.Definition}
	if l, ok := v.hub.Lookup(string(s.ID)); ok {
		st := l.State()
		out.State = State{
			Online: st.Online, Producer: st.Producer, Remote: st.Remote, Since: st.Since,
			Bitrate: st.Bitrate, Readers: viewers(st), Health: st.Health, LastError: st.LastError,
		}
		for _, t := range st.Tracks {
			out.State.Tracks = append(out.State.Tracks, trackView(t))
		}
	}
	if v.viewers != nil {
		out.State.Readers += v.viewers.Viewers(string(s.ID))
	}
	if l, ok := v.viewers.(ViewerList); ok {
		out.State.Viewers = l.ViewerList(string(s.ID))
	}
	a, err := v.archive.Stream(s.ID)
	if err != nil {
		return out, err
	}
	st := a.Status()
	out.State.Recording = RecordingState{Bytes: st.Bytes, Chunks: st.Chunks, LastEnd: st.LastEnd, WaitingForStore: st.Spooled}
	if st.LastNumber > 0 {
		out.State.Recording.LastFragment = st.LastNumber.String()
	}
	if v.sources != nil {
		if src, ok := v.sources.SourceState(string(s.ID)); ok {
			out.State.Source = src
		}
	}
	if v.transcodes != nil {
		out.State.Transcodes = v.transcodes.TranscodeState(string(s.ID))
	}
	return out, nil
}

// viewFor is view for somebody: who may only play is not told where the
// others who watch are.
func (v *viewer) viewFor(s Stream, id auth.Identity) (View, error) {
	out, err := v.view(s)
	if !id.IsAdmin() {
		out.State.Viewers = nil
	}
	return out, err
}

// viewers counts the readers that are players: not the recorder, and not those
// that Viewers counts, or that read for others.
func viewers(st live.State) int {
	n := 0
	for _, r := range st.Readers {
		switch r.Name {
		case "recorder", "whep", "transcoder":
		default:
			n++
		}
	}
	return n
}

func trackView(t media.Track) TrackView {
	return TrackView{
		ID: t.ID, Kind: t.Kind(), Codec: t.Codec, CodecString: media.CodecString(t), Timescale: t.Timescale,
		Width: t.Width, Height: t.Height, SampleRate: t.SampleRate, Channels: t.Channels,
	}
}
