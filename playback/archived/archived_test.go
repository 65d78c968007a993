package archived_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
	"weir/internal/meta"
	"weir/internal/server"
	"weir/internal/testkit"
	"weir/internal/vfs"
	"weir/playback/archived"
	"weir/playback/segments"
)

func never() bool { return false }

// bench is the API over one stream, "cam".
type bench struct {
	*archivetest.Rig
	catalogue *catalogue.Catalogue
	keyring   *auth.Keyring
	tokens    *auth.Verifier
	stream    *archive.Stream
	api       *archived.API
	mux       *http.ServeMux
}

// public lets the API register what needs no credentials.
type public struct{ *http.ServeMux }

func (p public) Handle(string, server.Handler, ...server.RouteOption) {}

func (p public) Public(pattern string, h http.Handler, _ ...server.RouteOption) {
	p.ServeMux.Handle(pattern, h)
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return openBench(t, vfs.NewMem(), archivetest.NewMemMeta(never), archivetest.NewMemMeta(never))
}

// openBench opens the API over what disk and metadata hold.
func openBench(t testing.TB, disk vfs.FS, index, definitions meta.Store) *bench {
	t.Helper()
	r, err := archivetest.Open(disk, index, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	b := &bench{Rig: r}
	if b.keyring, err = auth.OpenKeyring(disk, "/data"); err != nil {
		t.Fatal(err)
	}
	b.catalogue, err = catalogue.Open(catalogue.Options{Meta: definitions, Store: r.Store, Archive: r.Archive,
		Sealer: b.keyring, Clock: r.Clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := b.catalogue.Put(context.Background(), b.catalogue.New("cam"))
	if err != nil {
		t.Fatal(err)
	}
	if b.stream, err = r.Stream(d.ID); err != nil {
		t.Fatal(err)
	}
	b.stream.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	verifier, err := auth.NewVerifier(auth.Options{Keys: auth.Root{Pair: auth.NewKeyPair()}, Keyring: b.keyring, Clock: r.Clock})
	if err != nil {
		t.Fatal(err)
	}
	b.tokens = verifier
	b.serve(segments.Makers{})
	return b
}

// serve begins to answer, with what makes other codecs.
func (b *bench) serve(m segments.Makers) {
	b.mux = http.NewServeMux()
	b.api = archived.New(archived.Options{
		Streams: control.NewStreams(b.catalogue, "us-east-1", "000000000000"), Archive: b.Archive, Sealer: b.keyring,
		Tokens: b.tokens, Clock: b.Clock, Log: slog.New(slog.DiscardHandler), Makers: m,
		Address: func(*http.Request) string { return "http://weir" },
	})
	b.api.Register(public{b.mux})
}

func (b *bench) record(t *testing.T, start time.Duration, seconds int) {
	t.Helper()
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Camera(b.Rig, rec, archivetest.Epoch().Add(start), seconds); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

// call asks for an operation as a client does and returns the answer's body;
// an error is its code.
func (b *bench) call(t testing.TB, operation, body string) (string, error) {
	t.Helper()
	for i := range model.Model().Operations {
		o := &model.Model().Operations[i]
		if o.Name != operation {
			continue
		}
		in := o.NewInput()
		err := awsapi.Decode(awsapi.PlainJSON, []byte(body), in)
		if err == nil {
			err = awsapi.Validate(in)
		}
		r := httptest.NewRequest(http.MethodPost, o.URI, nil)
		c := &awsserve.Call{Operation: o, Identity: auth.Internal("test"), Request: r}
		w := httptest.NewRecorder()
		e := b.api.Entries()[operation]
		if err == nil && e.Stream != nil {
			err = e.Stream(c, in, w)
		} else if err == nil {
			var out awsapi.Value
			if out, err = e.Answer(c, in); err == nil {
				text, err := awsapi.Encode(awsapi.PlainJSON, out)
				return string(text), err
			}
		}
		if err != nil {
			f := awsapi.EncodeFailure(awsapi.RESTJSON, awsapi.PlainJSON, archived.Failure(err))
			return "", fmt.Errorf("%d %s", f.Status, f.Header.Get("x-amzn-ErrorType"))
		}
		return w.Body.String(), nil
	}
	t.Fatalf("no operation %s", operation)
	return "", nil
}

// get fetches what a player fetches.
func (b *bench) get(t testing.TB, address string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

var token = regexp.MustCompile(`SessionToken=[A-Za-z0-9_-]+`)

// session begins a session and returns the path of its address.
func (b *bench) session(t testing.TB, operation, body string) string {
	t.Helper()
	answer, err := b.call(t, operation, body)
	if err != nil {
		t.Fatalf("%s %s: %v", operation, body, err)
	}
	_, address, _ := strings.Cut(answer, "http://weir")
	return strings.TrimSuffix(address, `"}`)
}

// played fetches the first playlist or manifest of a session, and the media
// playlists that it names, and tries each address in them.
func (b *bench) played(t *testing.T, address string) string {
	t.Helper()
	status, body := b.get(t, address)
	if status != http.StatusOK {
		t.Fatalf("%s is answered with %d %s", token.ReplaceAllString(address, "…"), status, body)
	}
	out := body
	dir := address[:strings.LastIndex(strings.Split(address, "?")[0], "/")+1]
	for _, m := range regexp.MustCompile(`(?m)^get\S+|URI="(get[^"]+)"|"(getMP4Init[^"]+)"`).FindAllStringSubmatch(body, -1) {
		uri := strings.ReplaceAll(strings.Join(m[1:], ""), "&amp;", "&")
		if uri == "" {
			uri = m[0]
		}
		if strings.HasPrefix(uri, "getHLSMediaPlaylist") {
			out += "--- " + uri + "\n" + b.played(t, dir+uri)
			continue
		}
		if status, body := b.get(t, dir+uri); status != http.StatusOK || body == "" {
			t.Errorf("%s is answered with %d %s", token.ReplaceAllString(uri, "…"), status, body)
		}
	}
	return token.ReplaceAllString(out, "SessionToken=T")
}

// span writes a range after the epoch of the tests as a selector.
func span(member, axis string, from, to time.Duration) string {
	at := func(d time.Duration) string {
		return fmt.Sprintf("%.3f", float64(archivetest.Epoch().Add(d).UnixMilli())/1000)
	}
	end := ""
	if to > 0 {
		end = `,"EndTimestamp":` + at(to)
	}
	return fmt.Sprintf(`%q:{"FragmentSelectorType":%q,"TimestampRange":{"StartTimestamp":%s%s}}`, member, axis, at(from), end)
}

const (
	hls  = "GetHLSStreamingSessionURL"
	dash = "GetDASHStreamingSessionURL"
)

// TestPlaylists compares what sessions of all sorts show with golden files.
func TestPlaylists(t *testing.T) {
	b := newBench(t)
	b.record(t, 0, 4)
	b.record(t, 10*time.Second, 4)
	hlsRange := span("HLSFragmentSelector", "SERVER_TIMESTAMP", time.Second, 12*time.Second)
	hlsProducer := span("HLSFragmentSelector", "PRODUCER_TIMESTAMP", time.Second, 12*time.Second)
	dashRange := span("DASHFragmentSelector", "PRODUCER_TIMESTAMP", time.Second, 12*time.Second)
	for _, c := range []struct{ name, operation, more string }{
		{"live.m3u8", hls, `"DisplayFragmentTimestamp":"ALWAYS"`},
		{"on-demand.m3u8", hls, `"PlaybackMode":"ON_DEMAND",` + hlsRange},
		{"producer.m3u8", hls, `"PlaybackMode":"ON_DEMAND",` + hlsProducer},
		{"on-discontinuity.m3u8", hls, `"PlaybackMode":"ON_DEMAND","DiscontinuityMode":"ON_DISCONTINUITY","DisplayFragmentTimestamp":"ALWAYS",` + hlsProducer},
		{"limited.m3u8", hls, `"PlaybackMode":"ON_DEMAND","MaxMediaPlaylistFragmentResults":2,` + hlsProducer},
		{"live.mpd", dash, `"DisplayFragmentTimestamp":"ALWAYS","DisplayFragmentNumber":"ALWAYS"`},
		{"on-demand.mpd", dash, `"PlaybackMode":"ON_DEMAND",` + dashRange},
	} {
		testkit.Golden(t, c.name, b.played(t, b.session(t, c.operation, `{"StreamName":"cam",`+c.more+`}`)))
	}
}

// TestReplay follows a replay: fragments appear as they would be played, under
// the sequence numbers that they keep.
func TestReplay(t *testing.T) {
	b := newBench(t)
	b.record(t, 0, 10)
	var out strings.Builder
	address := map[string]string{
		"m3u8": b.session(t, hls, `{"StreamName":"cam","PlaybackMode":"LIVE_REPLAY",`+span("HLSFragmentSelector", "PRODUCER_TIMESTAMP", time.Second, 8*time.Second)+`}`),
		"mpd":  b.session(t, dash, `{"StreamName":"cam","PlaybackMode":"LIVE_REPLAY",`+span("DASHFragmentSelector", "PRODUCER_TIMESTAMP", time.Second, 8*time.Second)+`}`),
	}
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 40 * time.Second} {
		b.Clock.Advance(after)
		fmt.Fprintf(&out, "=== %v later\n%s%s", after, b.played(t, address["m3u8"]), b.played(t, address["mpd"]))
	}
	testkit.Golden(t, "replay.txt", out.String())
}

// TestLive follows a live session while fragments come, one of them too late.
func TestLive(t *testing.T) {
	b := newBench(t)
	b.record(t, 0, 2)
	address := b.session(t, hls, `{"StreamName":"cam","MaxMediaPlaylistFragmentResults":3,"HLSFragmentSelector":{"FragmentSelectorType":"PRODUCER_TIMESTAMP"}}`)
	var out strings.Builder
	for i, start := range []time.Duration{2 * time.Second, 500 * time.Millisecond, 8 * time.Second} {
		rec, err := b.stream.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := archivetest.Camera(b.Rig, rec, archivetest.Epoch().Add(start), 1); err != nil {
			t.Fatal(err)
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "=== %d\n%s", i, b.played(t, address))
	}
	testkit.Golden(t, "late.m3u8", out.String())
}

// TestRefusals asks for what cannot be.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	var out strings.Builder
	try := func(operation, body string) {
		_, err := b.call(t, operation, body)
		fmt.Fprintf(&out, "%s %s\n  %v\n", operation, body, err)
	}
	clip := span("ClipFragmentSelector", "PRODUCER_TIMESTAMP", 0, 5*time.Second)
	try(hls, `{"StreamName":"cam"}`)
	try("GetClip", `{"StreamName":"cam",`+clip+`}`)
	b.record(t, 0, 2)
	try(hls, `{}`)
	try(hls, `{"StreamName":"other"}`)
	try(hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND"}`)
	try(hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+span("HLSFragmentSelector", "SERVER_TIMESTAMP", 0, 0)+`}`)
	try(hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+span("HLSFragmentSelector", "SERVER_TIMESTAMP", 0, 25*time.Hour)+`}`)
	try(hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+span("HLSFragmentSelector", "SERVER_TIMESTAMP", time.Hour, time.Second)+`}`)
	try(hls, `{"StreamName":"cam",`+span("HLSFragmentSelector", "SERVER_TIMESTAMP", 0, time.Second)+`}`)
	try(hls, `{"StreamName":"cam","Expires":299}`)
	try(hls, `{"StreamName":"cam","Expires":43201}`)
	try(hls, `{"StreamName":"cam","ContainerFormat":"MPEG_TS"}`) // the pictures are VP9, but there is sound
	try(dash, `{"StreamName":"cam","PlaybackMode":"LIVE_REPLAY"}`)
	try("GetClip", `{"StreamName":"cam",`+span("ClipFragmentSelector", "PRODUCER_TIMESTAMP", time.Hour, 2*time.Hour)+`}`)
	try("GetImages", `{"StreamName":"cam","ImageSelectorType":"SERVER_TIMESTAMP","StartTimestamp":1,"EndTimestamp":2,"Format":"JPEG"}`)
	try("ListFragments", `{"StreamName":"cam"}`)
	try("ListFragments", `{"StreamName":"cam","NextToken":"nonsense"}`)
	b.Clock.Advance(time.Minute)
	try(hls, `{"StreamName":"cam"}`)
	d := b.catalogue.New("cam")
	d.Record = false
	if _, _, err := b.catalogue.Put(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	try(hls, `{"StreamName":"cam"}`)
	testkit.Golden(t, "refusals.txt", out.String())
}

// TestTokens alters tokens, lets them expire, and takes them elsewhere.
func TestTokens(t *testing.T) {
	b := newBench(t)
	b.record(t, 0, 4)
	address := b.session(t, hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+span("HLSFragmentSelector", "SERVER_TIMESTAMP", 0, 2*time.Second)+`}`)
	if status, _ := b.get(t, address); status != http.StatusOK {
		t.Fatalf("a fresh token is answered with %d", status)
	}
	all, err := archivetest.Persisted(b.stream)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimPrefix(token.FindString(address), "SessionToken=")
	segment := "/hls/v1/getMP4MediaFragment.mp4?TrackNumber=1&SessionToken=" + text + "&FragmentNumber="
	if status, _ := b.get(t, segment+all[1].Number.String()); status != http.StatusOK {
		t.Errorf("a fragment of the session is answered with %d", status)
	}
	altered := []byte(address)
	altered[len(altered)/2] ^= 1
	for what, address := range map[string]string{
		"an altered token":          string(altered),
		"no token":                  "/hls/v1/getHLSMasterPlaylist.m3u8",
		"a fragment outside":        segment + all[3].Number.String(),
		"a token of HLS for DASH":   "/dash/v1/getDASHManifest.mpd?SessionToken=" + text,
		"a token that has a tail":   address + "A",
		"a token of something else": "/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + b.playToken(t),
	} {
		if status, body := b.get(t, address); status != http.StatusForbidden {
			t.Errorf("%s is answered with %d %s", what, status, body)
		}
	}
	b.Clock.Advance(301 * time.Second)
	if status, _ := b.get(t, address); status != http.StatusForbidden {
		t.Errorf("an expired token is answered with %d", status)
	}
}

// playToken is a token of the native API.
func (b *bench) playToken(t *testing.T) string {
	t.Helper()
	v, err := auth.NewVerifier(auth.Options{Keys: auth.Root{Pair: auth.NewKeyPair()}, Keyring: b.keyring, Clock: b.Clock})
	if err != nil {
		t.Fatal(err)
	}
	text, err := v.Issue(auth.Internal("test"), auth.Claims{Action: auth.Play, Stream: "cam", Format: "hls", Expires: b.Clock.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
