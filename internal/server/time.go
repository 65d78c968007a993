package server

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("must be a time like 2026-01-31T09:30:00Z, or epoch milliseconds")

// Bounds of a time in a request.
const (
	maxTimeLen     = 40
	maxEpochMillis = 9_000_000_000_000 // keeps nanoseconds within 63 bits
)

// ParseTime reads a time of the native API: RFC 3339 or epoch milliseconds,
// not before 1970.
func ParseTime(s string) (time.Time, error) {
	if len(s) > maxTimeLen {
		return time.Time{}, errTime
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		if ms < 0 || ms > maxEpochMillis {
			return time.Time{}, errTime
		}
		return time.UnixMilli(ms).UTC(), nil
	}
	// A plus sign in a query that was not escaped reads as a space.
	t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(s, " ", "+"))
	if err != nil || t.UnixMilli() < 0 || t.UnixMilli() > maxEpochMillis {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}
