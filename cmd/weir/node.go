package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/ingest"
	"weir/ingest/demo"
	ingestrtsp "weir/ingest/rtsp"
	"weir/ingest/source"
	"weir/internal/auth"
	"weir/internal/config"
	"weir/internal/decode"
	"weir/internal/egress"
	"weir/internal/live"
	"weir/internal/rtcchannel"
	"weir/internal/rtcpeer"
	"weir/internal/rtspserver"
	"weir/internal/server"
	"weir/internal/signaling"
	"weir/internal/transcode"
	"weir/internal/turnserver"
	"weir/playback"
	"weir/playback/routes"
	"weir/playback/rtspplay"
	"weir/playback/segments"
	"weir/playback/whep"
	"weir/web"
)

// node is a running server: every part, in the order in which they stand on
// each other. close takes them down in the reverse order.
type node struct {
	storage
	registry   *prometheus.Registry
	hub        *live.Hub
	sources    *source.Supervisor
	verifier   *auth.Verifier
	keyStore   *auth.KeyStore
	audit      *auth.Audit
	server     *server.Server
	rtsp       *rtspserver.Server
	rtc        *rtcpeer.Endpoint // nil while WebRTC is off, like whep
	whep       *whep.WHEP
	broker     *signaling.Broker
	calls      *rtcchannel.Calls
	turn       *turnserver.Server // nil when it is off
	tls        *tls.Config
	decoders   *decode.Decoders
	transcodes *transcode.Streams
	makers     segments.Makers

	failed chan error // what ends the process
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// openNode builds and starts everything. On an error what was started is
// taken down again.
func openNode(ctx context.Context, s *config.Settings, log *slog.Logger) (*node, error) {
	n := &node{failed: make(chan error, 8)}
	n.storage = newStorage(s, log, n.fail)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	err := openSteps(ctx, []step{
		{"data directory", n.openData},
		{"keys", n.openKeys},
		{"store", n.openStore},
		{"metadata", n.openMeta},
		{"archive", n.openArchive},
		{"catalogue", n.openCatalogue},
		{"data streams", n.openDataStreams},
		{"live streams", n.openLive},
		{"transcoding", n.openTranscoding},
		{"sources", n.openSources},
		{"notifications", n.openNotifications},
		{"keys and audit log", n.openKeyStore},
		{"WebRTC", n.openWebRTC},
		{"HTTP", n.openHTTP},
		{"RTSP", n.openRTSP},
		{"WebRTC routes", n.registerWebRTC},
		{"TURN", n.openTURN},
		{"listeners", n.start},
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; stop the program that listens there, or choose another address (weir serve --help)", err)
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// close takes everything down and reports what failed.
func (n *node) close() error {
	n.cancel()
	err := n.storage.close()
	n.wg.Wait()
	return err
}

// fail ends the process for a reason.
func (n *node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// openLive joins the live streams to the recorders.
func (n *node) openLive(context.Context) error {
	n.hub = live.NewHub(live.Options{Clock: n.clock})
	recorders := ingest.NewRecorders(n.hub, n.archive, n.log)
	n.onClose("recorders", func() error { recorders.Close(); return nil })
	n.catalogue.Listen(recorders)
	n.wg.Go(func() {
		if err := n.catalogue.FinishDeletions(n.ctx); err != nil && n.ctx.Err() == nil {
			n.log.Error("finish deletions", "err", err)
		}
	})
	return nil
}

func (n *node) openSources(context.Context) error {
	var err error
	dialer := egress.NewDialer(n.settings.CameraNetworks())
	n.sources, err = source.NewSupervisor(source.Options{
		Hub: n.hub, Dial: dialer.DialContext, Clock: n.clock, Log: n.log,
		NotBefore: func(id string) int64 { return recordedUntil(n.archive, archive.StreamID(id)) },
	})
	if err != nil {
		return err
	}
	n.onClose("sources", func() error { n.sources.Close(); return nil })
	n.catalogue.Listen(pulls{n.sources, n.log})
	return nil
}

func (n *node) openHTTP(context.Context) error {
	n.registry = prometheus.NewRegistry()
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newMetrics(n.archive, n.catalogue, n.hub), newStreamMetrics(n.streams), newAuditMetrics(n.audit),
		newTranscodeMetrics(n.decoders, n.transcodes, n.catalogue))
	var err error
	n.verifier, err = auth.NewVerifier(auth.Options{
		Keys: n.keyStore, Audit: n.audit, Account: n.settings.Account, HomeRegion: n.settings.Region, Keyring: n.keyring, Streams: passwords{n.catalogue}, Clock: n.clock,
		AllowMD5: n.settings.RTSPAllowMD5, SessionTime: n.settings.SessionTime.Std(), AllowedOrigins: n.settings.AllowedOrigin,
	})
	if err != nil {
		return err
	}
	if err := n.openTLS(); err != nil {
		return err
	}
	n.server, err = server.New(server.Options{
		Listen: n.settings.Listen, TLSListen: n.settings.TLSListen, TLS: n.tls, Verifier: n.verifier, Log: n.log,
		Registry: n.registry, AllowedOrigins: n.settings.AllowedOrigin,
		Rewrite: func(u *url.URL) { playback.MoveToken(u) }, MaxConns: n.settings.MaxConns, MaxConnsPerIP: n.settings.MaxConnsPerIP,
	})
	if err != nil {
		return err
	}
	play := routes.New(routes.Options{
		Catalogue: n.catalogue, Archive: n.archive, Verifier: n.verifier, Clock: n.clock, Log: n.log,
		Address: n.addresses, TokenTime: n.settings.TokenTime.Std(), Makers: n.makers,
	})
	play.Register(n.server)
	n.catalogue.Listen(play)
	api := catalogue.NewAPI(n.catalogue, n.hub, n.archive, pulls{n.sources, n.log}, audience{n, play})
	api.ShowTranscodes(transcodeStates{n.transcodes})
	api.Register(n.server)
	n.wg.Go(func() { api.Watch(n.ctx) })
	n.registerSession()
	n.registerKeys()
	n.server.Public("GET /v1/openapi.json", http.HandlerFunc(serveOpenAPI))
	web.Register(n.server)
	n.server.AddCheck("store", n.storeReady)
	return n.registerAWS()
}

func (n *node) openTLS() error {
	var err error
	var cert *server.Certificate
	switch {
	case n.settings.TLSCert != "":
		cert, err = server.LoadCertificate(n.disk, n.settings.TLSCert, n.settings.TLSKey, n.log)
	case n.settings.TLSSelfSigned:
		cert, err = server.SelfSigned(n.disk, n.settings.DataDir, append(hostName(), n.settings.PublicHost...), n.log)
	default:
		return nil
	}
	if err == nil {
		n.tls = cert.TLSConfig()
	}
	return err
}

func (n *node) openRTSP(context.Context) error {
	if n.settings.RTSPListen == "" && n.settings.RTSPSListen == "" {
		return nil
	}
	var err error
	n.rtsp, err = rtspserver.New(rtspserver.Options{
		Listen: n.settings.RTSPListen, TLSListen: n.settings.RTSPSListen, TLSConfig: n.tls,
		UDP: n.settings.RTSPRTPListen != "", RTPAddress: n.settings.RTSPRTPListen, RTCPAddress: n.settings.RTSPRTCPListen,
		Authenticator: rtspAuth{n.verifier, n.clock}, Log: n.log,
	})
	if err != nil {
		return err
	}
	publish := &ingestrtsp.Handler{Catalogue: publishers{n.catalogue, n.archive}, Hub: n.hub, Clock: n.clock, Log: n.log}
	play := &rtspplay.Handler{Find: players{n.catalogue, n.archive, n.hub}.find, Clock: n.clock, Log: n.log}
	n.onClose("RTSP players", func() error { play.Close(); return nil })
	n.rtsp.Register(publish, play)
	return nil
}

// start opens the listeners last, when everything behind them works.
func (n *node) start(context.Context) error {
	if n.settings.Demo && n.rtsp != nil {
		if err := n.makeDemo(); err != nil {
			return err
		}
	}
	if err := n.server.Listen(); err != nil {
		return err
	}
	n.wg.Go(func() { n.catalogue.KeepDescribed(n.ctx) })
	n.wg.Go(func() {
		if err := n.server.Serve(); err != nil {
			n.fail(fmt.Errorf("serve HTTP: %w", err))
		}
	})
	n.onClose("HTTP", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), n.settings.DrainTimeout.Std())
		defer cancel()
		return n.server.Shutdown(ctx)
	})
	if n.rtsp == nil {
		return nil
	}
	if err := n.rtsp.Start(); err != nil {
		return err
	}
	n.onClose("RTSP", func() error { n.rtsp.Close(); return nil })
	if n.settings.Demo {
		return n.startDemo()
	}
	return nil
}

// makeDemo makes the demo stream, if it is not there, before anybody can ask
// for it.
func (n *node) makeDemo() error {
	_, err := n.catalogue.Get(demoName)
	if errors.Is(err, catalogue.ErrNotFound) {
		_, _, err = n.catalogue.Put(n.ctx, n.catalogue.New(demoName))
	}
	return err
}

// startDemo starts the demo camera and what puts into the sample data stream.
func (n *node) startDemo() error {
	u := url.URL{Scheme: "rtsp", Host: n.rtsp.Addr().String(), Path: "/" + demoName,
		User: url.UserPassword(n.keys.AccessKey, n.keys.Secret.Reveal())}
	n.wg.Go(func() {
		if err := demo.Run(n.ctx, u.String(), n.log); err != nil {
			n.log.Error("the demo camera does not work", "err", err)
		}
	})
	n.wg.Go(func() {
		if err := n.putDemo(n.ctx); err != nil && n.ctx.Err() == nil {
			n.log.Error("the demo data stream does not work", "err", err)
		}
	})
	return nil
}

const demoName = "demo"

// localURL is the address of the console for a browser on this machine.
func (n *node) localURL() string {
	if n.settings.PublicURL != "" {
		return n.settings.PublicURL
	}
	if a := n.server.Addr(); a != nil {
		return "http://" + reachable(a)
	}
	return "https://" + reachable(n.server.TLSAddr())
}

// localRTSP is the address of RTSP for a program on this machine.
func (n *node) localRTSP() string {
	if n.settings.PublicRTSP != "" {
		return n.settings.PublicRTSP
	}
	if a := n.rtsp.Addr(); a != nil {
		return "rtsp://" + reachable(a)
	}
	return "rtsps://" + reachable(n.rtsp.TLSAddr())
}

// reachable turns a listener's address into one to connect to.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
