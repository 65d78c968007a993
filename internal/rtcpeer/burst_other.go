//go:build !linux

package rtcpeer

// canSegment is false: only Linux cuts datagrams.
const canSegment = false

func segments(int) []byte { return nil }

func unsegmented(error) bool { return true }
