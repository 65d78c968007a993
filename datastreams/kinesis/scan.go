package kinesis

import (
	"unicode/utf8"
)

// put is what a body of PutRecord or PutRecords says, as views of the body or,
// for data in base64, of a buffer.
type put struct {
	streamName, streamARN, streamID []byte
	ordering                        []byte // SequenceNumberForOrdering, of PutRecord only
	records                         []putRecord
}

// putRecord is one record of a put. A member that is absent is nil.
type putRecord struct {
	data, partitionKey, explicitHashKey []byte
}

// Limits of the fast way; a body beyond them takes the ordinary one, which
// knows what to say.
const (
	fastKeyBytes  = 256 // of a partition key: as many characters at most
	fastHashBytes = 39  // of an explicit hash key
	fastRecords   = 500 // of one PutRecords
)

// scanner reads the ordinary form of a body, in JSON or CBOR, without copying
// and without reflection: known members, each at most once, simple strings. It
// is no parser: at the first thing that is not ordinary it gives up, and the
// body takes the way of all operations.
type scanner interface {
	// openMap reads the start of a map, openList that of a list.
	openMap() bool
	openList() bool
	// next tells whether the innermost map or list goes on; over is true at
	// its end.
	next() (over, ok bool)
	// key reads the name of a member.
	key() ([]byte, bool)
	// text and blob read a string and binary data.
	text() ([]byte, bool)
	blob() ([]byte, bool)
	// end tells whether nothing follows.
	end() bool
}

// scanPutRecords reads a body of PutRecords.
func scanPutRecords(s scanner, p *put) bool {
	if !s.openMap() {
		return false
	}
	for {
		over, ok := s.next()
		if !ok {
			return false
		}
		if over {
			return s.end() && len(p.records) > 0 && p.addressed()
		}
		name, ok := s.key()
		if !ok {
			return false
		}
		switch string(name) {
		case "Records":
			ok = len(p.records) == 0 && scanRecords(s, p)
		default:
			ok = p.address(s, name)
		}
		if !ok {
			return false
		}
	}
}

// address reads a member that names the stream.
func (p *put) address(s scanner, name []byte) bool {
	var field *[]byte
	switch string(name) {
	case "StreamName":
		field = &p.streamName
	case "StreamARN":
		field = &p.streamARN
	case "StreamId":
		field = &p.streamID
	default:
		return false
	}
	return textOnce(s, field)
}

// addressed tells whether the stream is named at all.
func (p *put) addressed() bool { return p.streamName != nil || p.streamARN != nil }

func textOnce(s scanner, field *[]byte) bool {
	if *field != nil {
		return false
	}
	v, ok := s.text()
	if !ok {
		return false
	}
	*field = v
	return true
}

func scanRecords(s scanner, p *put) bool {
	if !s.openList() {
		return false
	}
	for {
		over, ok := s.next()
		if !ok || over {
			return ok
		}
		if len(p.records) == fastRecords || !s.openMap() {
			return false
		}
		var r putRecord
		if !scanRecord(s, &r) {
			return false
		}
		p.records = append(p.records, r)
	}
}

// scanRecord reads the members of one record up to the end of its map.
func scanRecord(s scanner, r *putRecord) bool {
	for {
		over, ok := s.next()
		if !ok {
			return false
		}
		if over {
			return r.ordinary()
		}
		name, ok := s.key()
		if !ok || !r.member(s, name) {
			return false
		}
	}
}

func (r *putRecord) member(s scanner, name []byte) bool {
	switch string(name) {
	case "Data":
		if r.data != nil {
			return false
		}
		var ok bool
		r.data, ok = s.blob()
		return ok
	case "PartitionKey":
		return textOnce(s, &r.partitionKey)
	case "ExplicitHashKey":
		return textOnce(s, &r.explicitHashKey)
	}
	return false
}

// ordinary tells whether the record keeps the constraints of the model.
func (r *putRecord) ordinary() bool {
	if r.data == nil || len(r.partitionKey) > fastKeyBytes || r.partitionKey != nil && len(r.partitionKey) == 0 {
		return false
	}
	h := r.explicitHashKey
	if h == nil {
		return true
	}
	if len(h) == 0 || len(h) > fastHashBytes || h[0] == '0' && len(h) > 1 {
		return false
	}
	for _, c := range h {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// scanPutRecord reads a body of PutRecord.
func scanPutRecord(s scanner, p *put) bool {
	if !s.openMap() {
		return false
	}
	var r putRecord
	for {
		over, ok := s.next()
		if !ok {
			return false
		}
		if over {
			p.records = append(p.records, r)
			return s.end() && r.ordinary() && p.addressed()
		}
		name, ok := s.key()
		if !ok {
			return false
		}
		if string(name) == "SequenceNumberForOrdering" {
			ok = textOnce(s, &p.ordering)
		} else {
			ok = r.member(s, name) || p.address(s, name)
		}
		if !ok {
			return false
		}
	}
}

// simple tells whether b can be taken for a string as it stands: UTF-8 without
// control characters.
func simple(b []byte) bool {
	ascii := true
	for _, c := range b {
		if c < ' ' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(b)
}
