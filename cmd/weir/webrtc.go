package main

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	ingestwebrtc "weir/ingest/webrtc"
	"weir/internal/live"
	"weir/internal/rtchttp"
	"weir/internal/rtcpeer"
	"weir/internal/server"
	"weir/playback/routes"
	"weir/playback/whep"
)

// openWebRTC opens the port of WebRTC, unless it is turned off.
func (n *node) openWebRTC(context.Context) error {
	if n.settings.WebRTCListen == "" {
		return nil
	}
	var servers []webrtc.ICEServer
	for _, text := range n.settings.ICEServer {
		s, err := rtcpeer.ParseICEServer(text)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	public, err := n.publicAddresses()
	if err != nil {
		return err
	}
	n.rtc, err = rtcpeer.Listen(rtcpeer.Options{
		Listen: n.settings.WebRTCListen, Public: public, ICEServers: servers, MoreICEServers: n.relaysFor, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.onClose("WebRTC port", n.rtc.Close)
	n.whep = &whep.WHEP{Find: rtcViewers{n.catalogue, n.hub}.find, Endpoint: n.rtc, Hub: n.hub, Log: n.log}
	if n.decoders.Available() == nil {
		n.whep.Transcoder = n.transcodes
	}
	return nil
}

// registerWebRTC registers WHIP and WHEP.
func (n *node) registerWebRTC(context.Context) error {
	if n.rtc == nil {
		return nil
	}
	n.registry.MustRegister(n.rtc)
	whip := &ingestwebrtc.WHIP{Catalogue: rtcPublishers{n.catalogue, n.archive}, Hub: n.hub, Endpoint: n.rtc, Clock: n.clock, Log: n.log}
	in := rtchttp.New(rtchttp.Options{Path: "whip", Opener: whip, Endpoint: n.rtc, Log: n.log})
	in.Register(n.server)
	out := rtchttp.New(rtchttp.Options{Path: "whep", Opener: n.whep, Endpoint: n.rtc, Log: n.log})
	out.Register(n.server)
	n.onClose("WebRTC sessions", func() error {
		err := n.rtc.Close()
		in.Close()
		out.Close()
		whip.Close()
		n.whep.Close()
		return err
	})
	return nil
}

// rtcPublishers finds the stream that a WebRTC peer publishes to, as
// publishers does for RTSP.
type rtcPublishers struct {
	c *catalogue.Catalogue
	a *archive.Archive
}

// Resolve implements the publish side's catalogue.
func (p rtcPublishers) Resolve(ctx context.Context, name string) (ingestwebrtc.Target, error) {
	s, err := p.c.Get(name)
	if errors.Is(err, catalogue.ErrNotFound) {
		s, _, err = p.c.Put(ctx, p.c.New(name))
	}
	var field *catalogue.FieldError
	switch {
	case errors.As(err, &field):
		return ingestwebrtc.Target{}, server.Invalid(field.Field, "%v", field)
	case errors.Is(err, catalogue.ErrConflict), errors.Is(err, catalogue.ErrTooMany):
		return ingestwebrtc.Target{}, server.Conflict("%v", err)
	case err != nil:
		return ingestwebrtc.Target{}, err
	}
	return rtcTarget(p.a, s), nil
}

// rtcTarget is where a WebRTC peer publishes that may publish to a stream.
func rtcTarget(a *archive.Archive, s catalogue.Stream) ingestwebrtc.Target {
	return ingestwebrtc.Target{
		StreamID: string(s.ID), Takeover: s.Takeover, NotBefore: recordedUntil(a, s.ID),
		KeyEvery: time.Duration(s.FragmentSeconds * float64(time.Second)),
	}
}

// rtcViewers finds what WebRTC viewers ask for.
type rtcViewers struct {
	c   *catalogue.Catalogue
	hub *live.Hub
}

func (v rtcViewers) find(_ context.Context, name string) (whep.Target, error) {
	s, err := v.c.Get(name)
	if errors.Is(err, catalogue.ErrNotFound) {
		return whep.Target{}, server.NotFound("%v", err)
	}
	if err != nil {
		return whep.Target{}, err
	}
	return whep.Target{Live: v.hub.Stream(string(s.ID)), Pulled: s.Source != nil}, nil
}

// audience is everybody who watches over HTTP and WebRTC.
type audience struct {
	n    *node
	play *routes.Routes
}

// Viewers implements catalogue.Viewers.
func (a audience) Viewers(id string) int {
	n := a.play.Viewers(id)
	if a.n.whep != nil {
		n += len(a.n.whep.Viewers(id))
	}
	return n
}

// ViewerList implements catalogue.ViewerList.
func (a audience) ViewerList(id string) any {
	if a.n.whep == nil {
		return nil
	}
	if list := a.n.whep.Viewers(id); len(list) > 0 {
		return list
	}
	return nil
}
