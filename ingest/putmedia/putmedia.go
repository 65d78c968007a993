// Package putmedia takes what producers of Kinesis Video Streams push: PutMedia,
// a request whose body is Matroska without an end, answered meanwhile with a
// line of JSON for each step of each fragment.
//
//	body ──► mkv.Reader ──► mkv.Assembler ──► archive.RawRecorder ── fsync ──► store
//	            │ cluster                 └──► live.Publisher ──► players
//	answer ◄── BUFFERING … RECEIVED … PERSISTED, IDLE, ERROR
//
// One cluster is one fragment. It is stored as it came, whatever it holds;
// tracks whose codec Weir knows are also published to the live hub. PERSISTED
// is said when the fragment is fsynced (invariant 1), and only of streams with
// retention. What is wrong with a producer's media ends its connection with an
// ERROR that names the fragment; fragments acknowledged before stay, and the
// stream takes the next connection.
//
// A stream has one producer at a time. A newer connection takes the place of
// an older one, which is given a moment to finish: producers reconnect before
// they notice that a connection is dead. With the limits of AWS, and while a
// producer of another kind is there that the stream does not let replace, the
// newer one is refused.
//
// It does not verify who asks (package server does), keeps no definitions of
// streams (fragments/control), and answers no reads (playback/getmedia).
package putmedia

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/fragments/mkv"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvmedia"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/quota"
)

// Options are what PutMedia stands on.
type Options struct {
	Streams *control.Streams
	Archive *archive.Archive
	Hub     *live.Hub
	Clock   clock.Clock  // nil means the clock of this machine
	Log     *slog.Logger // nil means none
	// Limits switches on what AWS imposes for its own capacity.
	Limits bool
}

// API answers PutMedia. It implements catalogue.Listener, so that the
// connections of a stream end before its recordings are deleted.
type API struct {
	opts     Options
	log      *slog.Logger
	buffered atomic.Int64 // bytes of fragments that are being received
	quota    *quota.Limiter

	mu    sync.Mutex // guards the following
	seats map[archive.StreamID]*seat
}

// New returns the API.
func New(o Options) *API {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &API{opts: o, log: o.Log, quota: quota.New(o.Limits), seats: map[archive.StreamID]*seat{}}
}

// Entries lists the operations for package awsserve.
func (a *API) Entries() map[string]awsserve.Entry {
	return map[string]awsserve.Entry{"PutMedia": {Media: true, Stream: a.putMedia}}
}

// putMedia answers one connection.
func (a *API) putMedia(c *awsserve.Call, value awsapi.Value, w http.ResponseWriter) error {
	in := value.(*model.PutMediaInput)
	stream, err := a.opts.Streams.Authorize(c, in.StreamName, in.StreamARN)
	if err != nil {
		return err
	}
	if !a.quota.Take("call "+string(stream.ID), 1, maxCalls, a.opts.Clock.Now()) {
		return &model.ClientLimitExceededException{Message: new("Rate exceeded: --aws-limits allows 5 PutMedia requests a second on a stream.")}
	}
	base, err := timeBase(in)
	if err != nil {
		return err
	}
	if stream.Status() == catalogue.Deleting {
		return &model.ResourceNotFoundException{Message: new("The requested stream is not found or not active: " + stream.Name)}
	}
	if a.buffered.Load() > maxBuffered {
		return &model.ClientLimitExceededException{Message: new("Too much media is being received at once. Try again later.")}
	}
	ctx, cancel := context.WithCancelCause(c.Request.Context())
	defer cancel(nil)
	leave, err := a.sit(ctx, stream.ID, cancel)
	if err != nil {
		return err
	}
	defer leave()
	s := &session{api: a, stream: stream, log: a.log.With("stream", stream.Name, "remote", c.Request.RemoteAddr),
		ctx: ctx, cancel: cancel, assembler: mkv.NewAssembler(base)}
	if err := s.join(c.Request.RemoteAddr); err != nil {
		return err
	}
	defer s.leave()
	s.acks = acks{w: w, control: http.NewResponseController(w), wanted: c.Request.Header.Get("X-Amzn-Fragment-Acknowledgment-Required") != "0"}
	if err := s.acks.begin(c.Request); err != nil {
		return err
	}
	s.run(c.Request)
	return nil
}

// timeBase is when time codes begin, ns since the epoch.
func timeBase(in *model.PutMediaInput) (int64, error) {
	start := int64(0)
	if in.ProducerStartTimestamp != nil {
		var ok bool
		if start, ok = parseSeconds(*in.ProducerStartTimestamp); !ok {
			return 0, invalid("ProducerStartTimestamp must be seconds since the epoch, like 1700000000.123")
		}
	}
	if *in.FragmentTimecodeType == model.FragmentTimecodeTypeAbsolute {
		return 0, nil
	}
	if in.ProducerStartTimestamp == nil {
		return 0, invalid("ProducerStartTimestamp is required with relative time codes")
	}
	return start, nil
}

// maxSeconds is the latest producer start timestamp: in the year 2200.
const maxSeconds = 7_258_118_400

// parseSeconds reads seconds since the epoch with up to nine decimals.
func parseSeconds(s string) (ns int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || sec > maxSeconds || len(fraction) > 9 {
		return 0, false
	}
	nanos := uint64(0)
	if fraction != "" {
		if nanos, err = strconv.ParseUint((fraction + "000000000")[:9], 10, 64); err != nil {
			return 0, false
		}
	}
	return int64(sec)*int64(time.Second) + int64(nanos), true
}

func invalid(message string) error { return &model.InvalidArgumentException{Message: &message} }

// Why connections end that did nothing wrong.
var (
	errReplaced = errors.New("a newer connection of the stream took over")
	errRemoved  = errors.New("the stream was deleted")
	errDraining = errors.New("the server is shutting down")
	errSilent   = errors.New("nothing came for 30 s")
	errTooLong  = errors.New("the connection lasted as long as it may")
)

// seat is the place of a stream's one producer.
type seat struct {
	taken  chan struct{} // holds a value while somebody sits
	mu     sync.Mutex    // guards the following
	holder context.CancelCauseFunc
}

func (a *API) seat(id archive.StreamID) *seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.seats[id]
	if s == nil {
		s = &seat{taken: make(chan struct{}, 1)}
		a.seats[id] = s
	}
	return s
}

// expel ends the connection that sits for a reason.
func (s *seat) expel(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != nil {
		s.holder(reason)
	}
}

// sit takes the seat of a stream. Whoever sits there has a moment to finish,
// and then must go.
func (a *API) sit(ctx context.Context, id archive.StreamID, cancel context.CancelCauseFunc) (leave func(), err error) {
	s := a.seat(id)
	for round := 0; ; round++ {
		patience := handoverPatience
		if a.opts.Limits {
			patience = 0
		}
		ok, err := s.take(ctx, patience)
		if err != nil {
			return nil, err
		}
		if ok {
			s.mu.Lock()
			s.holder = cancel
			s.mu.Unlock()
			return s.leave, nil
		}
		if a.opts.Limits || round == maxHandovers {
			return nil, &model.ConnectionLimitExceededException{Message: new("The stream has another PutMedia connection. Close it first.")}
		}
		s.expel(errReplaced)
	}
}

// take sits down as soon as the seat is free; ok is false after patience.
func (s *seat) take(ctx context.Context, patience time.Duration) (ok bool, err error) {
	select {
	case s.taken <- struct{}{}:
		return true, nil
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case s.taken <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-t.C:
		return false, nil
	}
}

func (s *seat) leave() {
	s.mu.Lock()
	s.holder = nil
	s.mu.Unlock()
	<-s.taken
}

// StreamChanged implements catalogue.Listener.
func (a *API) StreamChanged(catalogue.Stream) {}

// StreamRemoved ends the connection of a stream and returns when it is gone.
func (a *API) StreamRemoved(s catalogue.Stream) {
	place := a.seat(s.ID)
	place.expel(errRemoved)
	t := time.NewTimer(removePatience)
	defer t.Stop()
	select {
	case place.taken <- struct{}{}:
		<-place.taken
	case <-t.C:
		a.log.Warn("a connection of a deleted stream does not end", "stream", s.Name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.seats, s.ID)
}

// busy is the refusal while another producer has the stream.
func busy(err error) error {
	return &model.ConnectionLimitExceededException{Message: new(fmt.Sprint(err))}
}
