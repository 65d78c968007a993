package mkv

// Event is what a Reader finds: Header, Segment, Info, Tracks, Tags, Cluster,
// Block or ClusterEnd.
type Event interface{ event() }

// Header is the EBML header that begins a document.
type Header struct {
	DocType            string
	DocTypeReadVersion uint64
}

// Segment begins a segment.
type Segment struct{}

// Info says how times are to be read.
type Info struct {
	TimestampScale uint64  // nanoseconds a unit
	Duration       float64 // units, 0 when not told
	Title          string
	MuxingApp      string
	WritingApp     string
}

// Tracks are the tracks of the segment.
type Tracks []TrackEntry

// TrackEntry is one track as the producer declared it.
type TrackEntry struct {
	Number          uint64
	UID             uint64
	Type            uint64
	CodecID         string
	CodecPrivate    []byte
	Name            string
	Language        string
	DefaultDuration uint64 // nanoseconds a frame, 0 when not told
	CodecDelay      uint64 // nanoseconds
	Width, Height   int
	SampleRate      float64
	Channels        int
	BitDepth        int
	Encoded         bool // has content encodings: compressed or encrypted
}

// Tags are the tags of one Tags element.
type Tags []Tag

// Tag is a group of tags with one target.
type Tag struct {
	TrackUIDs []uint64 // empty: the whole segment
	Simple    []SimpleTag
}

// SimpleTag is one name and value.
type SimpleTag struct {
	Name   string
	Value  string
	Binary []byte
}

// Cluster begins a cluster. It comes with the cluster's timestamp.
type Cluster struct {
	Timestamp uint64 // units of Info.TimestampScale
	Offset    int64  // where the cluster begins in the input, bytes
}

// Block is one block: a frame, or several with lacing.
type Block struct {
	Track       uint64
	Timestamp   int64 // cluster time and relative time together, units
	Key         bool
	Discardable bool
	Invisible   bool
	Duration    uint64   // units, 0 when not told
	Frames      [][]byte // they share one array, which belongs to the receiver
	Offset      int64    // where its element begins in the input, bytes
}

// ClusterEnd ends a cluster: by its size, by what follows, or by the end of
// the input.
type ClusterEnd struct {
	Offset int64 // where the cluster ends in the input, bytes
}

func (Header) event()     {}
func (Segment) event()    {}
func (Info) event()       {}
func (Tracks) event()     {}
func (Tags) event()       {}
func (Cluster) event()    {}
func (Block) event()      {}
func (ClusterEnd) event() {}
