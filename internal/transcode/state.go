package transcode

import (
	"slices"
	"strings"
	"time"

	"weir/internal/live"
	"weir/internal/media"
)

// State describes a derived stream.
type State struct {
	Stream  string             `json:"-"`
	Audio   media.Codec        `json:"audio,omitempty"` // what was asked for
	Video   media.Codec        `json:"video,omitempty"`
	Since   time.Time          `json:"since"`
	Readers []live.ReaderState `json:"readers"` // for whom
	Tracks  []TrackState       `json:"tracks"`
}

// TrackState describes one track that is transcoded, or cannot be.
type TrackState struct {
	ID       media.TrackID `json:"id"`
	From     media.Codec   `json:"from"`
	To       media.Codec   `json:"to"`
	In       uint64        `json:"samplesIn"`
	Out      uint64        `json:"samplesOut"`
	Damaged  uint64        `json:"damaged,omitempty"`
	Dropped  uint64        `json:"dropped,omitempty"`
	Restarts uint64        `json:"restarts,omitempty"`
	CPU      float64       `json:"cpuSeconds"`
	Error    string        `json:"error,omitempty"`
}

// States describes the derived streams of a stream, or of all for an empty id.
func (s *Streams) States(streamID string) []State {
	s.mu.Lock()
	var found []*derived
	for k, d := range s.mu.derived {
		if streamID == "" || k.source.ID() == streamID {
			found = append(found, d)
		}
	}
	s.mu.Unlock()
	out := make([]State, 0, len(found))
	for _, d := range found {
		out = append(out, d.state())
	}
	slices.SortFunc(out, func(a, b State) int {
		return strings.Compare(a.Stream+"/"+string(a.Audio)+"/"+string(a.Video), b.Stream+"/"+string(b.Audio)+"/"+string(b.Video))
	})
	return out
}

// Totals are the counts of all.
type Totals struct {
	Derived  int    // streams
	Video    int    // video transcodes, running or reserved
	MaxVideo int    // their bound
	Refused  uint64 // subscriptions over the bound
}

// Totals returns the counts of all.
func (s *Streams) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Totals{Derived: len(s.mu.derived), Video: s.mu.video, MaxVideo: max(s.opts.MaxVideo, 0), Refused: s.mu.refused}
}

func (d *derived) state() State {
	st := State{
		Stream: d.out.ID(), Audio: d.key.audio, Video: d.key.video, Since: d.since, Readers: d.out.State().Readers,
		Tracks: []TrackState{},
	}
	source := d.key.source.Tracks()
	d.mu.Lock()
	jobs, failed := d.mu.jobs, d.mu.failed
	d.mu.Unlock()
	for _, t := range source {
		x := TrackState{ID: t.ID, From: t.Codec, To: wish(t, d.key.audio, d.key.video), Error: failed[t.ID]}
		if j := jobs[t.ID]; j != nil {
			n := j.Stats()
			x.In, x.Out, x.Damaged, x.Dropped, x.Restarts, x.Error = n.In, n.Out, n.Damaged, n.Dropped, n.Restarts, n.Error
			x.CPU = n.CPU.Seconds()
		}
		if jobs[t.ID] != nil || x.Error != "" {
			st.Tracks = append(st.Tracks, x)
		}
	}
	return st
}
