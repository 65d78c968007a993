package signaling

import "time"

// Limits of what waits.
const (
	maxBoxMessages = 256      // for one peer
	maxBoxBytes    = 1 << 20  // of payloads, for one peer
	maxBoxes       = 200      // peers of one channel that something waits for or that are there
	maxWaiting     = 64 << 20 // bytes of payloads in all mailboxes
)

// letter is an event on its way.
type letter struct {
	Event
	until time.Time // when it is no longer worth delivering
}

// mailbox holds what a peer has not received yet. The broker's lock guards it.
type mailbox struct {
	letters []letter
	bytes   int
	timer   *time.Timer // runs while letters wait
	reader  *Endpoint   // who receives, nil while nobody does
}

// put appends an event and tells what it adds to the bytes that wait, less than
// nothing when it takes the place of one. ok is false when the box is full.
func (b *mailbox) put(e Event, until time.Time) (grown int, ok bool) {
	if e.Type == Offer || e.Type == Answer {
		// An offer that was not delivered is overwritten by the next of the
		// same sender, and so is an answer. Candidates behind it are of the
		// old one, and go with it.
		grown -= b.forget(e)
	}
	if len(b.letters) >= maxBoxMessages || b.bytes+len(e.Payload) > maxBoxBytes {
		return grown, false
	}
	b.letters = append(b.letters, letter{e, until})
	b.bytes += len(e.Payload)
	return grown + len(e.Payload), true
}

// forget drops the description that e replaces and the candidates that came
// after it, and tells how many bytes that were. Candidates before it may be of
// the new one: they may come before their description.
func (b *mailbox) forget(e Event) int {
	before, found := b.bytes, false
	kept := b.letters[:0]
	for _, l := range b.letters {
		same := l.Sender == e.Sender
		switch {
		case same && l.Type == e.Type:
			found = true
			b.bytes -= len(l.Payload)
			continue
		case same && found && l.Type == Candidate:
			b.bytes -= len(l.Payload)
			continue
		}
		kept = append(kept, l)
	}
	clear(b.letters[len(kept):])
	b.letters = kept
	return before - b.bytes
}

// take removes the first event.
func (b *mailbox) take() (letter, bool) {
	if len(b.letters) == 0 {
		return letter{}, false
	}
	l := b.letters[0]
	b.letters[0] = letter{}
	if b.letters = b.letters[1:]; len(b.letters) == 0 {
		b.letters = nil
	}
	b.bytes -= len(l.Payload)
	return l, true
}

// back puts an event that could not be delivered where it was.
func (b *mailbox) back(l letter) {
	b.letters = append([]letter{l}, b.letters...)
	b.bytes += len(l.Payload)
}

// expire drops what waited too long, and tells how many bytes and letters that
// were. What came later may expire earlier, when the channel was changed.
func (b *mailbox) expire(now time.Time) (bytes, letters int) {
	kept := b.letters[:0]
	for _, l := range b.letters {
		if l.until.After(now) {
			kept = append(kept, l)
			continue
		}
		bytes += len(l.Payload)
		letters++
	}
	clear(b.letters[len(kept):])
	b.letters = kept
	b.bytes -= bytes
	return bytes, letters
}

// next is when the next letter expires.
func (b *mailbox) next() (at time.Time, any bool) {
	for _, l := range b.letters {
		if !any || l.until.Before(at) {
			at, any = l.until, true
		}
	}
	return at, any
}
