package segments

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/substructs"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/playback"
)

// tsClock is the clock of MPEG-TS, ticks per second; its times wrap at 33 bits.
const (
	tsClock = 90000
	tsMask  = 1<<33 - 1
)

// tsTrack writes the samples of one track.
type tsTrack struct {
	out   *mpegts.Track
	media media.Track
	sets  [][]byte // parameter sets to put before key frames that lack them
}

// TS returns the main tracks of a fragment as one MPEG-TS segment, starting
// with PAT and PMT. H.264, H.265, AAC and Opus can be carried.
func TS(ctx context.Context, s *archive.Stream, f *fragments.Fragment) ([]byte, error) {
	if err := playback.WithinBounds(ctx, f.Start, f.End()); err != nil {
		return nil, err
	}
	all, err := s.Tracks(f.Init)
	if err != nil {
		return nil, err
	}
	tracks, chosen, err := tsTracks(all)
	if err != nil {
		return nil, err
	}
	samples, err := gather(ctx, s, f, chosen)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := &mpegts.Writer{W: &buf}
	for i := range tracks {
		w.Tracks = append(w.Tracks, tracks[i].out)
	}
	if err := w.Initialize(); err != nil {
		return nil, fmt.Errorf("start mpeg-ts: %w", err)
	}
	for i := range samples {
		x := &samples[i]
		for j := range tracks {
			if tracks[j].media.ID == x.track.ID {
				if err := tracks[j].write(w, &x.Sample); err != nil {
					return nil, fmt.Errorf("write mpeg-ts, track %d: %w", x.track.ID, err)
				}
			}
		}
	}
	return buf.Bytes(), nil
}

// CanTS tells whether MPEG-TS can carry a track.
func CanTS(t media.Track) bool {
	switch t.Codec {
	case media.H264, media.H265, media.AAC, media.Opus:
		return true
	}
	return false
}

// tsTracks sets up the first video and the first audio track that fit.
func tsTracks(all []media.Track) ([]tsTrack, []media.Track, error) {
	var fit, chosen []media.Track
	for _, t := range all {
		if CanTS(t) {
			fit = append(fit, t)
		}
	}
	video, audio := MainTracks(fit)
	var out []tsTrack
	for _, t := range []*media.Track{video, audio} {
		if t == nil {
			continue
		}
		x, err := newTSTrack(*t)
		if err != nil {
			return nil, nil, err
		}
		out, chosen = append(out, x), append(chosen, *t)
	}
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("mpeg-ts: %w", ErrUnsupported)
	}
	return out, chosen, nil
}

func newTSTrack(t media.Track) (tsTrack, error) {
	x := tsTrack{media: t}
	switch t.Codec {
	case media.H264:
		p, err := media.ParseAVCConfig(t.Config)
		if err != nil {
			return x, fmt.Errorf("read parameter sets: %w", err)
		}
		x.sets = append(append(x.sets, p.SPS...), p.PPS...)
		x.out = &mpegts.Track{Codec: &codecs.H264{}}
	case media.H265:
		p, err := media.ParseHEVCConfig(t.Config)
		if err != nil {
			return x, fmt.Errorf("read parameter sets: %w", err)
		}
		x.sets = append(append(append(x.sets, p.VPS...), p.SPS...), p.PPS...)
		x.out = &mpegts.Track{Codec: &codecs.H265{}}
	case media.AAC:
		var c mpeg4audio.AudioSpecificConfig
		if err := c.Unmarshal(t.Config); err != nil {
			return x, fmt.Errorf("read AudioSpecificConfig: %w", err)
		}
		x.out = &mpegts.Track{Codec: &codecs.MPEG4Audio{Config: c}}
	case media.Opus:
		x.out = &mpegts.Track{Codec: &codecs.Opus{Desc: &substructs.OpusAudioDescriptor{ChannelConfigCode: uint8(t.Channels)}}}
	}
	return x, nil
}

var errLength = errors.New("NAL unit length exceeds the sample")

func (x *tsTrack) write(w *mpegts.Writer, s *fragments.Sample) error {
	dts := int64(s.DTS.Rescale(x.media.Timescale, tsClock))
	pts := int64(s.PTS().Rescale(x.media.Timescale, tsClock))
	dts, pts = dts&tsMask, pts&tsMask
	switch x.media.Codec {
	case media.AAC:
		return w.WriteMPEG4Audio(x.out, pts, [][]byte{s.Data})
	case media.Opus:
		return w.WriteOpus(x.out, pts, [][]byte{s.Data})
	}
	nals, err := splitNALs(s.Data)
	if err != nil || len(nals) == 0 {
		return err
	}
	if s.Key && !x.carriesSets(nals) {
		nals = append(append([][]byte(nil), x.sets...), nals...)
	}
	if x.media.Codec == media.H265 {
		return w.WriteH265(x.out, pts, dts, nals)
	}
	return w.WriteH264(x.out, pts, dts, nals)
}

// carriesSets tells whether an access unit has an SPS of its own.
func (x *tsTrack) carriesSets(nals [][]byte) bool {
	for _, n := range nals {
		if x.media.Codec == media.H264 && n[0]&0x1f == 7 || x.media.Codec == media.H265 && n[0]>>1&0x3f == 33 {
			return true
		}
	}
	return false
}

// splitNALs takes an access unit apart at its 4-byte lengths. Empty NAL units
// are left out.
func splitNALs(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, errLength
		}
		n := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(n) > uint64(len(b)) {
			return nil, errLength
		}
		if n > 0 {
			out = append(out, b[:n])
		}
		b = b[n:]
	}
	return out, nil
}
