package archivetest

import (
	"context"
	"fmt"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// RawHead is what a producer of raw fragments says of Camera's tracks.
func RawHead() (*mkv.RawHead, error) {
	tracks := Tracks()
	for i := range tracks {
		tracks[i].Timescale = 1000
	}
	b, err := mkv.AppendTracks(nil, tracks)
	if err != nil {
		return nil, err
	}
	return &mkv.RawHead{EBML: mkv.AppendEBML(nil), Info: mkv.AppendInfo(nil, 0), Tracks: b}, nil
}

// RawCluster is one second of Camera's media as the content of a cluster, with
// its blocks.
func RawCluster(at time.Time) (content []byte, begin mkv.Cluster, blocks []mkv.Block) {
	begin.Timestamp = uint64(at.UnixMilli())
	content = mkv.AppendCluster(nil, begin.Timestamp, 0)[mkv.RawClusterHeadLen:]
	for ms := 0; ms < 1000; ms += 20 {
		for track := uint64(1); track <= 2; track++ {
			if track == 1 && ms%100 != 0 {
				continue
			}
			key := track == 2 || ms == 0
			data := payload(media.TrackID(track), media.Ticks(at.UnixMilli()+int64(ms)))
			content = mkv.AppendSimpleBlock(content, track, int16(ms), key, data)
			blocks = append(blocks, mkv.Block{Track: track, Timestamp: at.UnixMilli() + int64(ms), Key: key, Frames: [][]byte{data}})
		}
	}
	return content, begin, blocks
}

// RawCamera feeds seconds of media to a raw recorder, a fragment each, with
// tags that tell which it is.
func RawCamera(r *Rig, rec *archive.RawRecorder, start time.Time, seconds int) error {
	head, err := RawHead()
	if err != nil {
		return err
	}
	a := mkv.NewAssembler(0)
	entries := mkv.Tracks{
		{Number: 1, Type: 1, CodecID: "V_VP9", Width: 320, Height: 240},
		{Number: 2, Type: 2, CodecID: "A_OPUS", CodecPrivate: opusHead(), SampleRate: 48000, Channels: 1},
	}
	if err := a.SetTracks(mkv.Info{TimestampScale: mkv.TimestampScale}, entries); err != nil {
		return err
	}
	for i := range seconds {
		at := start.Add(time.Duration(i) * time.Second)
		r.Clock.Advance(at.Sub(r.Clock.Now()))
		if err := writeRaw(rec, a, head, at); err != nil {
			return err
		}
	}
	return nil
}

func writeRaw(rec *archive.RawRecorder, a *mkv.Assembler, head *mkv.RawHead, at time.Time) error {
	content, begin, blocks := RawCluster(at)
	if _, err := a.Begin(begin); err != nil {
		return err
	}
	for _, b := range blocks {
		if err := a.Add(b); err != nil {
			return err
		}
	}
	f, times, err := a.End()
	if err != nil {
		return err
	}
	if err := rec.SetHead(head, a.Tracks()); err != nil {
		return err
	}
	tags := mkv.AppendTags(nil, mkv.SimpleTag{Name: "second", Value: fmt.Sprint(at.Unix())})
	cluster := append(mkv.AppendRawClusterHead(nil, len(content)), content...)
	_, err = rec.Write(rec.Number(), f, at, [][]byte{mkv.AppendRawTiming(nil, times), tags, cluster})
	return err
}

// RawIntact checks that a raw fragment is what was sent, byte for byte.
func RawIntact(s *archive.Stream, f *fragments.Fragment) error {
	body, err := s.ReadRaw(context.Background(), f)
	if err != nil {
		return err
	}
	raw, err := mkv.OpenRaw(body)
	if err != nil {
		return err
	}
	content, _, _ := RawCluster(time.Unix(0, f.Start))
	if string(raw.Content()) != string(content) {
		return fmt.Errorf("the cluster of fragment %s is not what was sent", f.Number)
	}
	want := mkv.AppendTags(nil, mkv.SimpleTag{Name: "second", Value: fmt.Sprint(f.Start / 1e9)})
	if string(raw.Tags) != string(want) {
		return fmt.Errorf("the tags of fragment %s are not what was sent", f.Number)
	}
	return nil
}
