package rtcpeer

import (
	"context"
	"fmt"
	"net"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// captureTimeURI is the header extension that carries when a frame was
// captured, so that a viewer can tell how late it is.
const captureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

// engine makes the media engine of a peer: these codecs, and the header
// extensions that Weir knows. Orientation is left out on purpose: a browser
// that may not send it turns its pictures itself, and recordings are upright.
func engine(codecs []Codec) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for _, c := range codecs {
		kind := webrtc.RTPCodecTypeVideo
		if c.Codec.Kind() == media.Audio {
			kind = webrtc.RTPCodecTypeAudio
		}
		for _, p := range c.pion() {
			if err := m.RegisterCodec(p, kind); err != nil {
				return nil, fmt.Errorf("register %s: %w", c.Codec, err)
			}
		}
	}
	for _, x := range []struct {
		uri   string
		kinds []webrtc.RTPCodecType
	}{
		{sdp.SDESMidURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio}},
		{sdp.SDESRTPStreamIDURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}},
		{sdp.SDESRepairRTPStreamIDURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}},
		{sdp.TransportCCURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio}},
		{sdp.AudioLevelURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio}},
		{captureTimeURI, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio}},
	} {
		for _, kind := range x.kinds {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: x.uri}, kind); err != nil {
				return nil, fmt.Errorf("register header extension: %w", err)
			}
		}
	}
	return m, nil
}

// interceptors makes the chain of a peer, from the network to us:
//
//	meter, bandwidth estimate, transport sequence numbers, bound of resending, answers to NACK, reports
//
// Sender reports are not among them: a Sender writes its own, which tell
// producer time and not when a packet left. Nor is what asks for packets again:
// a Receiver does.
func (p *Peer) interceptors() (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	estimate, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(startRate), gcc.SendSideBWEMinBitrate(leastRate),
			gcc.SendSideBWEMaxBitrate(mostRate), gcc.SendSideBWEPacer(newDirectPacer()), gcc.WithLoggerFactory(pionLog{p.log}))
	})
	if err != nil {
		return nil, err
	}
	estimate.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { p.estimator = e })
	sequence, err := twcc.NewHeaderExtensionInterceptor()
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(pionLog{p.log}))
	if err != nil {
		return nil, err
	}
	answers, err := nack.NewResponderInterceptor(nack.ResponderSize(historySize), nack.WithResponderLoggerFactory(pionLog{p.log}))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(pionLog{p.log}))
	if err != nil {
		return nil, err
	}
	for _, f := range []interceptor.Factory{&metering{meters: [2]*meter{&p.meter, &p.endpoint.meter}}, estimate, sequence, feedback, &resends{}, answers, reports} {
		r.Add(f)
	}
	return r, nil
}

// settings are those of every peer.
func (e *Endpoint) settings(log pionLog) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: log}
	s.SetICEUDPMux(e.udp)
	s.SetICETCPMux(e.tcp)
	s.DisableActiveTCP(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(disconnectedTime, failedTime, keepAlive)
	bound := e.addr.Addr().Unmap()
	s.SetIncludeLoopbackCandidate(bound.IsLoopback())
	if !bound.IsUnspecified() {
		s.SetIPFilter(func(ip net.IP) bool { return ip.Equal(bound.AsSlice()) })
	}
	if len(e.public) > 0 {
		if err := s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: e.public, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteAppend,
		}); err != nil {
			return s, fmt.Errorf("offer public addresses: %w", err)
		}
	}
	s.SetDTLSReplayProtectionWindow(64)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetSRTCPReplayProtectionWindow(64)
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), connectTime)
	})
	return s, nil
}
