package archive

import (
	"context"
	"fmt"
)

// turn lets one recorder at a time write a stream.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// enter takes the turn if it is free.
func (t turn) enter() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait takes the turn as soon as it is free.
func (t turn) wait(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrRecording, ctx.Err())
	}
}

// leave gives the turn back; leaving again does nothing.
func (t turn) leave() {
	select {
	case <-t:
	default:
	}
}
