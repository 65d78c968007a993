package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	datastreams "weir/datastreams/streams"
	"weir/fragments/control"
	"weir/internal/egress"
	"weir/playback/notify"
)

// openNotifications begins to tell of tagged fragments.
func (n *node) openNotifications(context.Context) error {
	client := egress.NewDialer(n.settings.CameraNetworks()).HTTPClient(webhookTime)
	notifier := notify.New(notify.Options{
		Streams: control.NewStreams(n.catalogue, n.settings.Region, n.settings.Account), Archive: n.archive, Meta: n.meta,
		Sink: noticeSink{notify.Webhook{Client: client}, n.streams}, Clock: n.clock, Log: n.log,
	})
	n.onClose("notifications", func() error {
		notifier.Close()
		client.CloseIdleConnections()
		return nil
	})
	n.catalogue.Listen(notifier)
	return nil
}

// webhookTime is how long a webhook may take to answer.
const webhookTime = 10 * time.Second

// noticeSink delivers notifications of tagged fragments: to data streams, whose
// ARN a configuration names, and else to webhooks.
type noticeSink struct {
	webhook notify.Webhook
	streams *datastreams.Streams
}

// Deliver implements notify.Sink.
func (s noticeSink) Deliver(ctx context.Context, uri string, m notify.Message) error {
	if !strings.HasPrefix(uri, "arn:aws:kinesis:") {
		return s.webhook.Deliver(ctx, uri, m)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrRefused, err)
	}
	_, err = s.streams.Put(ctx, datastreams.PutInput{
		Ref: datastreams.Ref{ARN: uri}, Entry: datastreams.Entry{Data: data, PartitionKey: m.StreamArn},
	})
	var e *datastreams.Error
	if errors.As(err, &e) && (e.Kind == datastreams.InvalidArgument || e.Kind == datastreams.Validation) {
		return fmt.Errorf("%w: %w", notify.ErrRefused, err)
	}
	return err
}
