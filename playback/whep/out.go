package whep

import (
	"fmt"
	"sync"

	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// thinning is how much of the pictures is left out for a viewer.
type thinning uint8

const (
	whole     thinning = iota
	essential          // frames that nothing refers to are left out
	keysOnly           // all but key frames are left out
)

// out sends the samples of one track to a peer.
type out struct {
	sender *rtcpeer.Sender
	codec  media.Codec

	mu      sync.Mutex // guards the following
	packer  *packer
	thin    thinning
	floor   thinning // that no line is wide enough to lift
	broken  bool     // a frame was left out that others refer to: until the next key frame
	begun   bool
	top     media.Ticks // highest presentation time sent
	last    uint32      // timestamp sent last
	dropped uint64
	sent    uint64
	bytes   uint64 // offered, before anything was left out
}

// set changes the track of the samples that follow.
func (o *out) set(t media.Track) error {
	k, err := newPacker(t)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.packer == nil || o.packer.track.Timescale != t.Timescale {
		o.top = 0
	}
	o.packer = k
	return nil
}

// lost tells that samples are missing before the next.
func (o *out) lost() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = o.codec.Kind() == media.Video
}

// write sends a sample, or leaves it out.
func (o *out) write(s *media.Sample) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.packer == nil {
		return nil
	}
	o.bytes += uint64(len(s.Data))
	if o.codec.Kind() == media.Video && !o.passes(s) {
		o.dropped++
		return nil
	}
	packets, err := o.packer.pack(s)
	if err != nil {
		return fmt.Errorf("pack a sample: %w", err)
	}
	if len(packets) == 0 {
		return nil
	}
	rate := o.sender.ClockRate()
	at := uint32(uint64(s.PTS().Rescale(o.packer.track.Timescale, rate)))
	if o.begun && int32(at-o.last) <= 0 {
		at = o.last + 1
	}
	o.top = max(o.top, s.PTS())
	o.begun = true
	for _, p := range packets {
		p.Timestamp += at
	}
	o.last = packets[len(packets)-1].Timestamp
	o.sent++
	return o.sender.Write(packets, s.PTS().Time(o.packer.track.Timescale))
}

// passes decides about a picture. The caller holds the lock.
func (o *out) passes(s *media.Sample) bool {
	if s.Key {
		o.broken = false
		return true
	}
	if o.broken {
		return false
	}
	free := disposable(o.codec, s)
	thin := max(o.thin, o.floor)
	switch {
	case free && (s.PTS() < o.top || thin >= essential):
		return false
	case thin == keysOnly:
		o.broken = true
		return false
	case s.PTS() < o.top:
		// Browsers cannot put it where it belongs, and what refers to it cannot
		// do without: decoders of browsers fail on either.
		o.floor, o.broken = keysOnly, true
		return false
	}
	return true
}

// unorderly tells whether frames come in an order that leaves only key frames.
func (o *out) unorderly() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.floor == keysOnly
}

// setThin changes how much is left out.
func (o *out) setThin(t thinning) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.thin = t
}

// counts are those since the beginning.
func (o *out) counts() (sent, dropped, bytes uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent, o.dropped, o.bytes
}
