package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mkv"
)

// tagName is the tag by which a producer asks for a notification.
const tagName = "AWS_KINESISVIDEO_NOTIFICATION"

// Message is what a notification says, in the form of Kinesis Video.
type Message struct {
	StreamArn                      string
	FragmentNumber                 fragments.Number  // in the form of Kinesis
	FragmentStartServerTimestamp   int64             // ms since the epoch
	FragmentStartProducerTimestamp int64             // ms since the epoch
	NotificationType               string            // "PERSISTED"
	NotificationPayload            map[string]string // the producer's other tags
}

// Numbers of deliveries.
const (
	firstRetry  = time.Second
	lastRetry   = time.Minute
	patience    = time.Hour        // with one message
	deliverTime = 15 * time.Second // for one attempt
)

// look delivers a message of a fragment that has the tag. It returns once that
// is done or given up.
func (w *watch) look(ctx context.Context, s *archive.Stream, f *fragments.Fragment) (told bool, err error) {
	if f.Flags&fragments.Raw == 0 {
		return false, nil // nobody could tag it
	}
	tags, err := tagsOf(ctx, s, f)
	if errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrNotFound) {
		w.n.opts.Log.Warn("the tags of a fragment cannot be read", "stream", w.name, "fragment", f.Number, "err", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	payload, asked := map[string]string{}, false
	for _, t := range tags {
		switch {
		case t.Name == tagName:
			asked = true
		case !strings.HasPrefix(t.Name, "AWS"):
			payload[t.Name] = t.Value
		}
	}
	if !asked {
		return false, nil
	}
	found, err := w.n.opts.Streams.Find(&w.name, nil)
	if err != nil {
		return false, err
	}
	return true, w.deliver(ctx, Message{
		StreamArn: found.ARN, FragmentNumber: f.Number, NotificationType: "PERSISTED", NotificationPayload: payload,
		FragmentStartServerTimestamp:   f.Received / int64(time.Millisecond),
		FragmentStartProducerTimestamp: f.Start / int64(time.Millisecond),
	})
}

// tagsOf reads the tags that a producer gave a fragment.
func tagsOf(ctx context.Context, s *archive.Stream, f *fragments.Fragment) ([]mkv.SimpleTag, error) {
	body, err := s.ReadRaw(ctx, f)
	if err != nil {
		return nil, err
	}
	raw, err := mkv.OpenRaw(body)
	if err != nil {
		return nil, fmt.Errorf("%w: fragment %s: %w", archive.ErrDamaged, f.Number, err)
	}
	tags, err := mkv.ParseTags(raw.Tags)
	if err != nil {
		return nil, fmt.Errorf("%w: tags of fragment %s: %w", archive.ErrDamaged, f.Number, err)
	}
	return tags, nil
}

// deliver tries until the message is taken, refused, or too old. An error is
// that of ctx.
func (w *watch) deliver(ctx context.Context, m Message) error {
	began := w.n.opts.Clock.Now()
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		attempt, cancel := context.WithTimeout(ctx, deliverTime)
		err := w.n.opts.Sink.Deliver(attempt, w.uri, m)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrRefused), w.n.opts.Clock.Now().Sub(began) > patience:
			w.n.opts.Log.Error("a notification is given up", "stream", w.name, "fragment", m.FragmentNumber, "to", w.uri, "err", err)
			return nil
		}
		w.n.opts.Log.Warn("a notification will be tried again", "stream", w.name, "fragment", m.FragmentNumber, "after", wait, "err", err)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}
