package main

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	ingestwebrtc "weir/ingest/webrtc"
	"weir/internal/rtchttp"
	"weir/internal/rtcpeer"
	"weir/internal/server"
)

// openWebRTC opens the port of WebRTC and registers WHIP and WHEP, unless it
// is turned off.
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
	var err error
	n.rtc, err = rtcpeer.Listen(rtcpeer.Options{
		Listen: n.settings.WebRTCListen, PublicHosts: n.settings.PublicHost, ICEServers: servers, MoreICEServers: n.relaysFor, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.registry.MustRegister(n.rtc)
	whip := &ingestwebrtc.WHIP{Catalogue: rtcPublishers{n.catalogue, n.archive}, Hub: n.hub, Endpoint: n.rtc, Clock: n.clock, Log: n.log}
	in := rtchttp.New(rtchttp.Options{Path: "whip", Opener: whip, Endpoint: n.rtc, Log: n.log})
	in.Register(n.server)
	n.onClose("WebRTC", func() error {
		err := n.rtc.Close()
		in.Close()
		whip.Close()
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
