package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"weir/internal/media"
)

// Part of the protocol of weir-decode; do not change without raising
// protocolVersion on both sides.
const (
	protocolVersion = 2
	maxMessage      = media.MaxSampleBytes + 4096 // bytes behind the length
	maxConfig       = 65536                       // bytes of codec parameters
	messageHead     = 9                           // length, type, job
)

// Types of messages: to the worker below 128, from it above.
const (
	msgOpen    = 1
	msgSample  = 2
	msgKey     = 3
	msgFlush   = 4
	msgClose   = 5
	msgHello   = 128
	msgOpened  = 129
	msgOutput  = 130
	msgDone    = 131
	msgFlushed = 132
	msgFailed  = 133
)

// Kinds of jobs. 3 is kept for key frames to pictures.
const (
	jobAudio = 1
	jobVideo = 2
)

// Flags of messages.
const (
	openGrid    = 1
	sampleKey   = 1
	sampleLossy = 2
	outputKey   = 1
	doneDamaged = 1
)

// errProtocol means that a worker said what it may not say.
var errProtocol = errors.New("decode worker breaks the protocol")

// codecNumber is a codec as the protocol names it, 0 for none.
func codecNumber(c media.Codec) byte {
	switch c {
	case media.H264:
		return 1
	case media.H265:
		return 2
	case media.AV1:
		return 3
	case media.VP8:
		return 4
	case media.VP9:
		return 5
	case media.AAC:
		return 16
	case media.Opus:
		return 17
	case media.PCMU:
		return 18
	case media.PCMA:
		return 19
	}
	return 0
}

// appendHead begins a message whose payload has n bytes.
func appendHead(b []byte, typ byte, job uint32, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(n+messageHead-4))
	b = append(b, typ)
	return binary.BigEndian.AppendUint32(b, job)
}

// appendOpen makes an OPEN message.
func appendOpen(b []byte, job uint32, in media.Track, out Target) []byte {
	config := workerConfig(in)
	kind, flags := byte(jobAudio), byte(0)
	if in.Kind() == media.Video {
		kind = jobVideo
	}
	if out.Grid {
		flags |= openGrid
	}
	b = appendHead(b, msgOpen, job, 25+len(config))
	b = append(b, kind, codecNumber(in.Codec), codecNumber(out.Codec), flags)
	b = binary.BigEndian.AppendUint32(b, in.Timescale)
	b = binary.BigEndian.AppendUint32(b, uint32(in.SampleRate))
	b = append(b, byte(out.Channels))
	b = binary.BigEndian.AppendUint32(b, uint32(out.Bitrate))
	b = binary.BigEndian.AppendUint16(b, uint16(out.MaxWidth))
	b = binary.BigEndian.AppendUint16(b, uint16(out.MaxHeight))
	b = binary.BigEndian.AppendUint32(b, uint32(len(config)))
	return append(b, config...)
}

// workerConfig is the config of a track as decoders want it. The pre-skip of
// Opus is for players of files: here every sample has its time already.
func workerConfig(t media.Track) []byte {
	if t.Codec != media.Opus || len(t.Config) < 19 {
		return t.Config
	}
	c := append([]byte(nil), t.Config...)
	c[10], c[11] = 0, 0
	return c
}

// appendSample makes the head of a SAMPLE message; the data follows.
func appendSample(b []byte, job uint32, s *media.Sample, duration media.Ticks) []byte {
	b = appendHead(b, msgSample, job, 13+len(s.Data))
	flags := byte(0)
	if s.Key {
		flags |= sampleKey
	}
	if s.Lossy {
		flags |= sampleLossy
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(s.PTS()))
	return binary.BigEndian.AppendUint32(b, uint32(min(max(duration, 0), 1<<32-1)))
}

// message is one message of a worker.
type message struct {
	typ  byte
	job  uint32
	data []byte
}

// readMessage reads one message. The data is the caller's.
func readMessage(r io.Reader) (message, error) {
	var head [messageHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	m := message{typ: head[4], job: binary.BigEndian.Uint32(head[5:])}
	if n < messageHead-4 || n > maxMessage {
		return m, fmt.Errorf("%w: message of %d bytes", errProtocol, n)
	}
	m.data = make([]byte, n-(messageHead-4))
	if _, err := io.ReadFull(r, m.data); err != nil {
		return m, fmt.Errorf("read message of type %d: %w", m.typ, err)
	}
	return m, nil
}

// hello is what a worker says first.
type hello struct {
	filtered bool   // system calls are filtered
	libav    string // name and version of its library
}

func parseHello(m message) (hello, error) {
	if m.typ != msgHello || len(m.data) < 7 {
		return hello{}, fmt.Errorf("%w: it does not begin with a hello", errProtocol)
	}
	if v := binary.BigEndian.Uint16(m.data); v != protocolVersion {
		return hello{}, fmt.Errorf("%w: it speaks version %d, wanted is %d; build weir and weir-decode from the same tree", errProtocol, v, protocolVersion)
	}
	return hello{filtered: m.data[2]&1 != 0, libav: fmt.Sprintf("%.64s", m.data[7:])}, nil
}

// output is one coded frame of a session.
type output struct {
	pts  media.Ticks // in the timescale of the target
	key  bool
	data []byte
}

func parseOutput(m message) (output, error) {
	if len(m.data) < 13 {
		return output{}, fmt.Errorf("%w: output of %d bytes", errProtocol, len(m.data))
	}
	return output{
		key: m.data[0]&outputKey != 0, pts: media.Ticks(binary.BigEndian.Uint64(m.data[1:])), data: m.data[13:],
	}, nil
}

// done acknowledges one sample.
type done struct {
	damaged bool
	micros  uint32 // of processor time
}

func parseDone(m message) (done, error) {
	if len(m.data) != 5 {
		return done{}, fmt.Errorf("%w: acknowledgement of %d bytes", errProtocol, len(m.data))
	}
	return done{m.data[0]&doneDamaged != 0, binary.BigEndian.Uint32(m.data[1:])}, nil
}
