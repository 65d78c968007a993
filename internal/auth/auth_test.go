package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

// streams is a Streams of one stream "cam" with both passwords.
type streams struct{ epoch uint64 }

func (s *streams) Password(stream string, a Action) (Secret, bool) {
	if stream != "cam" {
		return Secret{}, false
	}
	return Secret{string(a) + "-pw"}, true
}

func (s *streams) TokenEpoch(string) uint64 { return s.epoch }

type bench struct {
	*testing.T
	*Verifier
	clock   *clock.Manual
	streams *streams
	root    Identity
}

func newBench(t *testing.T, allowMD5 bool) *bench {
	t.Helper()
	disk := vfs.NewMem()
	ring, err := OpenKeyring(disk, "/")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, clock: clock.NewManual(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)), streams: &streams{}}
	b.Verifier, err = NewVerifier(Options{
		Keys: Root{KeyPair{"ROOT", Secret{"top-secret"}}}, Keyring: ring, Streams: b.streams, Clock: b.clock, AllowMD5: allowMD5,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.root = Identity{kind: KindKey, name: "ROOT", action: Admin}
	return b
}

func (b *bench) issue(c Claims) string {
	b.Helper()
	if c.Expires.IsZero() {
		c.Expires = b.clock.Now().Add(time.Hour)
	}
	token, err := b.Issue(b.root, c)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

// request makes a request from loopback as the router hands it on.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "127.0.0.1:5000"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func (b *bench) wantStatus(r *http.Request, status int) Identity {
	b.Helper()
	id, err := b.HTTP(r)
	got := http.StatusOK
	if err != nil {
		got = Refusal(err).Status
	}
	if got != status {
		b.Fatalf("%s %s gave %d (%v), want %d", r.Method, r.URL, got, err, status)
	}
	if err != nil && id != (Identity{}) {
		b.Fatal("a refusal came with an identity")
	}
	return id
}

func TestBasic(t *testing.T) {
	b := newBench(t, false)
	if id := b.wantStatus(request("GET", "/", "Authorization", basicHeader("ROOT", "top-secret")), 200); !id.IsAdmin() || id.Name() != "ROOT" {
		t.Fatalf("root is %+v", id)
	}
	for _, header := range []string{
		basicHeader("ROOT", "wrong"), basicHeader("ROOT", ""), basicHeader("", ""), basicHeader("root", "top-secret"),
		basicHeader("ROOT", "top-secret "), "Basic", "Basic !", "Digest x", "Negotiate x", "",
	} {
		b.wantStatus(request("GET", "/", "Authorization", header), 401)
	}
	far := request("GET", "/", "Authorization", basicHeader("ROOT", "top-secret"))
	far.RemoteAddr = "192.0.2.1:5000"
	b.wantStatus(far, 403)
	far.Header.Set("X-Forwarded-For", "127.0.0.1")
	b.wantStatus(far, 403)
	far.TLS = &tls.ConnectionState{}
	b.wantStatus(far, 200)
	two := request("GET", "/", "Authorization", basicHeader("ROOT", "top-secret"), "Authorization", basicHeader("ROOT", "top-secret"))
	b.wantStatus(two, 401)
	b.wantStatus(request("GET", "/"), 401)
}

func TestTokens(t *testing.T) {
	b := newBench(t, false)
	token := b.issue(Claims{Action: Play, Stream: "cam", Format: "hls"})
	id := b.wantStatus(request("GET", "/?token="+token), 200)
	now := b.clock.Now()
	if !id.MayPlay("cam", "hls", now, now) || id.MayPlay("cam", "clip", now, now) || id.MayPlay("other", "hls", now, now) ||
		id.May(Publish, "cam") || id.IsAdmin() {
		t.Fatalf("the token may too much or too little: %+v", id)
	}
	b.wantStatus(request("GET", "/", "Authorization", "Bearer "+token), 200)
	b.wantStatus(request("GET", "/?token="+token, "Authorization", "Bearer "+token), 400)
	b.wantStatus(request("GET", "/?token="+token+"&token="+token), 400)
	b.wantStatus(request("GET", "/?token="), 401)
	b.wantStatus(request("GET", "/?token="+b.issue(Claims{Action: Admin})), 401)
	if id := b.wantStatus(request("GET", "/", "Authorization", "bearer "+b.issue(Claims{Action: Admin})), 200); !id.IsAdmin() {
		t.Fatal("an admin token is no administrator")
	}

	if err := b.keyring.Rotate(); err != nil {
		t.Fatal(err)
	}
	b.wantStatus(request("GET", "/?token="+token), 200)
	b.streams.epoch++
	b.wantStatus(request("GET", "/?token="+token), 401)
	b.streams.epoch--
	b.clock.Advance(time.Hour - time.Second)
	b.wantStatus(request("GET", "/?token="+token), 200)
	b.clock.Advance(time.Second)
	b.wantStatus(request("GET", "/?token="+token), 401)
	token = b.issue(Claims{Action: Play, Stream: "cam"})
	if err := b.keyring.RevokeTokens(); err != nil {
		t.Fatal(err)
	}
	b.wantStatus(request("GET", "/?token="+token), 401)
}

// TestTokenMutants changes each bit of a token: none is accepted.
func TestTokenMutants(t *testing.T) {
	b := newBench(t, false)
	token := b.issue(Claims{Action: Play, Stream: "cam"})
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) * 8 {
		mutant := append([]byte{}, data...)
		mutant[i/8] ^= 1 << (i % 8)
		if _, err := b.token(base64.RawURLEncoding.EncodeToString(mutant)); err == nil {
			t.Fatalf("bit %d of a token does not matter", i)
		}
	}
	other := newBench(t, false)
	if _, err := other.token(token); err == nil {
		t.Fatal("the token of another server was accepted")
	}
}

func TestWindow(t *testing.T) {
	b := newBench(t, false)
	at := func(minute int) time.Time { return time.Date(2026, 11, 1, 0, minute, 0, 0, time.UTC) }
	id := b.wantStatus(request("GET", "/?token="+b.issue(Claims{Action: Play, Stream: "cam", Start: at(10), End: at(20)})), 200)
	for _, c := range []struct {
		from, to time.Time
		may      bool
	}{
		{at(10), at(20), true}, {at(12), at(13), true}, {at(9), at(20), false}, {at(10), at(21), false},
		{time.Time{}, at(20), false}, {at(10), time.Time{}, false}, {time.Time{}, time.Time{}, false},
	} {
		if got := id.MayPlay("cam", "clip", c.from, c.to); got != c.may {
			t.Errorf("window %v to %v: %t, want %t", c.from, c.to, got, c.may)
		}
	}
}

func TestIssue(t *testing.T) {
	b := newBench(t, false)
	soon := b.clock.Now().Add(time.Minute)
	player := Identity{kind: KindPassword, action: Play, stream: "cam"}
	for _, c := range []struct {
		by     Identity
		claims Claims
		good   bool
	}{
		{b.root, Claims{Action: Admin, Expires: soon}, true},
		{b.root, Claims{Action: Play, Stream: "cam", Expires: b.clock.Now().Add(MaxTokenTime)}, true},
		{b.root, Claims{Action: Play, Expires: b.clock.Now().Add(-time.Second)}, false},
		{b.root, Claims{Action: Play, Expires: b.clock.Now().Add(8 * 24 * time.Hour)}, false},
		{b.root, Claims{Action: "dance", Expires: soon}, false},
		{b.root, Claims{Action: Play, Expires: soon, Start: soon, End: soon.Add(-1)}, false},
		{b.root, Claims{Action: Play, Expires: soon, Stream: strings.Repeat("x", 2000)}, false},
		{player, Claims{Action: Play, Stream: "cam", Expires: soon}, true},
		{player, Claims{Action: Play, Stream: "other", Expires: soon}, false},
		{player, Claims{Action: Play, Expires: soon}, false},
		{player, Claims{Action: Publish, Stream: "cam", Expires: soon}, false},
		{Identity{}, Claims{Action: Play, Stream: "cam", Expires: soon}, false},
		{Identity{kind: KindToken, action: Play, stream: "cam"}, Claims{Action: Play, Stream: "cam", Expires: soon}, false},
	} {
		if _, err := b.Issue(c.by, c.claims); (err == nil) != c.good {
			t.Errorf("%s issues %+v: %v", c.by.Kind(), c.claims, err)
		}
	}
}

func TestStreamPassword(t *testing.T) {
	b := newBench(t, false)
	for _, c := range []struct {
		stream, bearer string
		action         Action
	}{
		{"cam", "publish-pw", Publish}, {"cam", "play-pw", Play}, {"cam", "other-pw", ""},
		{"other", "publish-pw", ""}, {"", "publish-pw", ""}, {"other", "", ""},
	} {
		r := request("POST", "/", "Authorization", "Bearer "+c.bearer)
		r.SetPathValue("name", c.stream)
		if c.action == "" {
			b.wantStatus(r, 401)
			continue
		}
		id := b.wantStatus(r, 200)
		if !id.May(c.action, "cam") || id.May(c.action, "other") || id.IsAdmin() || id.May(Publish, "cam") != (c.action == Publish) {
			t.Errorf("%s makes %+v", c.bearer, id)
		}
	}
}

func TestZeroIdentity(t *testing.T) {
	var id Identity
	if id.IsAdmin() || id.May(Play, "cam") || id.May("", "") || id.MayPlay("cam", "hls", time.Now(), time.Now()) {
		t.Fatal("nobody may do something")
	}
}

func TestConsole(t *testing.T) {
	b := newBench(t, false)
	link := b.LoginLink()
	login := func(link string) (*http.Cookie, error) {
		w := httptest.NewRecorder()
		err := b.LoginWithLink(w, request("GET", "/login"), link)
		if c := w.Result().Cookies(); len(c) > 0 {
			return c[0], err
		}
		return nil, err
	}
	if _, err := login("x" + link); err == nil {
		t.Fatal("a wrong link logs in")
	}
	cookie, err := login(link)
	if err != nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure {
		t.Fatalf("cookie is %v, %v", cookie, err)
	}
	if _, err := login(link); err == nil {
		t.Fatal("a link logs in twice")
	}
	with := func(method string, headers ...string) *http.Request {
		r := request(method, "/", headers...)
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		return r
	}
	if id := b.wantStatus(with("POST", "Sec-Fetch-Site", "same-origin"), 200); !id.IsAdmin() || id.Kind() != KindConsole {
		t.Fatalf("the console is %+v", id)
	}
	b.wantStatus(with("POST", "Sec-Fetch-Site", "cross-site"), 403)
	b.wantStatus(with("DELETE", "Origin", "https://evil.example"), 403)
	b.wantStatus(with("GET", "Sec-Fetch-Site", "cross-site"), 200)

	secure := httptest.NewRecorder()
	r := request("GET", "/login")
	r.TLS = &tls.ConnectionState{}
	if err := b.LoginWithLink(secure, r, b.LoginLink()); err != nil {
		t.Fatal(err)
	}
	if c := secure.Result().Cookies()[0]; c.Name != "__Host-weir_session" || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Fatalf("cookie over TLS is %v", c)
	}
	w := httptest.NewRecorder()
	b.Logout(w, with("POST"))
	if c := w.Result().Cookies()[0]; c.MaxAge >= 0 {
		t.Fatalf("logout leaves %v", c)
	}
	b.wantStatus(with("GET"), 401)

	cookie, err = login(b.LoginLink())
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(12 * time.Hour)
	b.wantStatus(with("GET"), 401)
	link = b.LoginLink()
	b.clock.Advance(time.Hour)
	if _, err := login(link); err == nil {
		t.Fatal("an old link logs in")
	}
	if err := b.LoginWithKey(httptest.NewRecorder(), request("POST", "/login"), "ROOT", "top-secret"); err != nil {
		t.Fatal(err)
	}
	if err := b.LoginWithKey(httptest.NewRecorder(), request("POST", "/login"), "ROOT", "wrong"); err == nil {
		t.Fatal("a wrong key logs in")
	}
	for range 2 * maxSessions {
		b.sessions.add(b.sessions.open, maxSessions, b.clock.Now(), session{end: b.clock.Now().Add(time.Hour)})
	}
	if n := len(b.sessions.open); n != maxSessions {
		t.Fatalf("there are %d sessions, over the limit of %d", n, maxSessions)
	}
}

func TestLimiter(t *testing.T) {
	b := newBench(t, false)
	bad := request("GET", "/", "Authorization", basicHeader("ROOT", "guess"))
	good := request("GET", "/", "Authorization", basicHeader("ROOT", "top-secret"))
	for range failureBurst {
		b.wantStatus(bad, 401)
	}
	b.wantStatus(good, 429)
	other := request("GET", "/?token=x")
	other.RemoteAddr = "192.0.2.7:1"
	b.wantStatus(other, 401)
	b.clock.Advance(failureInterval)
	b.wantStatus(good, 200)
	// Who has no credentials does not guess.
	for range 2 * failureBurst {
		b.wantStatus(request("GET", "/"), 401)
	}
	b.clock.Advance(time.Hour)
	b.wantStatus(good, 200)
	for i := range 3 * maxOffenders {
		b.limiter.failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), b.clock.Now())
	}
	if n := len(b.limiter.buckets); n > maxOffenders {
		t.Fatalf("%d addresses are remembered", n)
	}
	if offender(netip.MustParseAddr("2001:db8::1")) != offender(netip.MustParseAddr("2001:db8::2:1")) {
		t.Fatal("two addresses of one /64 count twice")
	}
}

// answer computes the header that a client sends to a challenge.
func answer(challenge, method, uri, user, password string, newHash func() hash.Hash) string {
	p, err := parseDigest(strings.TrimPrefix(challenge, "Digest "))
	if err != nil {
		panic(err)
	}
	sum := func(s string) string {
		h := newHash()
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil))
	}
	response := sum(sum(user+":"+p["realm"]+":"+password) + ":" + p["nonce"] + ":" + sum(method+":"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s`,
		user, p["realm"], p["nonce"], uri, response, p["algorithm"])
}

const camURI = "rtsp://127.0.0.1:8554/cam"

func rtspRequest(a Action) RTSPRequest {
	method := map[Action]string{Publish: "ANNOUNCE", Play: "DESCRIBE"}[a]
	return RTSPRequest{Method: method, URI: camURI, Stream: "cam", Action: a, Remote: netip.MustParseAddr("192.0.2.9")}
}

func TestRTSPDigest(t *testing.T) {
	b := newBench(t, true)
	for _, c := range []struct {
		name, user, password string
		action               Action
		md5                  bool
		status               int
	}{
		{"key", "ROOT", "top-secret", Publish, false, 200},
		{"key MD5", "ROOT", "top-secret", Play, true, 200},
		{"publish password", "anybody", "publish-pw", Publish, false, 200},
		{"play password", "x", "play-pw", Play, true, 200},
		{"play password publishes", "x", "play-pw", Publish, false, 401},
		{"wrong secret", "ROOT", "wrong", Publish, false, 401},
		{"unknown user", "nobody", "top-secret", Publish, false, 401},
		{"empty", "", "", Publish, false, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rtspRequest(c.action)
			_, err := b.VerifyRTSP(r)
			challenges := b.RTSPChallenges(r, err)
			if Refusal(err).Status != 401 || len(challenges) != 2 || !strings.Contains(challenges[0], "SHA-256") {
				t.Fatalf("challenged with %q after %v", challenges, err)
			}
			challenge, newHash := challenges[0], sha256.New
			if c.md5 {
				challenge, newHash = challenges[1], md5.New
			}
			r.Authorization = []string{answer(challenge, r.Method, r.URI, c.user, c.password, newHash)}
			id, err := b.VerifyRTSP(r)
			if got := 200; err != nil && Refusal(err).Status != c.status || err == nil && got != c.status {
				t.Fatalf("got %v, want %d", err, c.status)
			}
			if err == nil && !id.May(c.action, "cam") {
				t.Fatalf("%+v may not", id)
			}
		})
	}
}

// TestRTSPMisuse takes a right answer and uses it wrongly.
func TestRTSPMisuse(t *testing.T) {
	b := newBench(t, false)
	r := rtspRequest(Play)
	challenge := b.RTSPChallenges(r, nil)[0]
	right := answer(challenge, r.Method, r.URI, "ROOT", "top-secret", sha256.New)
	try := func(change func(*RTSPRequest)) error {
		r := rtspRequest(Play)
		r.Authorization = []string{right}
		change(&r)
		_, err := b.VerifyRTSP(r)
		return err
	}
	if err := try(func(*RTSPRequest) {}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*RTSPRequest){
		"method":   func(r *RTSPRequest) { r.Method = "ANNOUNCE" },
		"stream":   func(r *RTSPRequest) { r.URI = "rtsp://127.0.0.1:8554/other" },
		"prefix":   func(r *RTSPRequest) { r.URI = camURI + "2" },
		"address":  func(r *RTSPRequest) { r.Remote = netip.MustParseAddr("192.0.2.10") },
		"no nonce": func(r *RTSPRequest) { r.Authorization[0] = strings.ReplaceAll(right, "nonce=", "nonsense=") },
		"MD5": func(r *RTSPRequest) {
			r.Authorization[0] = answer(strings.Replace(challenge, "SHA-256", "MD5", 1), r.Method, r.URI, "ROOT", "top-secret", md5.New)
		},
		"two headers": func(r *RTSPRequest) { r.Authorization = append(r.Authorization, right) },
		"clear Basic": func(r *RTSPRequest) { r.Authorization[0] = basicHeader("ROOT", "top-secret") },
	} {
		if err := try(change); err == nil {
			t.Errorf("%s: the answer is accepted", name)
		}
	}
	for _, uri := range []string{camURI + "/", camURI + "/trackID=0", camURI + "?start=1"} {
		if err := try(func(r *RTSPRequest) { r.URI = uri }); err != nil {
			t.Errorf("the client that asks for %s is refused: %v", uri, err)
		}
	}
	b.clock.Advance(nonceTime)
	err := try(func(*RTSPRequest) {})
	if err == nil || !strings.Contains(b.RTSPChallenges(r, err)[0], "stale=true") {
		t.Fatalf("an old nonce gave %v", err)
	}
}

func TestRTSPOthers(t *testing.T) {
	b := newBench(t, false)
	r := rtspRequest(Play)
	r.Remote = netip.MustParseAddr("127.0.0.1")
	r.UserAgent = "Lavf59.27.100"
	if c := b.RTSPChallenges(r, nil); len(c) != 1 || !strings.HasPrefix(c[0], "Basic") {
		t.Fatalf("FFmpeg on this machine is offered %q", c)
	}
	for header, status := range map[string]int{
		basicHeader("ROOT", "top-secret"): 200, basicHeader("x", "play-pw"): 200, basicHeader("x", "publish-pw"): 401,
		basicHeader("ROOT", "x"): 401, "Basic %": 401, "Other x": 401,
		"Bearer " + b.issue(Claims{Action: Play, Stream: "cam"}): 200, "Digest =": 401,
	} {
		r.Authorization = []string{header}
		got := 200
		if _, err := b.VerifyRTSP(r); err != nil {
			got = Refusal(err).Status
		}
		if got != status {
			t.Errorf("%s gave %d, want %d", header, got, status)
		}
	}
	r.Authorization, r.Token = nil, b.issue(Claims{Action: Play, Stream: "cam"})
	if _, err := b.VerifyRTSP(r); err != nil {
		t.Fatal(err)
	}
	// A token to publish over WHIP is for nothing else.
	r.Token = b.issue(Claims{Action: Publish, Stream: "cam", Format: FormatWHIP})
	if _, err := b.VerifyRTSP(r); Refusal(err).Status != 401 {
		t.Errorf("a token of WHIP: %v", err)
	}
}

func TestSeal(t *testing.T) {
	disk := vfs.NewMem()
	ring, err := OpenKeyring(disk, "/")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring.Seal(NewSecret("rtsp password"), "camera/1")
	if err != nil || strings.Contains(sealed, "rtsp") {
		t.Fatalf("sealed is %q, %v", sealed, err)
	}
	if err := ring.Rotate(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenKeyring(disk.CrashClone(vfs.Survival{}), "/")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := again.Open(sealed, "camera/1"); err != nil || s.Reveal() != "rtsp password" {
		t.Fatalf("opened %q, %v", s.Reveal(), err)
	}
	for _, c := range [][2]string{
		{sealed, "camera/2"}, {sealed + "A", "camera/1"}, {"plain", "camera/1"}, {"", ""}, {"enc:v1:", ""},
		{strings.Replace(sealed, "v1", "v2", 1), "camera/1"}, {"enc:v1:00000000:" + sealed[16:], "camera/1"},
	} {
		if s, err := again.Open(c[0], c[1]); err == nil {
			t.Errorf("%q for %s opens as %q", c[0], c[1], s.Reveal())
		}
	}
}

func TestSecret(t *testing.T) {
	s := NewSecret("hidden")
	holder := struct {
		S Secret
		P *Secret
	}{s, &s}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "h", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "h", holder)
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", holder, holder, holder, s, s, s, s), string(encoded), log.String(),
	} {
		if strings.Contains(text, "hidden") || strings.Contains(text, hex.EncodeToString([]byte("hidden"))) {
			t.Errorf("the secret shows in %s", text)
		}
	}
	if !s.Equal("hidden") || s.Equal("hidde") || s.Equal("") || NewSecret("").Equal("") {
		t.Error("comparison is wrong")
	}
	var in Secret
	if err := json.Unmarshal([]byte(`"new"`), &in); err != nil || in.Reveal() != "new" {
		t.Errorf("decoded %q, %v", in.Reveal(), err)
	}
	if err := json.Unmarshal(encoded, &holder); err == nil {
		t.Error("*** was taken for a password")
	}
}

func TestRootKeys(t *testing.T) {
	none := func(string) string { return "" }
	dir := t.TempDir()
	first, err := LoadRootKeys(vfs.OS{}, dir, none)
	if err != nil || len(first.AccessKey) != 20 || len(first.Secret.Reveal()) != 40 {
		t.Fatalf("generated %q and %d characters, %v", first.AccessKey, len(first.Secret.Reveal()), err)
	}
	second, err := LoadRootKeys(vfs.OS{}, dir, none)
	if err != nil || second != first {
		t.Fatalf("the keys changed to %v, %v", second, err)
	}
	file := filepath.Join(dir, rootKeysFile)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRootKeys(vfs.OS{}, dir, none); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("readable keys gave %v", err)
	}
	env := func(values ...string) func(string) string {
		return func(name string) string {
			return map[string]string{"WEIR_ROOT_ACCESS_KEY": values[0], "WEIR_ROOT_SECRET_KEY": values[1]}[name]
		}
	}
	if pair, err := LoadRootKeys(vfs.OS{}, dir, env("mykey", "mysecret")); err != nil || pair.AccessKey != "mykey" {
		t.Fatalf("keys of the environment: %v, %v", pair, err)
	}
	for _, bad := range [][2]string{{"mykey", ""}, {"", "mysecret"}, {"my key", "mysecret"}, {"my:key", "mysecret"}, {"mykey", "short"}} {
		if _, err := LoadRootKeys(vfs.OS{}, dir, env(bad[0], bad[1])); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestKeyFiles crashes while the files are made: whatever is found opens, and
// what was sealed before opens too.
func TestKeyFiles(t *testing.T) {
	type made struct {
		pair   KeyPair
		sealed string
	}
	run := func(disk vfs.FS) (m made) {
		ring, err := OpenKeyring(disk, "/")
		if err != nil {
			return m
		}
		if m.sealed, err = ring.Seal(NewSecret("x"), "r"); err != nil {
			return m
		}
		if m.pair, err = LoadRootKeys(disk, "/", func(string) string { return "" }); err != nil {
			return m
		}
		_ = ring.Rotate()
		return m
	}
	verify := func(t *testing.T, disk vfs.FS, m made) {
		ring, err := OpenKeyring(disk, "/")
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := ring.Open(m.sealed, "r"); m.sealed != "" && err != nil {
			t.Error(err)
		}
		pair, err := LoadRootKeys(disk, "/", func(string) string { return "" })
		if err != nil || m.pair.AccessKey != "" && pair != m.pair {
			t.Errorf("root keys are %v, %v", pair, err)
		}
	}
	vfstest.CrashAtEvery(t, run, verify)
	vfstest.FailAtEvery(t, unix.EIO, run, verify)
}

func FuzzDigest(f *testing.F) {
	f.Add(`username="a", realm="weir", nonce="00", uri="rtsp://h/s", response="11", algorithm=SHA-256`)
	f.Add(`a=b,c="d\"e" , f=g`)
	f.Add(`=`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseDigest(text)
		if err == nil && len(p) > maxHeaderParams {
			t.Fatalf("%d parameters", len(p))
		}
		if err != nil && !errors.Is(err, errHeader) {
			t.Fatal(err)
		}
	})
}

func FuzzToken(f *testing.F) {
	ring, err := OpenKeyring(vfs.NewMem(), "/")
	if err != nil {
		f.Fatal(err)
	}
	v, err := NewVerifier(Options{Keys: Root{}, Keyring: ring})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("AQAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := v.token(text); err == nil {
			t.Fatal("a made-up token was accepted")
		}
		if _, err := ring.Open(text, "r"); err == nil {
			t.Fatal("a made-up secret was opened")
		}
	})
}

func FuzzSameResource(f *testing.F) {
	f.Add("rtsp://h/a", "rtsp://h/a/trackID=1")
	f.Add("/a", "rtsp://h/a")
	f.Fuzz(func(t *testing.T, signed, requested string) {
		if signed == requested || !sameResource(signed, requested) {
			return
		}
		s, err := url.Parse(signed)
		if err != nil || strings.Trim(s.Path, "/") == "" {
			t.Fatalf("%q covers %q", signed, requested)
		}
	})
}
