package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/awsserve"
)

// maxRetention is the longest retention of a stream in hours, ten years. A
// stream without a limit shows it.
const maxRetention = catalogue.MaxRetention

// Streams finds video streams as the services of Kinesis Video name them. Its
// errors are those of the models: any of the five services may answer them.
type Streams struct {
	catalogue *catalogue.Catalogue
	place     place
}

// NewStreams returns a way to find the streams of a catalogue, as those of a
// region and an account.
func NewStreams(c *catalogue.Catalogue, region, account string) *Streams {
	return &Streams{catalogue: c, place: place{region, account}}
}

// Stream is a video stream as Kinesis Video has it.
type Stream struct {
	catalogue.Stream
	ARN string
}

// Status is where the stream is. One that is DELETING is no longer for media.
func (s *Stream) Status() catalogue.Status { return s.Attributes.Status() }

// Active tells whether the stream can be used and changed.
func (s *Stream) Active() bool { return s.Status() == catalogue.Active }

// RetentionHours is how long fragments are kept. 0 means that they are not
// persisted: consumers read what a few minutes leave.
func (s *Stream) RetentionHours() int { return retentionHours(&s.Definition) }

// Persisted tells whether fragments are persisted.
func (s *Stream) Persisted() bool { return s.RetentionHours() > 0 }

// Tags are the tags of the stream, not to be changed.
func (s *Stream) Tags() map[string]string { return s.Attributes.Tags }

// Version is what a change must name to be of the stream as it is.
func (s *Stream) Version() string { return version(string(s.ID), s.Attributes.Changes) }

func retentionHours(d *catalogue.Definition) int {
	switch {
	case !d.Record:
		return 0
	case d.Retention.Hours == 0:
		return maxRetention
	}
	return int(math.Ceil(d.Retention.Hours))
}

// version makes the version of something that was changed so many times.
func version(id string, changes uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", id, changes))
	return hex.EncodeToString(sum[:10])
}

// Find finds a stream by its name or its ARN, of which a request has one. The
// stream may be in any state.
func (s *Streams) Find(name, arn *string) (Stream, error) {
	wanted, created, err := s.wanted(name, arn)
	if err != nil {
		return Stream{}, err
	}
	found, err := s.catalogue.Get(wanted)
	if err != nil || created != 0 && created != found.Created.UnixMilli() {
		return Stream{}, noStream(name, arn)
	}
	return s.stream(found), nil
}

func noStream(name, arn *string) error {
	if arn != nil {
		return notFound("The requested stream is not found or not active: %s", *arn)
	}
	return notFound("The requested stream is not found or not active: %s", *name)
}

// wanted reads the name, and from an ARN the time at which the stream was made.
func (s *Streams) wanted(name, arn *string) (wanted string, created int64, err error) {
	switch {
	case name == nil && arn == nil:
		return "", 0, invalid("Either StreamName or StreamARN must be specified.")
	case arn == nil:
		return *name, 0, nil
	}
	kind, wanted, created, here := s.place.parse(*arn)
	switch {
	case !here:
		return "", 0, noStream(name, arn)
	case kind != streamKind:
		return "", 0, invalid("StreamARN must be that of a stream: %s", *arn)
	case name != nil && *name != wanted:
		return "", 0, invalid("StreamName %s and StreamARN %s are of different streams.", *name, *arn)
	}
	return wanted, created, nil
}

// Authorize finds a stream and asks whether the caller of an operation may do
// it there. Who may not is not told whether the stream exists: what is not
// there is judged by the ARN that it would have.
func (s *Streams) Authorize(c *awsserve.Call, name, arn *string) (Stream, error) {
	return s.authorize(c, name, arn, auth.Access{})
}

func (s *Streams) authorize(c *awsserve.Call, name, arn *string, x auth.Access) (Stream, error) {
	found, missing := s.Find(name, arn)
	x.Action = action(c)
	x.Resource, x.ResourceTags = found.ARN, found.Tags()
	switch {
	case missing == nil:
	case arn != nil:
		x.Resource = *arn
	case name != nil:
		x.Resource = s.place.unborn(streamKind, *name)
	}
	if err := c.Identity.Authorize(x); err != nil {
		return Stream{}, err
	}
	return found, missing
}

// action is what policies call an operation.
func action(c *awsserve.Call) string { return "kinesisvideo:" + c.Operation.Name }

func (s *Streams) stream(found catalogue.Stream) Stream {
	return Stream{Stream: found, ARN: s.place.arn(streamKind, found.Name, found.Created)}
}
