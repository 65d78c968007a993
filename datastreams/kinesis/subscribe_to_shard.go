package kinesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"weir/datastreams/streams"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
	"weir/internal/server"
)

// subscribeToShard answers SubscribeToShard with an event stream: records as
// they arrive, for as long as the subscription lasts.
func (a *API) subscribeToShard(c *awsserve.Call, v awsapi.Value, w http.ResponseWriter) error {
	in := v.(*model.SubscribeToShardInput)
	if err := a.onResource(c, value(in.ConsumerARN), auth.Access{}); err != nil {
		return err
	}
	at := streams.Position{Type: streams.IteratorType(value(in.StartingPosition.Type)), SequenceNumber: value(in.StartingPosition.SequenceNumber)}
	if t := in.StartingPosition.Timestamp; t != nil {
		at.Timestamp = t.Time()
	}
	ctx, cancel := whileServing(c.Request.Context())
	defer cancel()
	sub, err := a.streams.Subscribe(ctx, streams.SubscribeInput{
		ConsumerARN: value(in.ConsumerARN), ShardID: value(in.ShardId), Position: at, DryRun: value(in.DryRun),
	})
	if err != nil {
		return err
	}
	defer sub.Close()
	events, err := awsserve.NewEvents(c, w)
	if err != nil {
		return err
	}
	return push(ctx, c.Encoding, sub, events)
}

// whileServing ends with the request, or when the server drains: a
// subscription has no end of its own, and its client comes back by itself.
func whileServing(ctx context.Context) (context.Context, context.CancelFunc) {
	draining := server.Draining(ctx)
	ctx, cancel := context.WithCancel(ctx)
	if draining == nil {
		return ctx, cancel
	}
	stop := make(chan struct{})
	go func() {
		select {
		case <-draining:
			cancel()
		case <-stop:
		}
	}()
	return ctx, func() { close(stop); cancel() }
}

// push sends event after event.
func push(ctx context.Context, e awsapi.Encoding, sub *streams.Subscription, events *awsserve.Events) error {
	var payload []byte
	for {
		event, err := sub.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			err = failure(err)
			return errors.Join(err, events.Fail(err))
		}
		w := awsapi.NewWriter(e, payload[:0])
		writeEvent(w, &event)
		payload = w.Bytes()
		if err := events.Send("SubscribeToShardEvent", payload); err != nil {
			return fmt.Errorf("push to subscriber: %w", err)
		}
		if event.Continuation.IsZero() {
			return nil // the shard has ended
		}
	}
}
