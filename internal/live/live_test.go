package live

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"weir/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	video = media.Track{ID: 1, Codec: media.H264, Timescale: 90000, Config: []byte{1}}
	audio = media.Track{ID: 2, Codec: media.AAC, Timescale: 48000}
)

// drain takes everything that is queued now.
func drain(t interface{ Fatalf(string, ...any) }, r *Reader) []Event {
	var out []Event
	for {
		e, ok, err := r.pop()
		if err != nil {
			t.Fatalf("pop: %v", err)
		}
		if !ok {
			return out
		}
		out = append(out, e)
	}
}

func sample(track media.TrackID, dts media.Ticks, key bool, size int) *media.Sample {
	return &media.Sample{Track: track, DTS: dts, Key: key, Data: make([]byte, size), Received: time.Unix(100, 0)}
}

func TestBusyStreamNamesItsProducer(t *testing.T) {
	s := NewHub(Options{}).Stream("a")
	first, err := s.Publish(PublishOptions{Kind: "rtsp", Remote: "192.0.2.1:5"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Publish(PublishOptions{Kind: "whip"})
	var busy *BusyError
	if !errors.Is(err, ErrBusy) || !errors.As(err, &busy) || busy.Remote != "192.0.2.1:5" {
		t.Fatalf("got %v", err)
	}
	second, err := s.Publish(PublishOptions{Kind: "whip", Takeover: true})
	if err != nil {
		t.Fatal(err)
	}
	<-first.Gone()
	if err := first.SetTracks([]media.Track{video}); !errors.Is(err, ErrReplaced) {
		t.Fatalf("replaced producer got %v", err)
	}
	first.Close(nil)
	if err := second.SetTracks([]media.Track{video}); err != nil {
		t.Fatal(err)
	}
	if st := s.State(); !st.Online || st.Producer != "whip" {
		t.Fatalf("state %+v", st)
	}
}

func TestReaderSurvivesProducers(t *testing.T) {
	h := NewHub(Options{})
	s := h.Stream("a")
	r := s.Subscribe(ReaderOptions{Name: "r", NeedKey: true})
	cause := errors.New("cable pulled")
	for i := range 2 {
		p, err := s.Publish(PublishOptions{Kind: "rtsp"})
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range [][]media.Track{{video, audio}, {video, audio}} {
			if err := p.SetTracks(set); err != nil {
				t.Fatal(err)
			}
		}
		base := media.Ticks(1000 * (i + 1))
		for j, m := range []*media.Sample{sample(2, base, true, 1), sample(1, base, false, 1), sample(1, base+1, true, 1), sample(2, base+1, true, 1)} {
			if err := p.Write(m); err != nil {
				t.Fatal(j, err)
			}
		}
		if err := p.Write(sample(1, base, true, 1)); !errors.Is(err, ErrOrder) {
			t.Fatalf("sample out of order gave %v", err)
		}
		p.Close(cause)
	}
	got := drain(t, r)
	if len(got) != 8 {
		t.Fatalf("%d events: %+v", len(got), got)
	}
	for i := range 2 {
		e := got[4*i : 4*i+4]
		if !e[0].NewSession || len(e[0].Tracks) != 2 || e[1].Sample == nil || !e[1].Sample.Key || e[1].Sample.Track != 1 ||
			e[2].Sample == nil || !e[3].Ended || !errors.Is(e[3].Err, cause) {
			t.Fatalf("session %d: %+v", i, e)
		}
	}
	h.Drop("a")
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrDropped) {
		t.Fatalf("after drop: %v", err)
	}
	if _, err := s.Publish(PublishOptions{}); !errors.Is(err, ErrDropped) {
		t.Fatalf("publish after drop: %v", err)
	}
}

func TestDemand(t *testing.T) {
	s := NewHub(Options{}).Stream("a")
	n, changed := s.Demand()
	recorder := s.Subscribe(ReaderOptions{NoDemand: true})
	defer recorder.Close()
	select {
	case <-changed:
		t.Fatal("a recorder made demand")
	default:
	}
	r := s.Subscribe(ReaderOptions{})
	<-changed
	n2, changed := s.Demand()
	r.Close()
	<-changed
	n3, _ := s.Demand()
	if n != 0 || n2 != 1 || n3 != 0 {
		t.Fatalf("demand %d, %d, %d", n, n2, n3)
	}
}

// TestKeyRequests reach the producer of the moment, whoever asks.
func TestKeyRequests(t *testing.T) {
	s := NewHub(Options{}).Stream("a")
	s.RequestKey() // nobody produces
	asked := 0
	p, err := s.Publish(PublishOptions{OnKeyRequest: func() { asked++ }})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Subscribe(ReaderOptions{})
	defer r.Close()
	r.SetNote("thinned")
	s.RequestKey()
	r.RequestKey()
	p.Close(nil)
	s.RequestKey()
	if _, err := s.Publish(PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	s.RequestKey()
	if st := s.State(); asked != 2 || st.Readers[0].Note != "thinned" {
		t.Errorf("asked %d times, state %+v", asked, st.Readers)
	}
}

func TestNextWakes(t *testing.T) {
	s := NewHub(Options{}).Stream("a")
	r := s.Subscribe(ReaderOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	first, second := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		if e, err := r.Next(ctx); err != nil || e.Tracks == nil {
			t.Errorf("got %+v, %v", e, err)
		}
		close(first)
		if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(second)
		if _, err := r.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	p, _ := s.Publish(PublishOptions{})
	if err := p.SetTracks([]media.Track{video}); err != nil {
		t.Fatal(err)
	}
	<-first
	cancel()
	<-second
	r.Close()
	wg.Wait()
}

// TestSlowReader checks against everything that was written: a reader sees a
// subsequence in order, every hole is announced with its true size, and goes
// on at a key frame of the lead track with the tracks that were in force.
func TestSlowReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "samples")
		maxBytes := rapid.IntRange(1, 200).Draw(t, "bytes")
		s := NewHub(Options{}).Stream("a")
		r := s.Subscribe(ReaderOptions{MaxSamples: limit, MaxBytes: maxBytes})
		type written struct {
			m      *media.Sample
			tracks byte
		}
		var (
			log      []written
			version  byte
			pub      *Publisher
			dts      media.Ticks
			pos      int // in log: what the reader has been told of
			tracks   byte
			skipping bool
		)
		check := func(e Event) {
			switch {
			case e.Tracks != nil:
				tracks = e.Tracks[0].Config[0]
				skipping = skipping && !e.NewSession
			case e.Skipped > 0:
				pos += e.Skipped
				skipping = true
			case e.Sample != nil:
				if pos >= len(log) || log[pos].m != e.Sample {
					t.Fatalf("sample %v is not the one at %d of %d", e.Sample, pos, len(log))
				}
				if log[pos].tracks != tracks {
					t.Fatalf("reader holds tracks %d, sample was coded with %d", tracks, log[pos].tracks)
				}
				if skipping && (!e.Sample.Key || e.Sample.Track != 1) {
					t.Fatalf("after a hole comes %v", e.Sample)
				}
				skipping = false
				pos++
			}
		}
		set := func() {
			version++
			v := video
			v.Config = []byte{version}
			if err := pub.SetTracks([]media.Track{v, audio}); err != nil {
				t.Fatalf("set tracks: %v", err)
			}
		}
		begin := func() {
			pub, _ = s.Publish(PublishOptions{Takeover: true})
			set()
		}
		begin()
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				dts++
				m := sample(media.TrackID(rapid.IntRange(1, 2).Draw(t, "track")), dts, false, rapid.IntRange(0, 90).Draw(t, "size"))
				m.Key = m.Track == 2 || rapid.IntRange(0, 3).Draw(t, "key") == 0
				if err := pub.Write(m); err != nil {
					t.Fatalf("write: %v", err)
				}
				log = append(log, written{m, version})
			},
			"tracks":   func(*rapid.T) { set() },
			"takeover": func(*rapid.T) { begin() },
			"read": func(t *rapid.T) {
				if e, ok, _ := r.pop(); ok {
					check(e)
				}
			},
			"": func(t *rapid.T) {
				if r.n > limit+3 {
					t.Fatalf("%d events queued, limit %d", r.n, limit)
				}
				samples := 0
				for i := range r.n {
					if m := r.ring[(r.head+i)&(len(r.ring)-1)].sample; m != nil && len(m.Data) > 0 {
						samples++
					}
				}
				if r.bytes > maxBytes && samples > 1 {
					t.Fatalf("%d bytes queued, limit %d", r.bytes, maxBytes)
				}
			},
		})
		for _, e := range drain(t, r) {
			check(e)
		}
		if pos+r.owedSkip != len(log) {
			t.Fatalf("reader knows of %d samples and is owed %d, %d were written", pos, r.owedSkip, len(log))
		}
	})
}

func TestManyReadersRace(t *testing.T) {
	s := NewHub(Options{}).Stream("a")
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 8 {
		wg.Go(func() {
			for range 20 {
				r := s.Subscribe(ReaderOptions{MaxSamples: 8})
				for range 50 {
					if _, err := r.Next(ctx); err != nil {
						break
					}
				}
				r.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var dts media.Ticks
	for {
		select {
		case <-done:
			cancel()
			return
		default:
		}
		p, err := s.Publish(PublishOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.SetTracks([]media.Track{video}); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			dts++
			if err := p.Write(sample(1, dts, i%10 == 0, 10)); err != nil {
				t.Fatal(err)
			}
		}
		s.State()
		p.Close(nil)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, readers := range []int{1, 100} {
		b.Run(map[int]string{1: "1reader", 100: "100readers"}[readers], func(b *testing.B) {
			s := NewHub(Options{}).Stream("a")
			p, _ := s.Publish(PublishOptions{})
			if err := p.SetTracks([]media.Track{video}); err != nil {
				b.Fatal(err)
			}
			for range readers {
				defer s.Subscribe(ReaderOptions{MaxSamples: 64}).Close()
			}
			m := sample(1, 0, true, 10000)
			b.ReportAllocs()
			for b.Loop() {
				n := *m
				m = &n
				m.DTS++
				if err := p.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
