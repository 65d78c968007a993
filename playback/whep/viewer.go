package whep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// returnPatience is how long a producer that left may take to come back.
const returnPatience = 10 * time.Second

// readerName is that of every reader of a viewer.
const readerName = "whep"

// The ends of viewers that Weir decides.
var (
	errGone    = errors.New("the producer of the stream has gone")
	errChanged = errors.New("the stream has other codecs now; open a new session")
)

// readerOptions are those of a viewer: it may fall some seconds behind, and
// goes on at a key frame.
func readerOptions() live.ReaderOptions {
	return live.ReaderOptions{Name: readerName, NeedKey: true, MaxSamples: 512, MaxBytes: 16 << 20}
}

// viewer is one peer that watches.
type viewer struct {
	whep   *WHEP
	log    *slog.Logger
	peer   *rtcpeer.Peer
	plan   *plan
	remote string
	since  time.Time
	video  *out // nil without
	audio  *out

	reader *live.Reader
	roles  map[media.TrackID]*out // of the samples of the reader
	seen   bool                   // tracks came

	mu    sync.Mutex // guards the following
	layer *layered   // the smaller layer that is watched, or nil
	note  string
	step  int
}

// newViewer makes the senders of a plan; key frames that the peer asks for are
// asked of the stream.
func (w *WHEP) newViewer(p *plan, reader *live.Reader, remote string) *viewer {
	v := &viewer{whep: w, plan: p, reader: reader, remote: remote, since: time.Now(), log: w.log().With("stream", p.stream.ID(), "remote", remote)}
	p.makeSenders(v.requestKey)
	if p.videoS != nil {
		v.video = &out{sender: p.videoS, codec: p.videoCodec()}
		if p.keysOnly {
			v.video.floor = keysOnly
		}
	}
	if p.audioS != nil {
		v.audio = &out{sender: p.audioS, codec: p.audioCodec()}
	}
	v.tell()
	return v
}

// requestKey asks for a key frame of what the viewer watches.
func (v *viewer) requestKey() {
	v.mu.Lock()
	r := v.reader
	if v.layer != nil {
		r = v.layer.reader
	}
	v.mu.Unlock()
	r.RequestKey()
}

// requestWhole asks for one of the stream itself.
func (v *viewer) requestWhole() {
	v.mu.Lock()
	r := v.reader
	v.mu.Unlock()
	r.RequestKey()
}

// run plays until the peer or the stream ends.
func (v *viewer) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-v.peer.Closing():
		case <-ctx.Done():
		}
		cancel()
	}()
	select {
	case <-v.peer.Connected():
	case <-v.peer.Closing():
		v.reader.Close()
		<-v.peer.Done()
		return
	}
	err := v.renew()
	var wg sync.WaitGroup
	if err == nil {
		if v.video != nil {
			wg.Go(func() { v.control(ctx) })
		}
		err = v.play(ctx)
	}
	if ctx.Err() != nil {
		err = nil // the peer said why
	}
	cancel()
	wg.Wait()
	v.stopLayer()
	v.reader.Close()
	v.peer.Close(err)
	<-v.peer.Done()
	sent, dropped := uint64(0), uint64(0)
	if v.video != nil {
		sent, dropped, _ = v.video.counts()
	}
	v.log.Debug("a WebRTC viewer left", "after", time.Since(v.since).Round(time.Second), "frames", sent, "dropped", dropped, "err", v.peer.Err())
}

// play sends samples as they come.
func (v *viewer) play(ctx context.Context) error {
	v.requestWhole()
	away := false
	for {
		e, err := v.next(ctx, away)
		switch {
		case err != nil:
			return err
		case e.Sample != nil:
			if o := v.roles[e.Sample.Track]; o != nil && (o != v.video || !v.inLayer(e.Sample)) {
				v.send(o, e.Sample)
			}
		case e.Skipped > 0:
			if v.video != nil {
				v.video.lost()
			}
		case e.Ended:
			away = true
		case e.Tracks != nil:
			away = false
			if err := v.assign(e.Tracks); err != nil {
				return err
			}
		}
	}
}

// send writes a sample. What cannot be packed is left out.
func (v *viewer) send(o *out, s *media.Sample) {
	if err := o.write(s); err != nil && !errors.Is(err, rtcpeer.ErrClosed) {
		v.log.Debug("a sample was not sent", "track", s.Track, "err", err)
	}
}

// renew forgets what was queued while the peer connected: it is old.
func (v *viewer) renew() error {
	r, err := v.whep.subscribe(v.plan, readerOptions())
	if err != nil {
		return err
	}
	v.mu.Lock()
	old := v.reader
	v.reader = r
	v.mu.Unlock()
	old.Close()
	v.tell()
	return nil
}

// next gets an event; a producer that left must come back soon.
func (v *viewer) next(ctx context.Context, away bool) (live.Event, error) {
	if !away {
		return v.reader.Next(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	e, err := v.reader.Next(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = errGone
	}
	return e, err
}

// assign finds the tracks of the viewer among those of the stream. Another
// picture size goes on in the session; another codec does not.
func (v *viewer) assign(tracks []media.Track) error {
	v.roles = map[media.TrackID]*out{}
	for _, x := range []struct {
		o    *out
		kind media.Kind
	}{{v.video, media.Video}, {v.audio, media.Audio}} {
		if x.o == nil {
			continue
		}
		found := false
		for _, t := range tracks {
			if t.Kind() != x.kind {
				continue
			}
			if t.Codec != x.o.codec {
				return fmt.Errorf("%w: %s instead of %s", errChanged, t.Codec, x.o.codec)
			}
			if err := x.o.set(t); err != nil {
				return err
			}
			v.roles[t.ID] = x.o
			found = true
			break
		}
		if !found && x.kind == media.Video {
			return fmt.Errorf("%w: there are no pictures", errChanged)
		}
	}
	v.seen = true
	return nil
}

// tell puts the note together and shows it.
func (v *viewer) tell() {
	v.mu.Lock()
	defer v.mu.Unlock()
	notes := append([]string(nil), v.plan.notes...)
	if v.layer != nil {
		notes = append(notes, "the line is narrow: layer "+v.layer.name())
	}
	switch v.thinned() {
	case essential:
		notes = append(notes, "the line is narrow: frames that nothing refers to are left out")
	case keysOnly:
		notes = append(notes, "the line is narrow: key frames only")
	}
	v.note = strings.Join(notes, "; ")
	v.reader.SetNote(v.note)
}

// control judges the line and sends more or less.
func (v *viewer) control(ctx context.Context) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	var l line
	_, _, before := v.video.counts()
	rate := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v.noteOrder()
		_, _, now := v.video.counts()
		rate += (float64(now-before)*8/judgeEvery.Seconds() - rate) / 4
		before = now
		layers := v.layers()
		l.steps = len(layers) + int(keysOnly)
		full := max(uint64(rate), v.bitrate(v.plan.stream.ID()))
		step := l.judge(time.Now(), v.peer.Estimate(), full, v.needs(layers, uint64(rate)), v.plan.videoS.Loss())
		v.apply(ctx, step, layers)
	}
}

// noteOrder remembers of a stream what only showed while it was played, for the
// viewers that come.
func (v *viewer) noteOrder() {
	if !v.video.unorderly() || v.plan.toVideo != "" {
		return
	}
	v.mu.Lock()
	known := v.plan.keysOnly
	if !known {
		v.plan.keysOnly = true
		note := unorderlyNote
		if v.whep.Transcoder != nil {
			note = "frames refer to B-frames: key frames only; a new session gets them transcoded"
		}
		v.plan.notes = append(v.plan.notes, note)
	}
	v.mu.Unlock()
	if !known {
		v.whep.remember(verdictKey(v.plan.stream, *v.plan.video), needsReorder)
		v.tell()
	}
}

// layers are the smaller layers of what the viewer watches.
func (v *viewer) layers() []string {
	if v.plan.toVideo != "" || v.whep.Hub == nil {
		return nil
	}
	return v.plan.stream.Layers()
}

// bitrate is what a stream of the hub has now.
func (v *viewer) bitrate(id string) uint64 {
	if v.whep.Hub == nil {
		return 0
	}
	s, ok := v.whep.Hub.Lookup(id)
	if !ok {
		return 0
	}
	return s.State().Bitrate
}

// needs is the bitrate of the present step.
func (v *viewer) needs(layers []string, rate uint64) uint64 {
	v.mu.Lock()
	step := v.step
	v.mu.Unlock()
	if step > 0 && step <= len(layers) {
		return v.bitrate(layers[step-1])
	}
	if step > len(layers) {
		return rate / 4 // what is left is small beside what is left out
	}
	return rate
}

// apply takes a step: layers first, then frames.
func (v *viewer) apply(ctx context.Context, step int, layers []string) {
	v.mu.Lock()
	same := step == v.step && (v.layer == nil || !v.layer.ended())
	v.step = step
	v.mu.Unlock()
	if same {
		return
	}
	n := min(step, len(layers))
	v.video.setThin(thinning(step - n))
	if n == 0 {
		v.leaveLayer()
	} else {
		v.takeLayer(ctx, layers[n-1])
	}
	if step == 0 || n > 0 {
		v.requestKey()
	}
	v.tell()
}

// thinned is what the present step leaves out. The caller holds the lock.
func (v *viewer) thinned() thinning {
	if v.video == nil {
		return whole
	}
	v.video.mu.Lock()
	defer v.video.mu.Unlock()
	return v.video.thin
}
