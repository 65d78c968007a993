package whep

import (
	"context"
	"strings"
	"sync"

	"weir/internal/live"
	"weir/internal/media"
)

// layered reads a smaller layer of the pictures for one viewer. Until its
// first key frame the viewer gets those of before.
type layered struct {
	id     string
	reader *live.Reader
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex // guards the following
	live  bool       // its pictures are sent
	over  bool
	leave bool // the pictures of the stream take over at their key frame
}

// name is the rid of the layer.
func (l *layered) name() string {
	_, rid, _ := strings.Cut(l.id, "~")
	return rid
}

func (l *layered) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// takeLayer begins to watch a layer.
func (v *viewer) takeLayer(ctx context.Context, id string) {
	v.mu.Lock()
	old := v.layer
	v.mu.Unlock()
	if old != nil && old.id == id && !old.ended() {
		return
	}
	v.stopLayer()
	s, ok := v.whep.Hub.Lookup(id)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	o := readerOptions()
	o.NoDemand = true
	l := &layered{id: id, reader: s.Subscribe(o), cancel: cancel, done: make(chan struct{})}
	v.mu.Lock()
	v.layer = l
	v.mu.Unlock()
	go func() {
		defer close(l.done)
		v.watch(ctx, l)
	}()
	l.reader.RequestKey()
}

// watch sends the pictures of a layer.
func (v *viewer) watch(ctx context.Context, l *layered) {
	defer l.reader.Close()
	defer func() {
		l.mu.Lock()
		l.live, l.over = false, true
		l.mu.Unlock()
		v.video.lost()
		v.requestWhole()
	}()
	var track media.Track
	for {
		e, err := l.reader.Next(ctx)
		switch {
		case err != nil, e.Ended:
			return
		case e.Tracks != nil:
			t, ok := media.LeadTrack(e.Tracks)
			if !ok || t.Codec != v.video.codec {
				return
			}
			track = t
			l.mu.Lock()
			begun := l.live
			l.mu.Unlock()
			if begun && v.video.set(track) != nil {
				return
			}
		case e.Skipped > 0:
			v.video.lost()
		case e.Sample != nil && e.Sample.Track == track.ID:
			l.mu.Lock()
			begins := !l.live && e.Sample.Key
			sends := l.live || begins
			l.live = sends
			l.mu.Unlock()
			if begins && v.video.set(track) != nil {
				return
			}
			if sends {
				v.send(v.video, e.Sample)
			}
		}
	}
}

// inLayer tells whether a layer's pictures are sent instead of those of the
// stream, and ends a layer that is to be left at the stream's key frame.
func (v *viewer) inLayer(s *media.Sample) bool {
	v.mu.Lock()
	l := v.layer
	v.mu.Unlock()
	if l == nil {
		return false
	}
	l.mu.Lock()
	back := l.leave && s.Key
	active := l.live
	l.mu.Unlock()
	if !back {
		return active
	}
	v.stopLayer()
	for _, t := range v.plan.stream.Tracks() {
		if t.ID == s.Track && v.video.set(t) != nil {
			return true
		}
	}
	return false
}

// leaveLayer goes back to the pictures of the stream at their next key frame.
func (v *viewer) leaveLayer() {
	v.mu.Lock()
	l := v.layer
	v.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	l.leave = true
	l.mu.Unlock()
	v.requestWhole()
}

// stopLayer ends the layer at once.
func (v *viewer) stopLayer() {
	v.mu.Lock()
	l := v.layer
	v.layer = nil
	v.mu.Unlock()
	if l != nil {
		l.cancel()
		<-l.done
	}
}
