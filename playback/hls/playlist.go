package hls

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"weir/fragments"
	"weir/internal/media"
)

// Playlist is a media playlist. Append renders it.
type Playlist struct {
	form          form
	Type          string // "VOD", "EVENT" or "" for a sliding window
	Target        time.Duration
	PartTarget    time.Duration // 0 when it has no parts
	Sequence      uint64
	Discontinuity uint64
	Offset        time.Duration // where players shall start, from the first segment
	Skip          int           // segments that a delta update leaves out
	Ended         bool
	Hint          string // address of the next part
	Reports       []Report
}

// Report tells where the other renditions are.
type Report struct {
	URI  string
	MSN  uint64
	Part int // -1 without parts
}

// appendHead renders all tags before the first segment.
func (p *Playlist) appendHead(b []byte) []byte {
	version := 7
	switch {
	case p.Skip > 0 || p.PartTarget > 0:
		version = 9
	case p.form.ts():
		version = 6
	}
	b = fmt.Appendf(b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:%d\n",
		version, int(p.Target/time.Second))
	if !p.Ended {
		b = append(b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES"...)
		b = fmt.Appendf(b, ",CAN-SKIP-UNTIL=%s", seconds(skipUntil*p.Target))
		b = fmt.Appendf(b, ",HOLD-BACK=%s", seconds(holdBack*p.Target))
		if p.PartTarget > 0 {
			b = fmt.Appendf(b, ",PART-HOLD-BACK=%s\n#EXT-X-PART-INF:PART-TARGET=%s",
				seconds(partHoldBack*p.PartTarget), seconds(p.PartTarget))
		}
		b = append(b, '\n')
	}
	b = fmt.Appendf(b, "#EXT-X-MEDIA-SEQUENCE:%d\n", p.Sequence)
	if p.Discontinuity > 0 {
		b = fmt.Appendf(b, "#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", p.Discontinuity)
	}
	if p.Type != "" {
		b = fmt.Appendf(b, "#EXT-X-PLAYLIST-TYPE:%s\n", p.Type)
	}
	if p.Offset > 0 {
		b = fmt.Appendf(b, "#EXT-X-START:TIME-OFFSET=%s,PRECISE=YES\n", seconds(p.Offset))
	}
	if p.Skip > 0 {
		b = fmt.Appendf(b, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%d\n", p.Skip)
	}
	return b
}

// appendTail renders all tags behind the last segment.
func (p *Playlist) appendTail(b []byte) []byte {
	if p.Hint != "" {
		b = fmt.Appendf(b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=%q\n", p.Hint)
	}
	for _, r := range p.Reports {
		b = fmt.Appendf(b, "#EXT-X-RENDITION-REPORT:URI=%q,LAST-MSN=%d", r.URI, r.MSN)
		if r.Part >= 0 {
			b = fmt.Appendf(b, ",LAST-PART=%d", r.Part)
		}
		b = append(b, '\n')
	}
	if p.Ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	return b
}

// appendJoin renders what stands between two segments: a discontinuity, and
// the init segment where it is the first or another one. prevInit is 0 before
// the first segment.
func (p *Playlist) appendJoin(b []byte, prevInit uint32, s *Segment) []byte {
	if s.Discontinuity && prevInit != 0 {
		b = append(b, "#EXT-X-DISCONTINUITY\n"...)
	}
	if !p.form.ts() && s.Init != prevInit {
		b = fmt.Appendf(b, "#EXT-X-MAP:URI=%q\n", initURI(s.Init, p.form))
	}
	return b
}

// appendSegment renders one segment with its parts. dated adds the time of
// its first sample.
func (p *Playlist) appendSegment(b []byte, s *Segment, dated bool) []byte {
	if dated {
		b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
		b = s.Start.AppendFormat(b, "2006-01-02T15:04:05.000Z")
		b = append(b, '\n')
	}
	for i, part := range s.Parts {
		b = fmt.Appendf(b, "#EXT-X-PART:DURATION=%s,URI=%q", seconds(part.Duration), partURI(s.Seq, p.form.track, i))
		if part.Independent {
			b = append(b, ",INDEPENDENT=YES"...)
		}
		b = append(b, '\n')
	}
	if s.Open {
		return b
	}
	if s.Gap {
		b = append(b, "#EXT-X-GAP\n"...)
	}
	b = append(b, "#EXTINF:"...)
	b = strconv.AppendFloat(b, s.Duration.Seconds(), 'f', 5, 64)
	b = append(b, ",\n"...)
	b = p.form.appendURI(b, s.Number)
	return append(b, '\n')
}

// appendURI is the address of a segment.
func (f form) appendURI(b []byte, n fragments.Number) []byte {
	b = append(b, "seg/"...)
	b = append(b, n.Short()...)
	if f.ts() {
		return append(b, ".ts"...)
	}
	b = append(b, '/')
	b = append(b, f.name()...)
	return append(b, ".m4s"...)
}

func initURI(version uint32, f form) string {
	return fmt.Sprintf("init/%d/%s.mp4", version, f.name())
}

func partURI(seq uint64, track media.TrackID, i int) string {
	return fmt.Sprintf("part/%d/%d/%d.m4s", seq, track, i)
}

// seconds renders a duration for an attribute.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// wholeSeconds rounds as players do when they compare with TARGETDURATION.
func wholeSeconds(d time.Duration) time.Duration {
	return time.Duration(math.Round(d.Seconds())) * time.Second
}
