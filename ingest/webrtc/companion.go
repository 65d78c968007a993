package webrtc

import (
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/pion/rtp"

	"weir/ingest"
)

// companion publishes a lower layer of simulcast beside the stream.
type companion struct {
	id      string
	session *ingest.Session
	in      ingest.Track
}

// openCompanion begins one. Its producer is the peer that also publishes the
// stream, and whoever published a layer of that name before is gone.
func (s *Session) openCompanion(rid string, m *description.Media, ask func()) (*companion, error) {
	c := &companion{id: s.opts.Stream.ID() + "~" + rid}
	var err error
	c.session, err = ingest.Open(ingest.Options{
		Stream: s.opts.Hub.Stream(c.id), Kind: s.opts.Kind, Remote: s.opts.Remote, Takeover: true, OnKeyRequest: ask,
		Description: &description.Session{Medias: []*description.Media{m}}, Clock: s.opts.Clock, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	c.in, _ = c.session.Track(m)
	return c, nil
}

func (c *companion) write(p *rtp.Packet, at time.Time) { c.in.WriteRTP(p, at) }

// close ends the companion, and with it its readers: they go back to the
// stream.
func (s *Session) closeCompanion(c *companion) {
	c.session.Close(nil)
	s.opts.Hub.Drop(c.id)
}
