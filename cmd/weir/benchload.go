package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// What a synthetic camera sends: 720p at 25 pictures a second and 2 Mb/s, a
// key frame every two seconds, and AAC of 128 kb/s. Nobody decodes it, so the
// slices are noise; all that a server reads of them is right.
const (
	benchInterval = 40 * time.Millisecond
	benchGOP      = 50
	benchKeySize  = 60_000
	benchPSize    = 8_980
	benchAUSize   = 341
	benchRate     = 48000
	benchMark     = "weir-bench-mark:"
)

// benchCamera publishes over RTSP/TCP.
type benchCamera struct {
	client  *gortsplib.Client
	video   *description.Media
	audio   *description.Media
	enc     *rtph264.Encoder
	aenc    *rtpmpeg4audio.Encoder
	picture int
	sound   int // access units sent
}

// benchNoise is media that nobody decodes: no zero bytes, so no start codes.
func benchNoise(n int, head ...byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + rand.N(255))
	}
	copy(b, head)
	return b
}

// benchClip is shared by all cameras.
type benchClip struct {
	sps, pps, key, p, au []byte
}

func newBenchClip() benchClip {
	return benchClip{
		sps: []byte{0x67, 0x64, 0x00, 0x1f, 0xac, 0xb2, 0x00, 0xa0, 0x0b, 0x76, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00,
			0x20, 0x00, 0x00, 0x06, 0x41, 0xe3, 0x06, 0x49},
		pps: []byte{0x68, 0xeb, 0xc3, 0xcb, 0x22, 0xc0},
		key: benchNoise(benchKeySize, 0x65, 0x88), p: benchNoise(benchPSize, 0x41, 0x9a), au: benchNoise(benchAUSize),
	}
}

// dial connects a camera and begins to publish.
func (c *benchClip) dial(url string) (*benchCamera, error) {
	h264 := &format.H264{PayloadTyp: 96, SPS: c.sps, PPS: c.pps, PacketizationMode: 1}
	aac := &format.MPEG4Audio{PayloadTyp: 97, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
		Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: benchRate, ChannelConfig: 2}}
	cam := &benchCamera{
		video: &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{h264}},
		audio: &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{aac}},
	}
	var err error
	if cam.enc, err = h264.CreateEncoder(); err != nil {
		return nil, err
	}
	if cam.aenc, err = aac.CreateEncoder(); err != nil {
		return nil, err
	}
	tcp := gortsplib.ProtocolTCP
	cam.client = &gortsplib.Client{Protocol: &tcp}
	err = cam.client.StartRecording(url, &description.Session{Medias: []*description.Media{cam.video, cam.audio}})
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return cam, nil
}

// picture makes the n-th picture. An SEI message in it carries the time, for
// whoever measures how long it took.
func (c *benchClip) picture(n int) [][]byte {
	var nals [][]byte
	slice := c.p
	if n%benchGOP == 0 {
		nals, slice = append(nals, c.sps, c.pps), c.key
	}
	sei := append([]byte{6, 5, 16 + 19}, benchMark...)
	sei = append(fmt.Appendf(sei, "%019d", time.Now().UnixNano()), 0x80)
	return append(nals, sei, slice)
}

// send sends one picture, and the sound up to it.
func (cam *benchCamera) send(c *benchClip) error {
	pts := uint32(cam.picture * int(benchInterval/time.Millisecond) * 90)
	packets, err := cam.enc.Encode(c.picture(cam.picture))
	cam.picture++
	if err != nil {
		return err
	}
	for _, pkt := range packets {
		pkt.Timestamp = pts
		if err := cam.client.WritePacketRTP(cam.video, pkt); err != nil {
			return err
		}
	}
	for time.Duration(cam.sound*1024)*time.Second/benchRate < time.Duration(cam.picture)*benchInterval {
		packets, err := cam.aenc.Encode([][]byte{c.au})
		if err != nil {
			return err
		}
		packets[0].Timestamp = uint32(cam.sound * 1024)
		cam.sound++
		if err := cam.client.WritePacketRTP(cam.audio, packets[0]); err != nil {
			return err
		}
	}
	return nil
}

// benchMarks finds the times that pictures carry.
func benchMarks(b []byte, fn func(sent time.Time)) {
	for {
		i := bytes.Index(b, []byte(benchMark))
		if i < 0 || len(b) < i+len(benchMark)+19 {
			return
		}
		b = b[i+len(benchMark):]
		if ns, err := strconv.ParseInt(string(b[:19]), 10, 64); err == nil {
			fn(time.Unix(0, ns))
		}
	}
}

// benchLoad is many cameras, spread evenly over the interval of a picture.
type benchLoad struct {
	clip    benchClip
	cameras []*benchCamera
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	mu      sync.Mutex // guards err
	err     error
}

// startLoad connects n cameras and sends until stop.
func startLoad(ctx context.Context, n int, url func(i int) string) (*benchLoad, error) {
	l := &benchLoad{clip: newBenchClip()}
	for i := range n {
		cam, err := l.clip.dial(url(i))
		if err != nil {
			l.stop()
			return nil, fmt.Errorf("camera %d: %w", i, err)
		}
		l.cameras = append(l.cameras, cam)
	}
	ctx, l.cancel = context.WithCancel(ctx)
	l.wg.Go(func() {
		start := time.Now()
		for i := 0; ctx.Err() == nil; i++ {
			cam := l.cameras[i%n]
			time.Sleep(time.Until(start.Add(benchInterval * time.Duration(i) / time.Duration(n))))
			if err := cam.send(&l.clip); err != nil {
				l.mu.Lock()
				l.err = fmt.Errorf("camera %d: %w", i%n, err)
				l.mu.Unlock()
				return
			}
		}
	})
	return l, nil
}

// stop ends the cameras and tells what failed.
func (l *benchLoad) stop() error {
	if l.cancel != nil {
		l.cancel()
	}
	l.wg.Wait()
	for _, cam := range l.cameras {
		cam.client.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
