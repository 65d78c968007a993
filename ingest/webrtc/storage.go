package webrtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"

	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcchannel"
	"weir/internal/rtcpeer"
	"weir/internal/signaling"
)

// Storage records what the masters of signalling channels send: here Weir makes
// the offer, over the channel. What a viewer of the channel says goes back to
// the master, in the section in which its own sound comes.
type Storage struct {
	Calls    *rtcchannel.Calls
	Hub      *live.Hub
	Endpoint *rtcpeer.Endpoint
	Clock    clock.Clock  // nil means the clock of this machine
	Log      *slog.Logger // nil means none
}

// errCodecs refuses an answer: what is stored has H.264 and Opus.
var errCodecs = errors.New("the answer must send H.264 and Opus, both: what is stored has pictures and sound")

// Join calls the master of a channel, and records what it sends into the
// target. Remote is where it asked from.
func (s *Storage) Join(c signaling.Channel, t Target, remote netip.Addr) error {
	p := signaling.Party{Role: signaling.Master}
	return s.Calls.Place(c, p, nil, func(ctx context.Context, floor *rtcchannel.Floor) (*rtcchannel.Call, error) {
		session := NewSession(Options{
			// Who joined last is the master.
			Stream: s.Hub.Stream(t.StreamID), Hub: s.Hub, Kind: "storage session", Remote: remote.String(), Takeover: true,
			NotBefore: t.NotBefore, KeyEvery: t.KeyEvery, Clock: s.Clock, Log: s.Log,
		})
		talk := rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.Opus, Name: "viewers"})
		peer, offer, err := s.Endpoint.Offer(ctx, rtcpeer.PeerOptions{
			Kind: "storage", Remote: remote, OnTrack: session.Track, Receive: []media.Codec{media.H264, media.Opus}, Log: s.Log,
		}, []rtcpeer.Want{{Codecs: []media.Codec{media.H264}}, {Codecs: []media.Codec{media.Opus}, Send: talk}})
		if err != nil {
			return nil, fmt.Errorf("call the master of a channel: %w", err)
		}
		session.Start(peer)
		var packets atomic.Uint64
		return &rtcchannel.Call{
			Peer: peer, Offer: offer, Check: checkStored,
			Alive: func() bool {
				n := peer.State().PacketsIn
				return packets.Swap(n) != n
			},
			Connected: func() { floor.Listen("", talk) },
			Ended: func(error) {
				floor.Leave(talk)
				<-session.Done()
			},
		}, nil
	})
}

// checkStored wants an answer that sends what is stored.
func checkStored(d *rtcpeer.Description) error {
	pictures, sound := false, false
	for _, s := range d.Sections {
		if s.Rejected || !s.Sends {
			continue
		}
		pictures = pictures || s.Kind == media.Video && s.Offers(media.H264)
		sound = sound || s.Kind == media.Audio && s.Offers(media.Opus)
	}
	if !pictures || !sound {
		return errCodecs
	}
	return nil
}
