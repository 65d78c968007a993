package putmedia

import (
	"time"

	"weir/fragments"
)

// Limits of a connection. Those of fragments and tags are Kinesis Video's and
// always hold.
const (
	maxFragmentBytes = fragments.MaxBytes // with its tags
	maxTracks        = 3
	maxTags          = 10      // of a fragment
	maxTagName       = 128     // bytes
	maxTagValue      = 256     // bytes
	maxTagBytes      = 1 << 16 // of the Tags elements of a fragment
	maxBuffered      = 2 << 30 // bytes of fragments that are being received, of all connections
)

// Times of a connection.
const (
	silence          = 30 * time.Second // without a byte, until the connection is closed
	idleEvery        = 10 * time.Second // without a byte, until IDLE is said
	watchEvery       = time.Second
	handoverPatience = 2 * time.Second // for an older connection to finish by itself
	maxHandovers     = 5               // rounds of that, until the newer one is refused
	recorderPatience = 10 * time.Second
	removePatience   = 10 * time.Second
	lingering        = time.Second           // after an ERROR, so that the producer reads it
	poke             = 50 * time.Millisecond // between attempts to wake a read that waits
)

// What AWS imposes for its own capacity; only with the limits switched on.
const (
	maxConnection = 45 * time.Minute
	maxRate       = 12_500_000 // bytes a second
	maxCalls      = 5          // requests a second, of a stream
	maxFragments  = 5          // fragments a second, of a stream
)

// reservedTags are the names beginning with AWS that producers may use.
func reservedTags() []string {
	return []string{"AWS_KINESISVIDEO_NOTIFICATION", "AWS_KINESISVIDEO_IMAGE_GENERATION", "AWS_KINESISVIDEO_IMAGE_PREFIX"}
}

// endOfFragment is the only tag of a Tags element by which producers say that
// the fragment before it is whole. It belongs to no fragment.
const endOfFragment = "AWS_KINESISVIDEO_END_OF_FRAGMENT"
