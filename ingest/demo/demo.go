// Package demo is the camera of `weir serve --demo`: it publishes a short clip
// again and again over RTSP, through the same listener, authentication and
// path as any camera.
//
// It is not a test fixture, and nothing treats its stream in a special way.
// camera.mkv was made with ffmpeg from its own test picture and tone: 12 s of
// H.264 at 640×360 and 25 frames a second, a key frame each second, and AAC.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"weir/fragments/mkv"
	"weir/internal/media"
)

//go:embed camera.mkv
var camera []byte

// Rates of the clip.
const (
	frameTicks = 90000 / 25
	audioTicks = 1024
)

// restart is the pause after the connection was lost.
const restart = 2 * time.Second

// clip is the decoded file.
type clip struct {
	video *format.H264
	audio *format.MPEG4Audio
	// access units, in order
	pictures [][][]byte
	sounds   [][]byte
}

// Run publishes to address, which holds the credentials, until ctx ends.
func Run(ctx context.Context, address string, log *slog.Logger) error {
	c, err := load()
	if err != nil {
		return fmt.Errorf("load the demo clip: %w", err)
	}
	for ctx.Err() == nil {
		if err := c.publish(ctx, address); err != nil && ctx.Err() == nil {
			log.Warn("the demo camera lost its connection", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(restart):
		}
	}
	return nil
}

// load reads the embedded file.
func load() (*clip, error) {
	c := &clip{}
	r := mkv.NewReader(bytes.NewReader(camera))
	var sound uint64
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		switch e := e.(type) {
		case mkv.Tracks:
			for i := range e {
				if err := c.addTrack(&e[i]); err != nil {
					return nil, err
				}
				if e[i].CodecID == "A_AAC" {
					sound = e[i].Number
				}
			}
		case mkv.Block:
			for _, f := range e.Frames {
				if e.Track == sound {
					c.sounds = append(c.sounds, f)
				} else {
					c.pictures = append(c.pictures, split(f))
				}
			}
		}
	}
}

func (c *clip) addTrack(e *mkv.TrackEntry) error {
	switch e.CodecID {
	case "V_MPEG4/ISO/AVC":
		p, err := media.ParseAVCConfig(e.CodecPrivate)
		if err != nil {
			return err
		}
		c.video = &format.H264{PayloadTyp: 96, SPS: p.SPS[0], PPS: p.PPS[0], PacketizationMode: 1}
	case "A_AAC":
		var config mpeg4audio.AudioSpecificConfig
		if err := config.Unmarshal(e.CodecPrivate); err != nil {
			return err
		}
		c.audio = &format.MPEG4Audio{PayloadTyp: 97, Config: &config, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	}
	return nil
}

// split takes an access unit apart; the embedded file is sound.
func split(b []byte) [][]byte {
	var out [][]byte
	for len(b) >= 4 {
		n := int(binary.BigEndian.Uint32(b))
		out = append(out, b[4:4+n])
		b = b[4+n:]
	}
	return out
}

// publish keeps one RTSP session until it fails or ctx ends.
func (c *clip) publish(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("the address of the demo stream is malformed")
	}
	video := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{c.video}}
	audio := &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{c.audio}}
	tcp := gortsplib.ProtocolTCP
	client := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &tcp}
	desc := &description.Session{Medias: []*description.Media{video, audio}}
	if err := client.StartRecording(address, desc); err != nil {
		return err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, client.Close)
	defer stop()
	pictures, err := c.video.CreateEncoder()
	if err != nil {
		return err
	}
	sounds, err := c.audio.CreateEncoder()
	if err != nil {
		return err
	}
	send := func(m *description.Media, packets []*rtp.Packet, at uint32, ntp time.Time) error {
		for _, p := range packets {
			p.Timestamp += at
			if err := client.WritePacketRTPWithNTP(m, p, ntp); err != nil {
				return err
			}
		}
		return nil
	}
	start := time.Now()
	heard := 0
	for frame := 0; ; frame++ {
		at := start.Add(time.Duration(frame) * frameTicks * time.Second / 90000)
		if d := time.Until(at); d > 0 {
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return nil
			}
		}
		packets, err := pictures.Encode(c.pictures[frame%len(c.pictures)])
		if err == nil {
			err = send(video, packets, uint32(frame*frameTicks), at)
		}
		rate := c.audio.Config.SampleRate
		for ; err == nil && heard*audioTicks*25 < (frame+1)*rate; heard++ {
			if packets, err = sounds.Encode([][]byte{c.sounds[heard%len(c.sounds)]}); err == nil {
				err = send(audio, packets, uint32(heard*audioTicks), start.Add(time.Duration(heard)*audioTicks*time.Second/time.Duration(rate)))
			}
		}
		if err != nil {
			return err
		}
	}
}
