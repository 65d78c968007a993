package live

import (
	"fmt"
	"slices"
	"time"

	"weir/internal/media"
)

// Publisher is the producer's hold on a stream. Its methods never wait for a
// reader. The stream's lock guards its fields.
type Publisher struct {
	stream  *Stream
	opts    PublishOptions
	since   time.Time
	begun   bool // tracks were set once
	err     error
	gone    chan struct{} // closed when it no longer produces
	last    [media.MaxTracks + 1]media.Ticks
	scale   [media.MaxTracks + 1]uint32
	lead    media.TrackID
	bytes   uint64
	samples uint64
	newest  time.Time
	rate    rate
	health  Health
}

// Health is what a producer tells about itself.
type Health struct {
	PacketsLost    uint64        `json:"packetsLost,omitempty"`    // RTP packets that never came
	UnitsDamaged   uint64        `json:"unitsDamaged,omitempty"`   // access units dropped because parts were missing or malformed
	ClockOffset    time.Duration `json:"clockOffset,omitempty"`    // the camera's clock less ours, when it is implausible
	RateError      float64       `json:"rateError,omitempty"`      // 0.19 if the camera's stamps run 19 % too fast, when corrected
	Reanchored     uint64        `json:"reanchored,omitempty"`     // timestamp jumps that were no gaps
	Warnings       []string      `json:"warnings,omitempty"`       // for people
	SenderReported bool          `json:"senderReported,omitempty"` // producer time comes from the camera's own clock
}

// SetTracks tells what the samples from now on are. Setting an equal set again
// costs nothing. Readers get the set in order with the samples.
func (p *Publisher) SetTracks(tracks []media.Track) error {
	if err := checkTracks(tracks); err != nil {
		return err
	}
	s := p.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if p.begun && media.EqualTracks(tracks, s.tracks) {
		return nil
	}
	fresh := !p.begun
	p.begun = true
	s.tracks = slices.Clone(tracks)
	p.scale = [media.MaxTracks + 1]uint32{}
	for _, t := range tracks {
		p.scale[t.ID] = t.Timescale
	}
	lead, _ := media.LeadTrack(tracks)
	p.lead = lead.ID
	for _, r := range s.readers {
		if !p.skips(r) {
			r.setTracks(s.tracks, fresh)
		}
	}
	return nil
}

// skips tells whether a reader gets nothing of the producer.
func (p *Publisher) skips(r *Reader) bool { return p.opts.Recorded && r.opts.Records }

func checkTracks(tracks []media.Track) error {
	if len(tracks) == 0 || len(tracks) > media.MaxTracks {
		return fmt.Errorf("%w: %d tracks, allowed are 1 to %d", ErrTracks, len(tracks), media.MaxTracks)
	}
	var seen [media.MaxTracks + 1]bool
	for _, t := range tracks {
		if t.ID == 0 || t.ID > media.MaxTracks || seen[t.ID] {
			return fmt.Errorf("%w: track id %d", ErrTracks, t.ID)
		}
		if t.Timescale == 0 {
			return fmt.Errorf("%w: track %d has no timescale", ErrTracks, t.ID)
		}
		seen[t.ID] = true
	}
	return nil
}

// Write hands a sample to all readers. The sample and its data belong to them
// from then on: nobody may change either. Decode times must rise strictly
// within a track.
func (p *Publisher) Write(m *media.Sample) error {
	s := p.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if m.Track == 0 || m.Track > media.MaxTracks || p.scale[m.Track] == 0 {
		return fmt.Errorf("%w: sample of track %d, which is not declared", ErrTracks, m.Track)
	}
	if m.DTS <= p.last[m.Track] {
		return fmt.Errorf("%w: track %d: dts %d does not follow %d", ErrOrder, m.Track, m.DTS, p.last[m.Track])
	}
	if m.Offset < 0 {
		return fmt.Errorf("%w: track %d: presented %d ticks before it is decoded", ErrOrder, m.Track, -m.Offset)
	}
	scale := p.scale[m.Track]
	end := m.DTS + 1
	if prev := p.last[m.Track]; prev != 0 && m.DTS-prev < media.Ticks(scale) {
		end = m.DTS + (m.DTS - prev)
	}
	s.end = max(s.end, end.Nanos(scale))
	p.last[m.Track] = m.DTS
	p.samples++
	p.bytes += uint64(len(m.Data))
	p.newest = m.Received
	p.rate.add(m.Received, len(m.Data))
	sync := m.Key && m.Track == p.lead
	for _, r := range s.readers {
		if !p.skips(r) {
			r.push(m, sync)
		}
	}
	return nil
}

// SetLayers names the streams in which the same pictures are published smaller,
// the largest first. Readers that cannot keep up may read one of them instead.
func (p *Publisher) SetLayers(ids []string) {
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	if p.err == nil {
		p.stream.layers = slices.Clone(ids)
	}
}

// SetHealth replaces what State tells about the producer.
func (p *Publisher) SetHealth(h Health) {
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	p.health = h
}

// Gone is closed when the publisher no longer produces: closed, replaced, or
// its stream dropped.
func (p *Publisher) Gone() <-chan struct{} { return p.gone }

// Err is nil while the publisher produces, then why it does not.
func (p *Publisher) Err() error {
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	return p.err
}

// Close ends the production; err says why, nil if it ends in order. Readers
// get an Ended event. Closing again does nothing.
func (p *Publisher) Close(err error) {
	s := p.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.err != nil {
		return
	}
	p.detachWith(ErrClosed, err)
	s.notify()
}

// detach ends the producer for a reason that both sides get. The caller holds
// the stream's lock.
func (p *Publisher) detach(err error) { p.detachWith(err, err) }

func (p *Publisher) detachWith(own, readers error) {
	s := p.stream
	p.err = own
	s.pub, s.tracks, s.layers = nil, nil, nil
	s.lastErr, s.lastEnd = readers, s.clock.Now()
	if p.begun {
		for _, r := range s.readers {
			r.ended(readers)
		}
	}
	close(p.gone)
}
