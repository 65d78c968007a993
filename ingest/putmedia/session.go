package putmedia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/control"
	"weir/fragments/mkv"
	"weir/internal/live"
)

// session is one connection that has its stream.
type session struct {
	api    *API
	stream control.Stream
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelCauseFunc
	acks   acks

	reader    *mkv.Reader
	assembler *mkv.Assembler
	recorder  *archive.RawRecorder
	feed      feed
	head      mkv.RawHead
	info      mkv.Info
	segments  int

	tags     []byte          // Tags elements of the next fragment, as they came
	simple   []mkv.SimpleTag // the same
	cluster  mkv.Cluster     // of the fragment that is being received
	number   fragments.Number
	begun    time.Time // when its first byte came
	start    int64     // its producer time, ns since the epoch
	previous int64     // of the fragment before; -1 for none
	counted  int64     // bytes of this session in api.buffered
	sent     int       // persisted fragments
}

// join makes the connection the producer of its stream.
func (s *session) join(remote string) error {
	pub, err := s.api.opts.Hub.Stream(string(s.stream.ID)).Publish(live.PublishOptions{
		Kind: "putmedia", Remote: remote, Takeover: s.stream.Takeover, Recorded: true,
	})
	if errors.Is(err, live.ErrBusy) {
		return busy(err)
	}
	if err != nil {
		return fmt.Errorf("join the live stream: %w", err)
	}
	s.feed, s.previous = feed{pub: pub}, -1
	stream, err := s.api.opts.Archive.Stream(s.stream.ID)
	if err == nil {
		ctx, cancel := context.WithTimeout(s.ctx, recorderPatience)
		s.recorder, err = stream.RecordRaw(ctx)
		cancel()
	}
	if err != nil {
		pub.Close(err)
		return fmt.Errorf("begin to record: %w", err)
	}
	return nil
}

// leave gives the stream free.
func (s *session) leave() {
	s.recorder.Close()
	s.feed.pub.Close(context.Cause(s.ctx))
	s.api.buffered.Add(-s.counted)
}

// run receives until the producer ends, or does something that ends it.
func (s *session) run(r *http.Request) {
	in := newInput(s, r)
	s.reader = mkv.NewReader(in)
	s.reader.KeepRaw(maxFragmentBytes)
	stop := in.watch()
	err := s.receive()
	stop()
	if cause := context.Cause(s.ctx); cause != nil && err != nil {
		err = cause
	}
	if s.end(err) {
		in.linger()
	}
}

// end tells the producer why it ends, and the log. It returns whether the
// producer was told of an error.
func (s *session) end(err error) (told bool) {
	var e *ackError
	switch {
	case err == nil:
		s.log.Debug("a producer ended", "fragments", s.sent)
		return false
	case errors.As(err, &e):
	case errors.Is(err, errRemoved), errors.Is(err, live.ErrDropped):
		e = fault(streamNotActive, err)
	case errors.Is(err, errTooLong):
		e = fault(maxConnectionReached, err)
	case errors.Is(err, errSilent), errors.Is(err, errReplaced), errors.Is(err, errDraining), errors.Is(err, live.ErrReplaced):
		s.log.Info("a producer's connection is closed", "fragments", s.sent, "why", err)
		return false
	default:
		s.log.Info("a producer was cut off", "fragments", s.sent, "err", err)
		return false
	}
	s.log.Warn("a producer's media was refused", "fragments", s.sent, "err", e)
	return s.acks.fail(e, s.cluster.Timestamp, s.number) == nil
}

// receive reads events until the end; nil is an orderly one.
func (s *session) receive() error {
	for {
		e, err := s.reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.readError(err)
		}
		if err := s.take(e); err != nil {
			return err
		}
	}
}

// readError tells what of a read that failed is the producer's doing.
func (s *session) readError(err error) error {
	var cut *inputError
	switch {
	case errors.As(err, &cut):
		return cut.err
	case errors.Is(err, mkv.ErrRawTooLong):
		return fault(maxSizeReached, err)
	}
	return fault(invalidMKV, err)
}

// take deals with one event.
func (s *session) take(e mkv.Event) error {
	switch e := e.(type) {
	case mkv.Header:
		if s.head.EBML != nil {
			return faultf(invalidMKV, "a second EBML header at byte %d", s.reader.Begin())
		}
		s.head.EBML = s.raw()
	case mkv.Segment:
		if s.segments++; s.segments > 1 || s.head.EBML == nil {
			return faultf(invalidMKV, "segment %d at byte %d", s.segments, s.reader.Begin())
		}
	case mkv.Info:
		if s.head.Info != nil || s.head.Tracks != nil {
			return faultf(invalidMKV, "a second Info, or one behind Tracks, at byte %d", s.reader.Begin())
		}
		s.head.Info, s.info = s.raw(), e
	case mkv.Tracks:
		return s.takeTracks(e)
	case mkv.Tags:
		return s.takeTags(e)
	case mkv.Cluster:
		return s.begin(e)
	case mkv.Block:
		return s.takeBlock(e)
	case mkv.ClusterEnd:
		return s.finish(e)
	}
	return nil
}

// raw takes the bytes of the element that was just read.
func (s *session) raw() []byte {
	b := s.reader.TakeRaw(s.reader.Begin(), s.reader.Offset())
	return slices.Clone(b)
}

func (s *session) takeTracks(e mkv.Tracks) error {
	switch {
	case s.head.Tracks != nil:
		return faultf(invalidMKV, "a second Tracks at byte %d", s.reader.Begin())
	case len(e) > maxTracks:
		return faultf(tooManyTracks, "%d tracks, at most %d are possible", len(e), maxTracks)
	case len(e) == 0:
		return faultf(invalidMKV, "Tracks without a track")
	}
	if s.info.TimestampScale == 0 {
		s.info.TimestampScale = mkv.TimestampScale
	}
	s.head.Tracks = s.raw()
	if n := s.head.Len(); n > mkv.MaxRawHead {
		return faultf(invalidMKV, "%d bytes before the first cluster exceed %d", n, mkv.MaxRawHead)
	}
	if err := s.assembler.SetTracks(s.info, e); err != nil {
		return fault(invalidMKV, err)
	}
	return nil
}

// takeTags keeps the tags of the next fragment.
func (s *session) takeTags(e mkv.Tags) error {
	if len(e) == 1 && len(e[0].Simple) == 1 && e[0].Simple[0].Name == endOfFragment {
		s.raw()
		return nil
	}
	s.tags = append(s.tags, s.raw()...)
	for _, tag := range e {
		s.simple = append(s.simple, tag.Simple...)
	}
	if len(s.simple) > maxTags || len(s.tags) > maxTagBytes {
		return faultf(metadataLimit, "%d tags of %d bytes before one fragment; at most %d of %d are possible",
			len(s.simple), len(s.tags), maxTags, maxTagBytes)
	}
	for _, t := range s.simple {
		if len(t.Name) > maxTagName || len(t.Value) > maxTagValue || len(t.Binary) > maxTagValue {
			return faultf(metadataLimit, "a tag of %d and %d bytes; at most %d and %d are possible",
				len(t.Name), len(t.Value)+len(t.Binary), maxTagName, maxTagValue)
		}
		if strings.HasPrefix(t.Name, "AWS") && !slices.Contains(reservedTags(), t.Name) {
			return faultf(metadataLimit, "names of tags that begin with AWS are reserved: %.40q", t.Name)
		}
	}
	return nil
}

// begin begins a fragment.
func (s *session) begin(c mkv.Cluster) error {
	if s.head.Tracks == nil {
		return faultf(invalidMKV, "a cluster before Tracks")
	}
	if err := s.waitTurn(); err != nil {
		return err
	}
	s.cluster, s.number = c, 0
	start, err := s.assembler.Begin(c)
	if err != nil {
		return fault(invalidTimestamp, err)
	}
	s.number, s.begun = s.recorder.Number(), s.api.opts.Clock.Now()
	if start < s.previous {
		return faultf(timecodeLesser, "time code %d does not follow", c.Timestamp)
	}
	s.start = start
	return s.acks.step(buffering, c.Timestamp, s.number)
}

// waitTurn waits until the stream may have another fragment, as AWS throttles
// who sends more than it allows: by reading no further.
func (s *session) waitTurn() error {
	d := s.api.quota.Wait("fragment "+string(s.stream.ID), 1, maxFragments, s.api.opts.Clock.Now())
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

func (s *session) takeBlock(b mkv.Block) error {
	held := s.reader.Offset() - s.cluster.Offset
	if held+int64(len(s.tags)) > maxFragmentBytes {
		return faultf(maxSizeReached, "more than %d bytes", maxFragmentBytes)
	}
	s.hold(held)
	switch err := s.assembler.Add(b); {
	case errors.Is(err, mkv.ErrUndeclared):
		return fault(trackMismatch, err)
	case errors.Is(err, mkv.ErrLong):
		return fault(maxDurationReached, err)
	case errors.Is(err, mkv.ErrTimecode):
		return fault(invalidTimestamp, err)
	case err != nil:
		return fault(invalidMKV, err)
	}
	return s.feed.add(s.assembler, b, s.api.opts.Clock.Now())
}

// hold counts the bytes that the session holds.
func (s *session) hold(n int64) {
	s.api.buffered.Add(n - s.counted)
	s.counted = n
}

// finish persists the fragment and tells so.
func (s *session) finish(e mkv.ClusterEnd) error {
	content := s.reader.TakeRaw(s.cluster.Offset, e.Offset)
	s.hold(0)
	f, times, err := s.assembler.End()
	if errors.Is(err, mkv.ErrMissing) {
		return fault(framesMissing, err)
	}
	if err != nil {
		return fault(invalidMKV, err)
	}
	cluster, err := mkv.RawCluster(content)
	if err != nil {
		return fault(invalidMKV, err)
	}
	if time.Duration(f.Duration) > fragments.MaxDuration {
		return faultf(maxDurationReached, "%v", time.Duration(f.Duration))
	}
	if err := s.acks.step(received, s.cluster.Timestamp, s.number); err != nil {
		return err
	}
	if err := s.recorder.SetHead(&s.head, s.assembler.Tracks()); err != nil {
		return fault(archivalError, err)
	}
	timing := mkv.AppendRawTiming(nil, times)
	if _, err := s.recorder.Write(s.number, f, s.begun, [][]byte{timing, s.tags, cluster}); err != nil {
		return fault(archivalError, err)
	}
	s.sent++
	s.previous = s.start
	if s.stream.Persisted() {
		if err := s.acks.step(persisted, s.cluster.Timestamp, s.number); err != nil {
			return err
		}
	}
	raw := mkv.NewRaw(timing, s.tags, cluster)
	s.tags, s.simple = nil, nil
	s.number = 0
	return s.feed.publish(&raw, s.assembler.Tracks(), s.api.opts.Clock.Now())
}
