package whep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcpeer"
	"weir/internal/server"
)

// Transcoder gives a stream in other codecs.
type Transcoder interface {
	// Subscribe reads a stream like live.Stream.Subscribe, with its sound and
	// pictures in the codecs named; "" leaves them as they are. The reader is
	// closed like any other. An error says why it cannot be done.
	Subscribe(s *live.Stream, audio, video media.Codec, o live.ReaderOptions) (*live.Reader, error)
}

// Times of the beginning of a session.
const (
	// trackPatience is how long the tracks of a source that starts are waited
	// for.
	trackPatience = 10 * time.Second
	// probeTime is how long a stream that may reorder frames is looked at, and
	// probeFrames how many frames, before it is decided whether its B-frames can
	// be left out.
	probeTime   = 2 * time.Second
	probeFrames = 24
	// maxVerdicts bounds what is remembered of streams that were looked at.
	maxVerdicts = 1024
)

// plan is what a viewer gets of a stream.
type plan struct {
	stream         *live.Stream
	tracks         []media.Track // of the stream
	video, audio   *media.Track  // as they are produced, nil for none
	toVideo        media.Codec   // what it is transcoded to, "" for as it is
	toAudio        media.Codec
	keysOnly       bool // of the pictures only key frames can be sent
	notes          []string
	senders        []*rtcpeer.Sender
	videoS, audioS *rtcpeer.Sender
}

// unorderlyNote is what viewers are told of a stream that browsers cannot play.
const unorderlyNote = "frames refer to B-frames, which browsers cannot show and Weir cannot transcode here: key frames only"

// videoCodec and audioCodec are what the viewer gets.
func (p *plan) videoCodec() media.Codec { return orElse(p.toVideo, p.video) }
func (p *plan) audioCodec() media.Codec { return orElse(p.toAudio, p.audio) }

func orElse(c media.Codec, t *media.Track) media.Codec {
	if c == "" && t != nil {
		return t.Codec
	}
	return c
}

// takes tells what a peer can get.
type takes func(c media.Codec) bool

// fromOffer is what the sections of an offer take.
func fromOffer(d *rtcpeer.Description) takes {
	return func(c media.Codec) bool {
		return slices.ContainsFunc(d.Sections, func(s rtcpeer.Section) bool {
			return s.Receives && !s.Rejected && s.Kind == c.Kind() && s.Offers(c)
		})
	}
}

// awaitTracks waits for the tracks of a stream that is produced, or will be.
// The reader that it returns is demand for a source on demand, until the
// session has its own.
func (w *WHEP) awaitTracks(ctx context.Context, t Target) ([]media.Track, *live.Reader, error) {
	if !t.Pulled && t.Live.State().Producer == "" {
		return nil, nil, server.NotFound("nobody publishes this stream now; recordings play over HLS, DASH and RTSP")
	}
	r := t.Live.Subscribe(live.ReaderOptions{Name: readerName})
	ctx, cancel := context.WithTimeout(ctx, trackPatience)
	defer cancel()
	for {
		e, err := r.Next(ctx)
		if err != nil {
			r.Close()
			return nil, nil, server.NotFound("the source of this stream gives no pictures; its state tells why")
		}
		if e.Tracks != nil {
			return e.Tracks, r, nil
		}
	}
}

// plan decides what a viewer gets. An error is an rtcpeer.ErrNoCodec.
func (w *WHEP) plan(ctx context.Context, t Target, can takes, r *live.Reader, tracks []media.Track) (*plan, error) {
	p := &plan{stream: t.Live, tracks: tracks}
	for i := range tracks {
		switch k := tracks[i].Kind(); {
		case k == media.Video && p.video == nil:
			p.video = &tracks[i]
		case k == media.Audio && p.audio == nil:
			p.audio = &tracks[i]
		}
	}
	if p.video != nil {
		w.planVideo(ctx, p, can, r)
	}
	if p.audio != nil {
		w.planAudio(p, can)
	}
	if p.video == nil && p.audio == nil {
		return nil, fmt.Errorf("%w: %s", rtcpeer.ErrNoCodec, strings.Join(append(p.notes, "nothing of the stream can be sent"), "; "))
	}
	return p, nil
}

// planVideo decides about the pictures.
func (w *WHEP) planVideo(ctx context.Context, p *plan, can takes, r *live.Reader) {
	codec := p.video.Codec
	direct := carried(codec) && can(codec)
	why := "the viewer does not take " + string(codec)
	if direct && reorders(*p.video) {
		switch w.verdict(ctx, p.stream, *p.video, r) {
		case needsReorder:
			if w.Transcoder == nil || !can(media.VP8) {
				p.keysOnly = true
				p.notes = append(p.notes, unorderlyNote)
				return
			}
			direct, why = false, "frames refer to B-frames"
		case dropsSuffice:
			p.notes = append(p.notes, "B-frames are left out")
			return
		}
	}
	if direct {
		return
	}
	if w.Transcoder != nil && can(media.VP8) {
		p.toVideo = media.VP8
		p.notes = append(p.notes, fmt.Sprintf("pictures are transcoded from %s to vp8: %s", codec, why))
		return
	}
	p.notes = append(p.notes, fmt.Sprintf("no pictures: %s, and they cannot be transcoded here", why))
	p.video = nil
}

// planAudio decides about the sound.
func (w *WHEP) planAudio(p *plan, can takes) {
	codec := p.audio.Codec
	fits := carried(codec) && can(codec)
	if codec == media.PCMU || codec == media.PCMA {
		fits = fits && p.audio.SampleRate == 8000 && p.audio.Channels <= 1
	}
	if fits {
		return
	}
	if w.Transcoder != nil && can(media.Opus) {
		p.toAudio = media.Opus
		p.notes = append(p.notes, fmt.Sprintf("sound is transcoded from %s to opus", codec))
		return
	}
	p.notes = append(p.notes, fmt.Sprintf("no sound: the viewer does not take %s, and it cannot be transcoded here", codec))
	p.audio = nil
}

// carried tells whether WebRTC carries a codec at all.
func carried(c media.Codec) bool {
	switch c {
	case media.H264, media.H265, media.AV1, media.VP8, media.VP9, media.Opus, media.PCMU, media.PCMA:
		return true
	}
	return false
}

// subscribe opens the reader of a plan. When the transcoder refuses, what it
// was to transcode is left out.
func (w *WHEP) subscribe(p *plan, o live.ReaderOptions) (*live.Reader, error) {
	if p.toVideo == "" && p.toAudio == "" {
		return p.stream.Subscribe(o), nil
	}
	audio := p.toAudio
	r, err := w.Transcoder.Subscribe(p.stream, audio, p.toVideo, o)
	if err == nil {
		return r, nil
	}
	p.notes = append(p.notes, fmt.Sprintf("cannot be transcoded: %v", err))
	if p.toVideo != "" {
		p.video, p.toVideo = nil, ""
	}
	if p.toAudio != "" && audio != "" {
		// Perhaps it was the pictures that could not be done.
		if r, err := w.Transcoder.Subscribe(p.stream, audio, "", o); err == nil {
			return r, nil
		}
		p.audio, p.toAudio = nil, ""
	}
	if p.video == nil && p.audio == nil {
		return nil, fmt.Errorf("%w: %s", rtcpeer.ErrNoCodec, strings.Join(p.notes, "; "))
	}
	return p.stream.Subscribe(o), nil
}

// makeSenders makes the tracks that the peer gets.
func (p *plan) makeSenders(onKey func()) {
	if p.video != nil {
		o := rtcpeer.SenderOptions{Codec: p.videoCodec(), Group: "weir", OnKey: onKey}
		if p.toVideo == "" {
			o.Profile = profile(*p.video)
		}
		p.videoS = rtcpeer.NewSender(o)
		p.senders = append(p.senders, p.videoS)
	}
	if p.audio != nil {
		p.audioS = rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: p.audioCodec(), Group: "weir"})
		p.senders = append(p.senders, p.audioS)
	}
}

// verdict is what a look at a stream's frames showed.
type verdict uint8

const (
	inOrder      verdict = iota // frames come as they are shown
	dropsSuffice                // they do when those are left out that nothing refers to
	needsReorder                // they do not even then
)

// verdict looks at the frames of a stream, once for each of its forms.
func (w *WHEP) verdict(ctx context.Context, s *live.Stream, t media.Track, r *live.Reader) verdict {
	key := verdictKey(s, t)
	w.mu.Lock()
	v, ok := w.verdicts[key]
	w.mu.Unlock()
	if ok {
		return v
	}
	v, sure := look(ctx, t, r)
	if sure {
		w.remember(key, v)
	}
	return v
}

func verdictKey(s *live.Stream, t media.Track) string { return s.ID() + "\x00" + string(t.Config) }

func (w *WHEP) remember(key string, v verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verdicts == nil || len(w.verdicts) >= maxVerdicts {
		w.verdicts = map[string]verdict{}
	}
	w.verdicts[key] = v
}

// look reads some frames. It is sure when it saw enough of them.
func look(ctx context.Context, t media.Track, r *live.Reader) (verdict, bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	v := inOrder
	var top media.Ticks
	for frames := 0; frames < probeFrames; {
		e, err := r.Next(ctx)
		if err != nil {
			return v, frames >= probeFrames/2 || !errors.Is(err, context.DeadlineExceeded)
		}
		if e.Sample == nil || e.Sample.Track != t.ID {
			continue
		}
		frames++
		switch pts := e.Sample.PTS(); {
		case pts >= top:
			top = pts
		case disposable(t.Codec, e.Sample):
			v = max(v, dropsSuffice)
		default:
			return needsReorder, true
		}
	}
	return v, true
}
