package whep

import (
	"context"
	"net/netip"

	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcchannel"
	"weir/internal/rtcpeer"
	"weir/internal/signaling"
)

// Storage plays to the viewers of signalling channels what their master sends:
// here Weir makes the offer, over the channel. In a section of its own a viewer
// may speak, and hears the other viewers.
type Storage struct {
	Calls *rtcchannel.Calls
	WHEP  *WHEP
}

// Join calls a viewer of a channel, as soon as somebody sends into the stream
// that the channel is mapped to. Remote is where it asked from.
func (s *Storage) Join(c signaling.Channel, p signaling.Party, stream *live.Stream, remote netip.Addr) error {
	ready := func(ctx context.Context) error { return awaitProducer(ctx, stream) }
	return s.Calls.Place(c, p, ready, func(ctx context.Context, floor *rtcchannel.Floor) (*rtcchannel.Call, error) {
		// All that a viewer hears is of one group, which one element plays.
		talk := rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.Opus, Name: "viewers"})
		peer, offer, err := s.WHEP.Offer(ctx, Target{Live: stream, Pulled: true}, Options{
			Kind: "storage", Remote: remote, From: remote.String(),
			OnTrack: func(r *rtcpeer.Receiver) { floor.Receive(p.ClientID, r) },
			Want:    []rtcpeer.Want{{Codecs: []media.Codec{media.Opus}, Send: talk}},
		})
		if err != nil {
			return nil, err
		}
		return &rtcchannel.Call{
			Peer: peer, Offer: offer,
			Check:     func(*rtcpeer.Description) error { return nil },
			Connected: func() { floor.Listen(p.ClientID, talk) },
			Ended:     func(error) { floor.Leave(talk) },
		}, nil
	})
}

// awaitProducer waits until somebody sends.
func awaitProducer(ctx context.Context, s *live.Stream) error {
	for {
		_, changed := s.Demand()
		if s.Tracks() != nil || s.State().Producer != "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
