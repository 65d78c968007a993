package kinesis

import (
	"slices"
	"sync"
	"unsafe"

	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
)

// keptScratch is the largest buffer for decoded data that is used again.
const keptScratch = 2 << 20

// scratch is what a put needs while it runs, used again by later ones.
type scratch struct {
	put     put
	entries []streams.Entry
	results []streams.EntryResult
	data    []byte // what base64 was decoded into
}

var scratches = sync.OnceValue(func() *sync.Pool { return &sync.Pool{New: func() any { return new(scratch) }} })

// release gives the scratch back. Nothing of the put may be used any more.
func (s *scratch) release() {
	if cap(s.data) > keptScratch {
		return
	}
	clear(s.entries)
	clear(s.results)
	clear(s.put.records)
	scratches().Put(s)
}

// scanner begins to read a body.
func (s *scratch) scanner(e awsapi.Encoding, body []byte) scanner {
	s.put = put{records: s.put.records[:0]}
	if e == awsapi.AmzCBOR {
		return &cborScanner{in: body}
	}
	s.data = slices.Grow(s.data[:0], len(body)/4*3+3)
	return &jsonScanner{in: body, data: s.data}
}

// ref names the stream; ok tells whether the names keep the constraints of the
// model.
func (s *scratch) ref() (streams.Ref, bool) {
	in := &model.DescribeStreamSummaryInput{}
	for _, m := range []struct {
		from []byte
		to   **string
	}{{s.put.streamName, &in.StreamName}, {s.put.streamARN, &in.StreamARN}, {s.put.streamID, &in.StreamId}} {
		if m.from != nil {
			*m.to = new(string(m.from))
		}
	}
	return ref(in.StreamName, in.StreamARN), awsapi.Validate(in) == nil
}

// fill makes entries of the records, which are views of the body.
func (s *scratch) fill() {
	s.entries = s.entries[:0]
	for _, r := range s.put.records {
		s.entries = append(s.entries, streams.Entry{Data: r.data, PartitionKey: view(r.partitionKey), ExplicitHashKey: view(r.explicitHashKey)})
	}
	s.size()
}

// size makes one result for each entry.
func (s *scratch) size() {
	s.results = slices.Grow(s.results[:0], len(s.entries))[:len(s.entries)]
}

// view is b as a string, without copying. Streams keep nothing of an entry
// beyond the call, and the body is not written to before it is over.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
