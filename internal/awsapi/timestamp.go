package awsapi

import (
	"math"
	"time"
)

// Timestamp is an instant in milliseconds since the Unix epoch. JSON carries it
// as seconds with a fraction, CBOR as tag 1 with whole milliseconds.
type Timestamp int64

// leastMillis divides numbers that are seconds from numbers that are
// milliseconds: Java SDKs send milliseconds in JSON too, and other CBOR
// encoders send seconds as RFC 8949 says. As seconds it is the year 5138, as
// milliseconds it is 1973.
const leastMillis = 1e11

// TimestampOf is t without what is finer than a millisecond.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

// Time is the same instant in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String is RFC 3339 with milliseconds.
func (t Timestamp) String() string { return t.Time().Format("2006-01-02T15:04:05.000Z07:00") }

// timestampFrom reads a number of seconds or milliseconds, by its magnitude.
func timestampFrom(n float64) (Timestamp, bool) {
	if math.IsNaN(n) || math.Abs(n) >= 1<<53 {
		return 0, false
	}
	if math.Abs(n) <= leastMillis {
		n *= 1000
	}
	return Timestamp(math.Round(n)), true
}
