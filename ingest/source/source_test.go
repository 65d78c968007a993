package source

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"weir/ingest/ingesttest"
	"weir/internal/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func supervisor(t *testing.T, hub *live.Hub) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(Options{Hub: hub, Dial: (&net.Dialer{}).DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// waitState polls, as phases pass without an event.
func waitState(t *testing.T, s *Supervisor, what string, ok func(State) bool) State {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if st, have := s.State("cam"); have && ok(st) {
			return st
		}
	}
	st, _ := s.State("cam")
	t.Fatalf("waiting for %s: state is %+v", what, st)
	return st
}

// film publishes an endless loop to a camera and returns the CRCs of its
// pictures.
func film(t *testing.T, cam *ingesttest.Camera) map[uint32]bool {
	t.Helper()
	clip := ingesttest.Clip(t, "a.mp4", "160x120", 50, 25, true, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-c:a", "aac")
	args := []string{"-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp"}
	url := cam.URL
	ingesttest.Spawn(t, "ffmpeg", append(args, url)...)
	<-cam.Ready()
	crcs := map[uint32]bool{}
	for _, p := range ingesttest.Packets(t, clip, "v:0") {
		crcs[p.CRC] = true
	}
	return crcs
}

func TestPullTransports(t *testing.T) {
	cam := ingesttest.StartCamera(t, ingesttest.CameraOptions{UDP: true})
	crcs := film(t, cam)
	for _, transport := range []Transport{TCP, UDP, Auto, HTTP} {
		t.Run(string(transport), func(t *testing.T) {
			hub := live.NewHub(live.Options{})
			s := supervisor(t, hub)
			rec := ingesttest.Record(t, hub.Stream("cam"))
			if err := s.Set("cam", Config{URL: cam.URL, Transport: transport}); err != nil {
				t.Fatal(err)
			}
			rec.Wait(t, "pictures and sound", func(r *ingesttest.Recording) bool { return r.Count(1) >= 20 && r.Count(2) >= 20 })
			if st := waitState(t, s, "online", func(st State) bool { return st.Phase == Online }); st.LastError != "" {
				t.Errorf("state %+v", st)
			}
			for i, m := range rec.Samples(1) {
				if !crcs[crc32.ChecksumIEEE(m.Data)] {
					t.Fatalf("sample %d was never sent", i)
				}
			}
			s.Remove("cam")
			rec.WaitEnd(t)
		})
	}
}

func TestPullRecovers(t *testing.T) {
	cam := ingesttest.StartCamera(t, ingesttest.CameraOptions{User: "admin", Pass: "s3cret pass"})
	hub := live.NewHub(live.Options{})
	s := supervisor(t, hub)
	rec := ingesttest.Record(t, hub.Stream("cam"))
	if err := s.Set("cam", Config{URL: cam.URL, Username: "admin", Password: "wrong"}); err != nil {
		t.Fatal(err)
	}
	st := waitState(t, s, "a refusal", func(st State) bool { return st.Phase == Waiting })
	if !strings.Contains(st.LastError, "credentials") || st.Attempts < 1 || st.Until.Before(st.Since) {
		t.Errorf("state %+v", st)
	}
	film(t, cam)
	if err := s.Set("cam", Config{URL: cam.URL, Username: "admin", Password: "s3cret pass"}); err != nil {
		t.Fatal(err)
	}
	rec.Wait(t, "a picture", func(r *ingesttest.Recording) bool { return r.Count(1) > 0 })
	cam.Drop()
	rec.WaitEnd(t)
	waitState(t, s, "another attempt", func(st State) bool { return st.LastError != "" })
	if strings.Contains(st.LastError, "s3cret") {
		t.Error("the password is in the state")
	}
}

func TestPullOnDemand(t *testing.T) {
	cam := ingesttest.StartCamera(t, ingesttest.CameraOptions{})
	film(t, cam)
	hub := live.NewHub(live.Options{})
	s := supervisor(t, hub)
	recorder := hub.Stream("cam").Subscribe(live.ReaderOptions{NoDemand: true})
	defer recorder.Close()
	if err := s.Set("cam", Config{URL: cam.URL, OnDemand: true, CloseDelay: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	waitState(t, s, "idleness", func(st State) bool { return st.Phase == Idle })
	r := hub.Stream("cam").Subscribe(live.ReaderOptions{})
	if e, err := r.Next(t.Context()); err != nil || !e.NewSession {
		t.Fatalf("got %+v, %v", e, err)
	}
	r.Close()
	waitState(t, s, "idleness again", func(st State) bool { return st.Phase == Idle })
}

func TestPullRedirects(t *testing.T) {
	home := ingesttest.StartCamera(t, ingesttest.CameraOptions{})
	film(t, home)
	hub := live.NewHub(live.Options{})
	s := supervisor(t, hub)
	rec := ingesttest.Record(t, hub.Stream("cam"))
	first := ingesttest.StartCamera(t, ingesttest.CameraOptions{Redirect: home.URL, User: "u", Pass: "p"})
	if err := s.Set("cam", Config{URL: first.URL, Username: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	rec.Wait(t, "a picture", func(r *ingesttest.Recording) bool { return r.Count(1) > 0 })

	// A camera that wants the credentials of another one does not get them.
	thief := ingesttest.StartCamera(t, ingesttest.CameraOptions{User: "u", Pass: "p"})
	lure := ingesttest.StartCamera(t, ingesttest.CameraOptions{Redirect: thief.URL, User: "u", Pass: "p"})
	if err := s.Set("cam", Config{URL: lure.URL, Username: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	waitState(t, s, "a refusal", func(st State) bool { return strings.Contains(st.LastError, "credentials") })

	// A redirect to itself ends.
	loop := ingesttest.StartCamera(t, ingesttest.CameraOptions{Redirect: "/again"})
	if err := s.Set("cam", Config{URL: loop.URL}); err != nil {
		t.Fatal(err)
	}
	waitState(t, s, "an end of redirects", func(st State) bool { return strings.Contains(st.LastError, "more than 3 times") })
}

func TestPullPinsCertificates(t *testing.T) {
	cert := certificate(t)
	cam := ingesttest.StartCamera(t, ingesttest.CameraOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	film(t, cam)
	sum := sha256.Sum256(cert.Certificate[0])
	for _, tc := range []struct {
		name   string
		config Config
		ok     bool
	}{
		{"unknown", Config{URL: cam.URL}, false},
		{"wrong pin", Config{URL: cam.URL, Fingerprint: strings.Repeat("ab", 32)}, false},
		{"pinned", Config{URL: cam.URL, Fingerprint: hex.EncodeToString(sum[:])}, true},
		{"insecure", Config{URL: cam.URL, Insecure: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := supervisor(t, live.NewHub(live.Options{}))
			if err := s.Set("cam", tc.config); err != nil {
				t.Fatal(err)
			}
			st := waitState(t, s, "a decision", func(st State) bool { return st.Phase == Online || st.Phase == Waiting })
			if (st.Phase == Online) != tc.ok {
				t.Errorf("state %+v", st)
			}
		})
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{
		{URL: "http://host/x"}, {URL: "rtsp:///x"}, {URL: "rtsp://u:p@host/x"}, {URL: "rtsp://host\x00/"}, {URL: ""},
		{URL: "rtsp://host/x", Transport: "pigeon"}, {URL: "rtsp://host/x", Fingerprint: "abc"},
		{URL: "rtsp://host/" + strings.Repeat("x", maxURL)},
	} {
		err := c.Validate()
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%.60q: %v", c.URL, err)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("error shows credentials: %v", err)
		}
	}
	clean, user, pass, err := SplitCredentials("rtsp://ad%40min:p%2Fw@host:554/x?y=1")
	if err != nil || clean != "rtsp://host:554/x?y=1" || user != "ad@min" || pass != "p/w" {
		t.Errorf("got %q %q %q %v", clean, user, pass, err)
	}
}

// TestReconnectStorm lets a hundred sources fail for an hour of simulated time:
// attempts thin out to the longest pause and are spread.
func TestReconnectStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var attempts []time.Duration
		begin := time.Now()
		s, err := NewSupervisor(Options{Hub: live.NewHub(live.Options{}), Dial: func(context.Context, string, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, time.Since(begin))
			return nil, errors.New("no route to host")
		}})
		if err != nil {
			t.Fatal(err)
		}
		const sources = 100
		for i := range sources {
			if err := s.Set(string(rune('a'+i%26))+string(rune('a'+i/26)), Config{URL: "rtsp://192.0.2.1/x"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		s.Close()
		mu.Lock()
		defer mu.Unlock()
		// In the last half hour every source tries once in 30 to 60 seconds.
		perSecond := map[time.Duration]int{}
		late := 0
		for _, at := range attempts {
			if at > 30*time.Minute {
				late++
				perSecond[at.Truncate(time.Second)]++
			}
		}
		if late < sources*30 || late > sources*60 {
			t.Errorf("%d attempts in half an hour", late)
		}
		for at, n := range perSecond {
			if n > sources/4 {
				t.Errorf("%d sources came in the second at %v", n, at)
			}
		}
	})
}

func TestPauses(t *testing.T) {
	for attempts, most := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 100 {
			if p := pauseAfter(attempts); p > most || p < most/2 {
				t.Fatalf("after %d failures comes a pause of %v", attempts, p)
			}
		}
	}
}
