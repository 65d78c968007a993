package archivetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"weir/fragments/archive"
	"weir/fragments/mkv"
)

// maxRaw is the most bytes of a fragment in a test.
const maxRaw = 1 << 20

// Raw records a Matroska document with absolute time codes as one that its
// producer sent, all of it received at one time.
func Raw(s *archive.Stream, doc []byte, at time.Time) error {
	rec, err := s.RecordRaw(context.Background())
	if err != nil {
		return err
	}
	defer rec.Close()
	r := mkv.NewReader(bytes.NewReader(doc))
	r.KeepRaw(maxRaw)
	a := mkv.NewAssembler(0)
	head := &mkv.RawHead{}
	var info mkv.Info
	var cluster mkv.Cluster
	var tags []byte
	element := func() []byte { return bytes.Clone(r.TakeRaw(r.Begin(), r.Offset())) }
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		switch e := e.(type) {
		case mkv.Header:
			head.EBML = element()
		case mkv.Info:
			head.Info, info = element(), e
		case mkv.Tracks:
			head.Tracks = element()
			err = a.SetTracks(info, e)
		case mkv.Tags:
			tags = append(tags, element()...)
		case mkv.Cluster:
			cluster = e
			_, err = a.Begin(e)
		case mkv.Block:
			err = a.Add(e)
		case mkv.ClusterEnd:
			err = endRaw(rec, a, head, tags, r.TakeRaw(cluster.Offset, e.Offset), at)
			tags = nil
		}
		if err != nil {
			return err
		}
	}
}

// endRaw writes the fragment that an assembler has.
func endRaw(rec *archive.RawRecorder, a *mkv.Assembler, head *mkv.RawHead, tags, content []byte, at time.Time) error {
	f, times, err := a.End()
	if err != nil {
		return err
	}
	body, err := mkv.RawCluster(content)
	if err != nil {
		return err
	}
	if err := rec.SetHead(head, a.Tracks()); err != nil {
		return err
	}
	_, err = rec.Write(rec.Number(), f, at, [][]byte{mkv.AppendRawTiming(nil, times), tags, body})
	return err
}
