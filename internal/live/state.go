package live

import (
	"time"

	"weir/internal/media"
)

// State describes a stream for people, the API and metrics.
type State struct {
	Online     bool          `json:"online"` // there is a producer that has told its tracks
	Producer   string        `json:"producer,omitempty"`
	Remote     string        `json:"remote,omitempty"`
	Since      time.Time     `json:"since,omitzero"`
	Tracks     []media.Track `json:"tracks,omitempty"`
	Bytes      uint64        `json:"bytes"` // of this producer
	Samples    uint64        `json:"samples"`
	Bitrate    uint64        `json:"bitrate"` // bits per second, over the last seconds
	LastSample time.Time     `json:"lastSample,omitzero"`
	Readers    []ReaderState `json:"readers,omitempty"`
	Skipped    uint64        `json:"skipped"` // samples that slow readers missed, since start
	Health     Health        `json:"health"`
	LastError  string        `json:"lastError,omitempty"` // why the last producer went
	LastEnd    time.Time     `json:"lastEnd,omitzero"`    // when it went
}

// ReaderState describes a reader.
type ReaderState struct {
	Name        string `json:"name"`
	Note        string `json:"note,omitempty"` // what is done for it that is not done for others
	Queued      int    `json:"queued"`
	QueuedBytes int    `json:"queuedBytes"`
	Skipped     uint64 `json:"skipped"`
}

// State describes the stream at this moment.
func (s *Stream) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Tracks: s.tracks, Skipped: s.skipped, LastEnd: s.lastEnd}
	if s.lastErr != nil {
		st.LastError = s.lastErr.Error()
	}
	for _, r := range s.readers {
		rs := r.state()
		st.Skipped += rs.Skipped
		st.Readers = append(st.Readers, rs)
	}
	if p := s.pub; p != nil {
		st.Online = p.begun
		st.Producer, st.Remote, st.Since = p.opts.Kind, p.opts.Remote, p.since
		st.Bytes, st.Samples, st.LastSample = p.bytes, p.samples, p.newest
		st.Bitrate = p.rate.bits(s.clock.Now(), p.since)
		st.Health = p.health
	}
	return st
}
