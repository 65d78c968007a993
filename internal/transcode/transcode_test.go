package transcode_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/transcode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// camera publishes an H.264 and an AAC track, interleaved, looping.
type camera struct {
	t      *testing.T
	stream *live.Stream
	pub    *live.Publisher
	video  []*media.Sample
	audio  []*media.Sample
	tracks []media.Track
	loop   int
	keys   int
}

func newCamera(t *testing.T, id string) *camera {
	t.Helper()
	c := &camera{t: t, stream: live.NewHub(live.Options{}).Stream(id)}
	var v, a media.Track
	v, c.video = decodetest.Pictures(t, media.H264, 320, 240, 1)
	a, c.audio = decodetest.Sine(t, media.AAC, 2, 400, 1)
	c.tracks = []media.Track{v, a}
	return c
}

func (c *camera) publish() {
	c.t.Helper()
	var err error
	if c.pub, err = c.stream.Publish(live.PublishOptions{Kind: "test", Takeover: true, OnKeyRequest: func() { c.keys++ }}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.pub.SetTracks(c.tracks); err != nil {
		c.t.Fatal(err)
	}
}

// second writes a second of media.
func (c *camera) second() {
	c.t.Helper()
	shift := int64(c.loop) * int64(1100*time.Millisecond)
	c.loop++
	for i, v := range c.video {
		c.write(v, 90000, shift)
		for j := i * len(c.audio) / len(c.video); j < (i+1)*len(c.audio)/len(c.video); j++ {
			c.write(c.audio[j], 48000, shift)
		}
	}
}

func (c *camera) write(s *media.Sample, scale uint32, shift int64) {
	c.t.Helper()
	x := *s
	x.DTS += media.ToTicks(shift, scale)
	x.Received = time.Now()
	if err := c.pub.Write(&x); err != nil {
		c.t.Fatal(err)
	}
}

// harness is a transcoder over the real worker.
func harness(t *testing.T, o transcode.Options) (*transcode.Streams, *decode.Decoders) {
	t.Helper()
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	o.Decoder = d
	s := transcode.New(o)
	t.Cleanup(func() { s.Close(); d.Close() })
	return s, d
}

// next returns events until one fits.
func next(t *testing.T, r *live.Reader, what string, fits func(live.Event) bool) live.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		e, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if fits(e) {
			return e
		}
	}
}

func ofTrack(id media.TrackID) func(live.Event) bool {
	return func(e live.Event) bool { return e.Sample != nil && e.Sample.Track == id }
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come true", what)
		}
	}
}

// TestSoundIsSharedAndPicturesPass has two readers with the same wish.
func TestSoundIsSharedAndPicturesPass(t *testing.T) {
	s, d := harness(t, transcode.Options{Linger: 20 * time.Millisecond})
	c := newCamera(t, "a")
	var readers []*live.Reader
	for range 2 {
		r, err := s.Subscribe(c.stream, media.Opus, "", live.ReaderOptions{Name: "viewer", NeedKey: true, NoDemand: true})
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	until(t, "demand", func() bool { n, _ := c.stream.Demand(); return n == 1 })
	plain := c.stream.Subscribe(live.ReaderOptions{})
	defer plain.Close()
	c.publish()
	c.second()
	picture := next(t, plain, "a picture", ofTrack(1)).Sample
	for _, r := range readers {
		e := next(t, r, "tracks", func(e live.Event) bool { return e.Tracks != nil })
		if !e.NewSession || e.Tracks[0].Codec != media.H264 || e.Tracks[1].Codec != media.Opus || e.Tracks[1].ID != 2 || e.Tracks[1].Channels != 2 {
			t.Fatalf("tracks %+v", e.Tracks)
		}
		if got := next(t, r, "a picture", ofTrack(1)).Sample; got != picture {
			t.Error("pictures are copied")
		}
		first := next(t, r, "sound", ofTrack(2)).Sample
		want := c.audio[0].DTS - media.OpusPreSkip
		if first.DTS != want {
			t.Errorf("sound begins at %d, want %d", first.DTS, want)
		}
		for i := range 40 {
			if x := next(t, r, "sound", ofTrack(2)).Sample; x.DTS != want+media.Ticks(960*(i+1)) {
				t.Fatalf("packet %d is at %d", i+1, x.DTS)
			}
		}
	}
	st := s.States("a")
	if len(st) != 1 || len(st[0].Readers) != 2 || len(st[0].Tracks) != 1 || st[0].Tracks[0].To != media.Opus || st[0].Tracks[0].Out < 40 || st[0].Tracks[0].CPU <= 0 {
		t.Errorf("state %+v", st)
	}
	if d.Status().Workers != 1 || len(s.States("b")) != 0 {
		t.Errorf("%+v", d.Status())
	}
	for _, r := range readers {
		r.Close()
	}
	until(t, "the end of demand", func() bool { n, _ := c.stream.Demand(); return n == 1 && len(s.States("")) == 0 })
}

// TestProducersComeAndGo ends one producer and begins another with other
// tracks.
func TestProducersComeAndGo(t *testing.T) {
	s, _ := harness(t, transcode.Options{})
	c := newCamera(t, "a")
	r, err := s.Subscribe(c.stream, media.Opus, "", live.ReaderOptions{NeedKey: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	until(t, "demand", func() bool { n, _ := c.stream.Demand(); return n == 1 })
	c.publish()
	c.second()
	next(t, r, "sound", ofTrack(2))
	// The sound's parameters change within the session.
	mono, samples := decodetest.Sine(t, media.AAC, 1, 400, 1)
	c.tracks, c.audio = []media.Track{c.tracks[0], mono}, samples
	if err := c.pub.SetTracks(c.tracks); err != nil {
		t.Fatal(err)
	}
	c.second()
	e := next(t, r, "other tracks", func(e live.Event) bool { return e.Tracks != nil })
	if e.NewSession || e.Tracks[1].Channels != 1 {
		t.Errorf("%+v", e)
	}
	next(t, r, "sound", ofTrack(2))
	cause := errors.New("cable pulled")
	c.pub.Close(cause)
	if e := next(t, r, "the end", func(e live.Event) bool { return e.Ended }); !errors.Is(e.Err, cause) {
		t.Errorf("ended with %v", e.Err)
	}
	// The next producer sends Opus itself: it passes.
	opus, packets := decodetest.Sine(t, media.Opus, 2, 400, 1)
	c.tracks, c.audio = []media.Track{c.tracks[0], opus}, packets
	c.publish()
	c.second()
	if e := next(t, r, "tracks", func(e live.Event) bool { return e.Tracks != nil }); !e.NewSession || e.Tracks[1].Codec != media.Opus {
		t.Errorf("%+v", e)
	}
	if x := next(t, r, "sound", ofTrack(2)).Sample; string(x.Data) != string(packets[0].Data) {
		t.Error("Opus is coded anew")
	}
}

// TestVideoIsBounded asks for one transcode more than may run.
func TestVideoIsBounded(t *testing.T) {
	s, _ := harness(t, transcode.Options{MaxVideo: 1, Linger: 10 * time.Millisecond})
	a, b := newCamera(t, "a"), newCamera(t, "b")
	a.publish()
	b.publish()
	r, err := s.Subscribe(a.stream, "", media.VP8, live.ReaderOptions{NeedKey: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Subscribe(b.stream, "", media.VP8, live.ReaderOptions{}); !errors.Is(err, transcode.ErrTooMany) || !strings.Contains(err.Error(), "max-video-transcodes") {
		t.Errorf("got %v", err)
	}
	again, err := s.Subscribe(a.stream, "", media.VP8, live.ReaderOptions{})
	if err != nil {
		t.Fatalf("a second viewer of the same: %v", err)
	}
	again.Close()
	until(t, "a reader", func() bool { return len(a.stream.State().Readers) == 1 })
	a.second()
	for i, v := range a.video {
		if x := next(t, r, "a picture", ofTrack(1)).Sample; x.DTS != v.DTS || x.Key != (i == 0) {
			t.Fatalf("picture %d is %v", i, x)
		}
	}
	r.Close()
	until(t, "room", func() bool { return s.Totals().Video == 0 })
	if other, err := s.Subscribe(b.stream, "", media.VP8, live.ReaderOptions{}); err != nil {
		t.Error(err)
	} else {
		other.Close()
	}
	if s.Totals().Refused != 1 {
		t.Errorf("%+v", s.Totals())
	}
}

// TestTheLastFramesCome ends a producer: everything that it sent arrives, and a
// second viewer need not wait for the next key frame.
func TestTheLastFramesCome(t *testing.T) {
	s, _ := harness(t, transcode.Options{})
	c := newCamera(t, "a")
	c.publish()
	first, err := s.Subscribe(c.stream, media.Opus, media.VP8, live.ReaderOptions{NeedKey: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	until(t, "a reader", func() bool { return len(c.stream.State().Readers) == 1 })
	for _, v := range c.video[:5] {
		c.write(v, 90000, 0)
	}
	for range 5 {
		next(t, first, "a picture", ofTrack(1))
	}
	second, err := s.Subscribe(c.stream, media.Opus, media.VP8, live.ReaderOptions{NeedKey: true})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for _, v := range c.video[5:] {
		c.write(v, 90000, 0)
	}
	for _, a := range c.audio {
		c.write(a, 48000, 0)
	}
	c.pub.Close(nil)
	if x := next(t, second, "a picture", ofTrack(1)).Sample; !x.Key || x.DTS != c.video[5].DTS {
		t.Errorf("the second viewer begins with %v, sent was %v", x, c.video[5])
	}
	pictures, sound := 0, media.Ticks(0)
	next(t, second, "the end", func(e live.Event) bool {
		if e.Sample != nil && e.Sample.Track == 1 {
			pictures++
		} else if e.Sample != nil {
			sound = e.Sample.DTS
		}
		return e.Ended
	})
	if end := c.audio[len(c.audio)-1].DTS; pictures != len(c.video)-6 || sound < end {
		t.Errorf("%d pictures came, sound until %d of %d", pictures, sound, end)
	}
}

// TestKeyRequests go to the coder of pictures, or to the producer.
func TestKeyRequests(t *testing.T) {
	s, _ := harness(t, transcode.Options{})
	c := newCamera(t, "a")
	coded, err := s.Subscribe(c.stream, "", media.VP8, live.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer coded.Close()
	passed, err := s.Subscribe(c.stream, media.Opus, "", live.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	until(t, "demand", func() bool { n, _ := c.stream.Demand(); return n == 2 })
	c.publish()
	for _, v := range c.video[:5] {
		c.write(v, 90000, 0)
	}
	for range 5 {
		next(t, coded, "a picture", ofTrack(1))
	}
	next(t, passed, "a picture", ofTrack(1))
	coded.RequestKey()
	c.write(c.video[5], 90000, 0)
	if x := next(t, coded, "a picture", ofTrack(1)).Sample; !x.Key {
		t.Error("no key frame came")
	}
	if c.keys != 0 {
		t.Error("the producer was asked")
	}
	passed.RequestKey()
	if c.keys != 1 {
		t.Errorf("the producer was asked %d times", c.keys)
	}
}

// TestRemovedStreams end their derived streams.
func TestRemovedStreams(t *testing.T) {
	s, _ := harness(t, transcode.Options{})
	hub := live.NewHub(live.Options{})
	r, err := s.Subscribe(hub.Stream("a"), media.Opus, "", live.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hub.Drop("a")
	if _, err := r.Next(t.Context()); !errors.Is(err, live.ErrDropped) {
		t.Errorf("got %v", err)
	}
	until(t, "the end", func() bool { return len(s.States("")) == 0 })
	s.Close()
	if _, err := s.Subscribe(hub.Stream("b"), media.Opus, "", live.ReaderOptions{}); !errors.Is(err, transcode.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestNothingToDecodeWith refuses what needs it, and lets the rest pass.
func TestNothingToDecodeWith(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: "none", FFmpeg: "none"})
	if err != nil {
		t.Fatal(err)
	}
	s := transcode.New(transcode.Options{Decoder: d})
	defer s.Close()
	c := newCamera(t, "a")
	c.publish()
	if _, err := s.Subscribe(c.stream, media.Opus, "", live.ReaderOptions{}); !errors.Is(err, decode.ErrNone) {
		t.Errorf("got %v", err)
	}
	r, err := s.Subscribe(c.stream, media.AAC, media.H264, live.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}
