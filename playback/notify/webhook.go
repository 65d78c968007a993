package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer is how much of a webhook's answer is read, so that its connection
// can be used again, bytes.
const maxAnswer = 64 << 10

// Webhook delivers messages as the JSON body of a POST. Any status of 200 to
// 299 takes the message; one of 400 to 499 refuses it, but for those that mean
// later.
type Webhook struct {
	// Client makes the connections. Whoever configures a stream names the
	// address, so it must be a guarded one.
	Client *http.Client
}

// Deliver implements Sink.
func (h Webhook) Deliver(ctx context.Context, uri string, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Weir")
	answer, err := h.Client.Do(r)
	if err != nil {
		return fmt.Errorf("post a notification: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // what it says does not matter
	switch s := answer.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s >= 400 && s < 500 && s != http.StatusRequestTimeout && s != http.StatusTooEarly && s != http.StatusTooManyRequests:
		return fmt.Errorf("%w: the webhook answers %s", ErrRefused, answer.Status)
	}
	return fmt.Errorf("post a notification: the webhook answers %s", answer.Status)
}
