package archive

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"weir/fragments"
)

// StreamID names a video stream for good, whatever its name becomes: lower
// case base32, so that it is safe in keys and paths.
type StreamID string

// Valid tells whether an id has the form that keys and paths need.
func (id StreamID) Valid() bool {
	if len(id) < 8 || len(id) > 40 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// objectPrefix is where the objects of a stream live in the store.
func objectPrefix(id StreamID) string { return "video/" + string(id) + "/" }

// ObjectKey is the key of a chunk in the store. It follows from the number
// alone, since a number tells the server time.
//
//	video/<stream-id>/<yyyy>/<mm>/<dd>/<hh>/<first-fragment-number>.mp4|mkv
func ObjectKey(id StreamID, c fragments.ChunkID) string {
	hour := time.UnixMicro(int64(c.First)).UTC().Format("2006/01/02/15")
	return objectPrefix(id) + hour + "/" + c.First.Short() + "." + c.Format.String()
}

// parseObjectKey is the inverse of ObjectKey.
func parseObjectKey(key string) (StreamID, fragments.ChunkID, bool) {
	rest, ok := strings.CutPrefix(key, "video/")
	id, _, found := strings.Cut(rest, "/")
	c, good := parseChunkName(path.Base(key))
	if !ok || !found || !good || !StreamID(id).Valid() || ObjectKey(StreamID(id), c) != key {
		return "", fragments.ChunkID{}, false
	}
	return StreamID(id), c, true
}

// parseChunkName reads <first-fragment-number>.<container>.
func parseChunkName(name string) (fragments.ChunkID, bool) {
	number, ext, _ := strings.Cut(name, ".")
	format, ok := fragments.ParseFormat(ext)
	n, err := fragments.ParseNumber(number)
	if !ok || err != nil {
		return fragments.ChunkID{}, false
	}
	return fragments.ChunkID{First: n, Format: format}, true
}

// Metadata keys of a stream. Numbers and times are written with 20 digits, so
// that key order is numeric order.
//
//	archive/<stream>/state                   what the stream goes on from, and its totals
//	archive/<stream>/chunk/<first number>    one chunk with its fragments
//	archive/<stream>/time/<start>/<number>   the same chunk by producer time: its summary
//	archive/<stream>/init/<version>          a set of tracks
//	archive/<stream>/trash/<number>          a chunk that is being deleted
func stateKey(id StreamID) string    { return "archive/" + string(id) + "/state" }
func chunkPrefix(id StreamID) string { return "archive/" + string(id) + "/chunk/" }
func timePrefix(id StreamID) string  { return "archive/" + string(id) + "/time/" }
func initPrefix(id StreamID) string  { return "archive/" + string(id) + "/init/" }
func trashPrefix(id StreamID) string { return "archive/" + string(id) + "/trash/" }

func chunkKey(id StreamID, n fragments.Number) string { return chunkPrefix(id) + n.Short() }
func trashKey(id StreamID, c fragments.ChunkID) string {
	return trashPrefix(id) + c.First.Short() + "." + c.Format.String()
}

func timeKey(id StreamID, start int64, n fragments.Number) string {
	return fmt.Sprintf("%s%020d/%s", timePrefix(id), max(start, 0), n.Short())
}

// parseTimeKey reads what timeKey wrote behind the prefix.
func parseTimeKey(key string) (start int64, n fragments.Number, err error) {
	at, number, ok := strings.Cut(key, "/")
	if !ok {
		return 0, 0, fmt.Errorf("malformed key %q", key)
	}
	if start, err = strconv.ParseInt(at, 10, 64); err == nil {
		n, err = fragments.ParseNumber(number)
	}
	return start, n, err
}

func initKey(id StreamID, version uint32) string {
	return fmt.Sprintf("%s%010d", initPrefix(id), version)
}
