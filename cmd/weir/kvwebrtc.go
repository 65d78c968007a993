package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/pion/webrtc/v4"

	"weir/fragments/control"
	ingestwebrtc "weir/ingest/webrtc"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/egress"
	"weir/internal/rtcchannel"
	"weir/internal/rtcpeer"
	"weir/internal/signaling"
	"weir/internal/turnserver"
	"weir/playback/whep"
)

// openSignaling opens the broker of signalling channels.
func (n *node) openSignaling() error {
	var err error
	n.broker, err = signaling.New(signaling.Options{AWSLimits: n.settings.AWSLimits, Log: n.log, Registry: n.registry})
	if err != nil {
		return err
	}
	n.calls = rtcchannel.New(rtcchannel.Options{Broker: n.broker, AWSLimits: n.settings.AWSLimits, Log: n.log})
	n.onClose("signaling", func() error {
		n.calls.Close()
		n.broker.Close()
		return nil
	})
	return nil
}

// openTURN opens the TURN server for WebRTC peers.
func (n *node) openTURN(context.Context) error {
	if n.settings.TURNListen == "" {
		return nil
	}
	public, err := n.publicAddresses()
	if err != nil {
		return err
	}
	n.turn, err = turnserver.Listen(turnserver.Options{
		Listen: n.settings.TURNListen, Ports: turnserver.PortRange(n.settings.TURNRelayPorts), Public: public,
		Keys: n.keyring.TURNKeys, Check: egress.NewDialer(n.settings.CameraNetworks()).Check, Own: n.webrtcAddresses,
		AWSLimits: n.settings.AWSLimits, Log: n.log, Registry: n.registry,
	})
	if err != nil {
		return err
	}
	n.onClose("TURN", n.turn.Close)
	return nil
}

// resolveTime is how long the start waits for the names of public hosts.
const resolveTime = 10 * time.Second

// publicAddresses are those of --public-host, names resolved.
func (n *node) publicAddresses() ([]netip.Addr, error) {
	var list []netip.Addr
	for _, host := range n.settings.PublicHost {
		if a, err := netip.ParseAddr(host); err == nil {
			list = append(list, a.Unmap())
			continue
		}
		ctx, cancel := context.WithTimeout(n.ctx, resolveTime)
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("find the addresses of public host %s: %w", host, err)
		}
		for _, a := range found {
			list = append(list, a.Unmap())
		}
	}
	return list, nil
}

// webrtcAddresses are those of the WebRTC port, which relays may reach.
func (n *node) webrtcAddresses() []netip.AddrPort {
	if n.rtc == nil {
		return nil
	}
	return n.rtc.Addresses()
}

// storageSessions are the peers of signalling channels that this server is
// itself: masters are recorded, viewers watch.
type storageSessions struct{ n *node }

// Join implements control.Storage.
func (s storageSessions) Join(_ context.Context, x control.StorageSession) error {
	n := s.n
	if n.rtc == nil {
		return control.NoWebRTC()
	}
	var err error
	switch x.Party.Role {
	case signaling.Viewer:
		viewers := &whep.Storage{Calls: n.calls, WHEP: n.whep}
		err = viewers.Join(x.Channel, x.Party, n.hub.Stream(string(x.Stream.ID)), x.Remote)
	case signaling.Master:
		storage := &ingestwebrtc.Storage{Calls: n.calls, Hub: n.hub, Endpoint: n.rtc, Clock: n.clock, Log: n.log}
		err = storage.Join(x.Channel, rtcTarget(n.archive, x.Stream.Stream), x.Remote)
	}
	if errors.Is(err, rtcpeer.ErrBusy) {
		return control.TooMany(err)
	}
	return err
}

// relaysFor are the STUN and TURN server for a peer of WHIP or WHEP. Those of
// one stream share a number of relays, as those of one channel do.
func (n *node) relaysFor(stream, user string) []webrtc.ICEServer {
	// One that listens for this machine only is of no use to peers from
	// elsewhere.
	if n.turn == nil || !n.turn.Serves(n.rtc.Addr().Addr()) {
		return nil
	}
	stun, turn := n.turn.URLs("")
	c := n.turn.Credentials("stream "+stream, user)
	return []webrtc.ICEServer{{URLs: []string{stun}}, {URLs: turn, Username: c.Username, Credential: c.Password}}
}

// iceServers are the STUN and TURN server for a client of a channel.
func (n *node) iceServers(r *http.Request, channel, client string) []kvsignaling.IceServer {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || n.turn == nil || !n.turn.Serves(from.Addr()) {
		return nil
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	stun, turn := n.turn.URLs(host)
	c := n.turn.Credentials(channel, client)
	return []kvsignaling.IceServer{{
		Uris: append([]string{stun}, turn...), Username: &c.Username, Password: &c.Password, Ttl: new(int32(c.Life.Seconds())),
	}}
}
