// Package config is the one schema of Weir's settings. Each field of
// [Settings] is at once a flag of `weir serve` (through kong), a key of the
// YAML file and an environment variable; a flag wins over the environment,
// which wins over the file, which wins over the default.
//
// The life of the settings is: parse, default, validate, use. Nothing changes
// them afterwards: what can change while Weir runs (streams, keys) is not a
// setting but lives in the metadata.
//
// Example:
//
//	# weir.yaml
//	data-dir: /var/lib/weir
//	listen: 0.0.0.0:7070
//	store: s3://footage?endpoint=http://127.0.0.1:9000
//	retention: 30d
//	camera-network: [192.168.20.0/24]
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Settings is the schema. The tags are kong's: what they say is shown by
// `weir serve --help` and in docs/reference/configuration.md.
type Settings struct {
	Config  string `name:"config" env:"WEIR_CONFIG" placeholder:"FILE" group:"Start" help:"YAML file with any of these settings, under the same names." example:"/etc/weir/weir.yaml"`
	DataDir string `name:"data-dir" env:"WEIR_DATA_DIR" default:"./weir-data" placeholder:"DIR" group:"Start" help:"Where Weir keeps keys, metadata, the spool and, unless there is another store, everything else." example:"/var/lib/weir"`
	Demo    bool   `name:"demo" env:"WEIR_DEMO" group:"Start" help:"Publish a looping demo camera and put records into a sample data stream."`

	Listen        string   `name:"listen" env:"WEIR_LISTEN" default:"127.0.0.1:7070" placeholder:"ADDR" group:"HTTP" help:"HTTP: console, native API, playback, metrics. Empty turns it off." example:"0.0.0.0:7070"`
	TLSListen     string   `name:"tls-listen" env:"WEIR_TLS_LISTEN" placeholder:"ADDR" group:"HTTP" help:"The same over TLS; needs a certificate." example:"0.0.0.0:7443"`
	TLSCert       string   `name:"tls-cert" env:"WEIR_TLS_CERT" placeholder:"FILE" group:"HTTP" help:"Certificate chain, PEM. It is read again when the file changes." example:"/etc/weir/tls.crt"`
	TLSKey        string   `name:"tls-key" env:"WEIR_TLS_KEY" placeholder:"FILE" group:"HTTP" help:"Private key of the certificate, PEM." example:"/etc/weir/tls.key"`
	TLSSelfSigned bool     `name:"tls-self-signed" env:"WEIR_TLS_SELF_SIGNED" group:"HTTP" help:"Make a certificate of our own when none is given."`
	PublicURL     string   `name:"public-url" env:"WEIR_PUBLIC_URL" placeholder:"URL" group:"HTTP" help:"Address under which clients reach the HTTP listener; used in the addresses that Weir prints." example:"https://weir.example.com"`
	AllowedOrigin []string `name:"allowed-origin" env:"WEIR_ALLOWED_ORIGIN" placeholder:"ORIGIN" group:"HTTP" help:"Web origins whose pages may use the API and play streams." example:"https://dashboard.example.com"`
	MaxConns      int      `name:"max-connections" env:"WEIR_MAX_CONNECTIONS" default:"10000" group:"HTTP" help:"HTTP connections at a time." example:"20000"`
	MaxConnsPerIP int      `name:"max-connections-per-address" env:"WEIR_MAX_CONNECTIONS_PER_ADDRESS" default:"1000" group:"HTTP" help:"HTTP connections at a time from one client address other than loopback." example:"100"`
	DrainTimeout  Duration `name:"drain-timeout" env:"WEIR_DRAIN_TIMEOUT" default:"15s" group:"HTTP" help:"How long requests may take to finish after SIGTERM." example:"1m"`

	RTSPListen     string `name:"rtsp-listen" env:"WEIR_RTSP_LISTEN" default:"127.0.0.1:8554" placeholder:"ADDR" group:"RTSP" help:"RTSP over TCP and HTTP. Empty turns it off." example:"0.0.0.0:8554"`
	RTSPSListen    string `name:"rtsps-listen" env:"WEIR_RTSPS_LISTEN" placeholder:"ADDR" group:"RTSP" help:"RTSP over TLS, with the certificate of the TLS settings." example:"0.0.0.0:8322"`
	RTSPRTPListen  string `name:"rtsp-rtp-listen" env:"WEIR_RTSP_RTP_LISTEN" default:"127.0.0.1:8000" placeholder:"ADDR" group:"RTSP" help:"UDP address for RTP, with an even port. Empty turns UDP off." example:"0.0.0.0:8000"`
	RTSPRTCPListen string `name:"rtsp-rtcp-listen" env:"WEIR_RTSP_RTCP_LISTEN" default:"127.0.0.1:8001" placeholder:"ADDR" group:"RTSP" help:"UDP address for RTCP: the port after that of RTP." example:"0.0.0.0:8001"`
	RTSPAllowMD5   bool   `name:"rtsp-allow-md5" env:"WEIR_RTSP_ALLOW_MD5" group:"RTSP" help:"Also offer digest authentication with MD5, for clients that know no SHA-256."`
	PublicRTSP     string `name:"public-rtsp" env:"WEIR_PUBLIC_RTSP" placeholder:"URL" group:"RTSP" help:"Address under which clients reach the RTSP listener." example:"rtsp://weir.example.com:8554"`

	Region     string   `name:"region" env:"WEIR_REGION" default:"us-east-1" placeholder:"NAME" group:"Data streams" help:"AWS region that ARNs name. Requests may be signed for any." example:"eu-central-1"`
	Account    string   `name:"account" env:"WEIR_ACCOUNT" default:"000000000000" placeholder:"ID" group:"Data streams" help:"AWS account that ARNs name: 12 digits." example:"123456789012"`
	StreamTail Size     `name:"stream-memory" env:"WEIR_STREAM_MEMORY" default:"64MiB" placeholder:"SIZE" group:"Data streams" help:"Newest records of all data streams that are kept in memory; twice as much while the disk is behind." example:"512MiB"`
	SegmentAge Duration `name:"segment-age" env:"WEIR_SEGMENT_AGE" default:"10m" placeholder:"TIME" group:"Data streams" help:"How long the records of a quiet shard wait on the local disk before they become an object in the store." example:"1m"`

	WebRTCListen string   `name:"webrtc-listen" env:"WEIR_WEBRTC_LISTEN" default:"127.0.0.1:8189" placeholder:"ADDR" group:"WebRTC" help:"Media of WHIP, WHEP and Kinesis Video signalling: one port, UDP and TCP, for all peers. Empty turns WebRTC off." example:"0.0.0.0:8189"`
	PublicHost   []string `name:"public-host" env:"WEIR_PUBLIC_HOST" placeholder:"HOST" group:"WebRTC" help:"Addresses that are offered to WebRTC clients beside those of this machine; also names in a certificate of our own." example:"203.0.113.7"`
	ICEServer    []string `name:"ice-server" env:"WEIR_ICE_SERVER" placeholder:"URL" group:"WebRTC" help:"STUN and TURN servers that WHIP and WHEP clients are told: stun:HOST:PORT, or turn:USER:PASSWORD@HOST:PORT, with ?transport=tcp where it is TCP." example:"stun:stun.example.com:3478"`

	TURNListen     string    `name:"turn-listen" env:"WEIR_TURN_LISTEN" default:"127.0.0.1:3478" placeholder:"ADDR" group:"WebRTC" help:"STUN and TURN for peers that cannot reach each other or this server, UDP and TCP. Empty turns it off." example:"0.0.0.0:3478"`
	TURNRelayPorts PortRange `name:"turn-relay-ports" env:"WEIR_TURN_RELAY_PORTS" placeholder:"RANGE" group:"WebRTC" help:"UDP ports of TURN relays, which the firewall must let in. Without it, any free port." example:"49152-50151"`

	DecodeWorker       string `name:"decode-worker" env:"WEIR_DECODE_WORKER" placeholder:"FILE" group:"Transcoding" help:"The program weir-decode, which transcodes sound and pictures. Default: the one beside weir or in PATH, else ffmpeg does its work; none uses ffmpeg." example:"/usr/local/bin/weir-decode"`
	MaxVideoTranscodes int    `name:"max-video-transcodes" env:"WEIR_MAX_VIDEO_TRANSCODES" default:"4" group:"Transcoding" help:"Streams whose pictures are transcoded at a time; each takes up to a processor core. As many segments of VP9 are made of recorded VP8 at a time. 0 allows none." example:"8"`

	Store        string   `name:"store" env:"WEIR_STORE" placeholder:"URL" group:"Store" help:"Where media is kept: file:///path or s3://bucket/prefix?endpoint=http://host:port&region=NAME. Default: a directory in the data directory. Keys come from WEIR_STORE_ACCESS_KEY and WEIR_STORE_SECRET_KEY, else from the standard AWS chain." example:"s3://footage?endpoint=http://127.0.0.1:9000"`
	StoreCreate  bool     `name:"store-create-bucket" env:"WEIR_STORE_CREATE_BUCKET" default:"true" negatable:"" group:"Store" help:"Make the bucket when it is missing."`
	DiskLowWater Size     `name:"disk-low-water" env:"WEIR_DISK_LOW_WATER" default:"2GiB" placeholder:"SIZE" group:"Store" help:"Free space at which the oldest recordings go before their time, and at half of which recording stops." example:"20GiB"`
	Retention    Duration `name:"retention" env:"WEIR_RETENTION" default:"7d" placeholder:"TIME" group:"Store" help:"How long a video stream is kept that says nothing else. 0s keeps it for ever." example:"30d"`
	RetainBytes  Size     `name:"retention-bytes" env:"WEIR_RETENTION_BYTES" default:"0B" placeholder:"SIZE" group:"Store" help:"How much of a video stream is kept that says nothing else. 0B sets no bound." example:"500GiB"`
	FragmentTime Duration `name:"fragment-duration" env:"WEIR_FRAGMENT_DURATION" default:"2s" placeholder:"TIME" group:"Store" help:"Target length of a fragment, 1s to 20s; it is cut at the next key frame." example:"4s"`
	ChunkTime    Duration `name:"chunk-duration" env:"WEIR_CHUNK_DURATION" default:"60s" placeholder:"TIME" group:"Store" help:"Target length of an object in the store, 10s to 10m." example:"5m"`

	CameraNetwork []Network `name:"camera-network" env:"WEIR_CAMERA_NETWORK" placeholder:"CIDR" group:"Limits" help:"Private networks that Weir may connect to: of cameras that it pulls, and of webhooks. Without it Weir connects to public addresses only." example:"192.168.20.0/24"`
	MaxStreams    int       `name:"max-streams" env:"WEIR_MAX_STREAMS" default:"1000" group:"Limits" help:"Video streams that may be defined." example:"5000"`
	SessionTime   Duration  `name:"console-session" env:"WEIR_CONSOLE_SESSION" default:"12h" placeholder:"TIME" group:"Limits" help:"How long a login of the console lasts." example:"1h"`
	TokenTime     Duration  `name:"playback-token" env:"WEIR_PLAYBACK_TOKEN" default:"1h" placeholder:"TIME" group:"Limits" help:"How long a playback address works when nothing else is asked." example:"5m"`
	AWSLimits     bool      `name:"aws-limits" env:"WEIR_AWS_LIMITS" group:"Limits" help:"Impose the limits that AWS has for its own capacity: throughput of shards, calls a second, numbers of streams and shards."`

	LogLevel  string `name:"log-level" env:"WEIR_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" group:"Log" help:"debug, info, warn or error." example:"debug"`
	LogFormat string `name:"log-format" env:"WEIR_LOG_FORMAT" default:"text" enum:"text,json" group:"Log" help:"text or json." example:"json"`
}

// StoreAddress is the store, with its default filled in.
func (s *Settings) StoreAddress() (string, error) {
	if s.Store != "" {
		return s.Store, nil
	}
	dir, err := filepath.Abs(filepath.Join(s.DataDir, "store"))
	if err != nil {
		return "", fmt.Errorf("find the data directory: %w", err)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String(), nil
}

// CameraNetworks are the networks of cameras as the guarded dialler takes them.
func (s *Settings) CameraNetworks() []netip.Prefix {
	list := make([]netip.Prefix, 0, len(s.CameraNetwork))
	for _, n := range s.CameraNetwork {
		list = append(list, n.Prefix)
	}
	return list
}

// Validate finds everything that is wrong, not only the first thing. kong
// calls it after parsing.
func (s *Settings) Validate() error {
	return errors.Join(
		s.validateAddresses(),
		s.validateTLS(),
		s.validateURLs(),
		s.validateTimes(),
		inRange("max-connections", s.MaxConns, 1, 1_000_000),
		inRange("max-connections-per-address", s.MaxConnsPerIP, 1, 1_000_000),
		inRange("max-streams", s.MaxStreams, 1, 100_000),
		inRange("max-video-transcodes", s.MaxVideoTranscodes, 0, 1000),
		s.validateDataStreams(),
	)
}

// Least and greatest memory for the newest records: a batch of the largest
// records has to fit, and it is memory.
const (
	leastStreamMemory = 32 << 20
	mostStreamMemory  = 64 << 30
)

func (s *Settings) validateDataStreams() error {
	var errs []error
	if !regexp.MustCompile(`^[a-z0-9-]{1,40}$`).MatchString(s.Region) {
		errs = append(errs, fmt.Errorf("region: %q is none; write for example us-east-1", s.Region))
	}
	if !regexp.MustCompile(`^[0-9]{12}$`).MatchString(s.Account) {
		errs = append(errs, fmt.Errorf("account: %q is none; it has 12 digits", s.Account))
	}
	if s.StreamTail < leastStreamMemory || s.StreamTail > mostStreamMemory {
		errs = append(errs, fmt.Errorf("stream-memory: %s is out of range; 32MiB to 64GiB", s.StreamTail))
	}
	if d := s.SegmentAge.Std(); d < time.Second || d > 24*time.Hour {
		errs = append(errs, fmt.Errorf("segment-age: %s is out of range; 1s to 24h", s.SegmentAge))
	}
	return errors.Join(errs...)
}

func (s *Settings) validateAddresses() error {
	var errs []error
	for _, a := range []struct{ name, address string }{
		{"listen", s.Listen}, {"tls-listen", s.TLSListen}, {"rtsp-listen", s.RTSPListen},
		{"rtsps-listen", s.RTSPSListen}, {"rtsp-rtp-listen", s.RTSPRTPListen},
		{"rtsp-rtcp-listen", s.RTSPRTCPListen}, {"webrtc-listen", s.WebRTCListen}, {"turn-listen", s.TURNListen},
	} {
		if _, err := port(a.address); err != nil && a.address != "" {
			errs = append(errs, fmt.Errorf("%s: %w", a.name, err))
		}
	}
	if s.Listen == "" && s.TLSListen == "" {
		errs = append(errs, errors.New("listen: without tls-listen it cannot be empty"))
	}
	return errors.Join(append(errs, s.validateUDP())...)
}

// validateUDP holds the pair of ports to the rule of RTP (RFC 3550, section 11).
func (s *Settings) validateUDP() error {
	if (s.RTSPRTPListen == "") != (s.RTSPRTCPListen == "") {
		return errors.New("rtsp-rtp-listen and rtsp-rtcp-listen: set both or none")
	}
	rtp, errRTP := port(s.RTSPRTPListen)
	rtcp, errRTCP := port(s.RTSPRTCPListen)
	if errRTP != nil || errRTCP != nil || rtp == 0 && rtcp == 0 {
		return nil // off, wrong in another way, or any port
	}
	if rtp%2 != 0 || rtcp != rtp+1 {
		return fmt.Errorf("rtsp-rtp-listen: port %d must be even and rtsp-rtcp-listen the one after it, not %d", rtp, rtcp)
	}
	return nil
}

func port(address string) (int, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("%q is not an address; write for example 127.0.0.1:7070", address)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q has no port between 0 and 65535", address)
	}
	return int(n), nil
}

func (s *Settings) validateTLS() error {
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("tls-cert and tls-key: set both or none")
	}
	if s.TLSCert != "" && s.TLSSelfSigned {
		return errors.New("tls-self-signed: there is a tls-cert already")
	}
	wanted := s.TLSListen != "" || s.RTSPSListen != ""
	if wanted && s.TLSCert == "" && !s.TLSSelfSigned {
		return errors.New("tls-listen and rtsps-listen: give tls-cert and tls-key, or tls-self-signed")
	}
	return nil
}

func (s *Settings) validateURLs() error {
	var errs []error
	check := func(name, text string, schemes ...string) {
		u, err := url.Parse(text)
		if text == "" || err == nil && u.Host != "" && u.User == nil && contains(schemes, u.Scheme) {
			return
		}
		errs = append(errs, fmt.Errorf("%s: %q is not an address that starts with %s://", name, text, strings.Join(schemes, ":// or ")))
	}
	check("public-url", s.PublicURL, "http", "https")
	check("public-rtsp", s.PublicRTSP, "rtsp", "rtsps")
	if s.Store != "" && !strings.HasPrefix(s.Store, "file:///") && !strings.HasPrefix(s.Store, "s3://") {
		errs = append(errs, fmt.Errorf("store: %q: use file:///path or s3://bucket/prefix?endpoint=http://host:port", s.Store))
	}
	for _, origin := range s.AllowedOrigin {
		check("allowed-origin", origin, "http", "https")
		if u, err := url.Parse(origin); err == nil && (u.Path != "" || u.RawQuery != "") {
			errs = append(errs, fmt.Errorf("allowed-origin: %q has a path; an origin is scheme://host:port", origin))
		}
	}
	for _, server := range s.ICEServer {
		scheme, rest, _ := strings.Cut(server, ":")
		if !contains([]string{"stun", "stuns", "turn", "turns"}, scheme) || rest == "" || strings.HasPrefix(scheme, "turn") && !strings.Contains(rest, "@") {
			errs = append(errs, fmt.Errorf("ice-server: %q is none; write stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT", scheme+":…"))
		}
	}
	return errors.Join(errs...)
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

func (s *Settings) validateTimes() error {
	return errors.Join(
		inRange("fragment-duration", s.FragmentTime.Std(), time.Second, 20*time.Second),
		inRange("chunk-duration", s.ChunkTime.Std(), 10*time.Second, 10*time.Minute),
		inRange("drain-timeout", s.DrainTimeout.Std(), 0, time.Hour),
		inRange("console-session", s.SessionTime.Std(), time.Minute, 30*day),
		inRange("playback-token", s.TokenTime.Std(), 10*time.Second, 7*day),
	)
}

func inRange[T int | time.Duration](name string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s: %v is not between %v and %v", name, value, least, most)
	}
	return nil
}
