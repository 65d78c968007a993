package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

func rewriting() bool { return os.Getenv("REWRITE") != "" }

// load runs Load with the environment of the test process set as kong reads it.
func load(t *testing.T, file string, environ []string, args ...string) (*Settings, error) {
	t.Helper()
	if file != "" {
		name := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	return Load(args, environ)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if rewriting() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the test with REWRITE=1 and look at the change. Got:\n%s", file, got)
	}
}

// TestDefaults is the whole struct with nothing set.
func TestDefaults(t *testing.T) {
	s, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/defaults.json", string(got)+"\n")
}

func TestPrecedence(t *testing.T) {
	s, err := load(t, `
# comment
listen: 127.0.0.1:1
rtsp-listen: 127.0.0.1:2
data-dir: /from/file
retention: 30d
demo: true
store-create-bucket: false
camera-network: [192.168.20.0/24, 10.1.2.3]
max-streams: 7
`, []string{"WEIR_LISTEN=127.0.0.1:3", "WEIR_DATA_DIR=/from/env", "WEIR_ALLOWED_ORIGIN=https://a,https://b"}, "--data-dir=/from/flag")
	if err != nil {
		t.Fatal(err)
	}
	want, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want.Config = s.Config
	want.Listen, want.RTSPListen, want.DataDir = "127.0.0.1:3", "127.0.0.1:2", "/from/flag"
	want.Retention, want.Demo, want.StoreCreate, want.MaxStreams = Duration(30*day), true, false, 7
	want.AllowedOrigin = []string{"https://a", "https://b"}
	want.CameraNetwork = make([]Network, 2)
	for i, text := range []string{"192.168.20.0/24", "10.1.2.3/32"} {
		if err := want.CameraNetwork[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, file, environ, arg, want string
	}{
		{"unknown key", "rtsp_listen: x", "", "", "line 1: unknown setting rtsp_listen; did you mean rtsp-listen?"},
		{"unknown key, far", "bananas: 1", "", "", "unknown setting bananas"},
		{"twice", "demo: true\ndemo: false", "", "", "line 2: demo is set twice"},
		{"nested", "listen: {a: b}", "", "", "want a plain value or a list"},
		{"not a mapping", "- listen", "", "", "want lines of the form"},
		{"unknown variable", "", "WEIR_LISTENS=x", "", "unknown environment variable WEIR_LISTENS; did you mean WEIR_LISTEN?"},
		{"unknown flag", "", "", "--listne=x", "unknown flag --listne"},
		{"bool", "demo: maybe", "", "", "neither true nor false"},
		{"size", "disk-low-water: lots", "", "", "is not a size"},
		{"duration", "retention: forever", "", "", "is not a duration"},
		{"network", "camera-network: [300.1.1.1]", "", "", "is not a network"},
		{"network bits", "camera-network: 192.168.20.1/24", "", "", "write 192.168.20.0/24"},
		{"address", "listen: seven", "", "", "listen: \"seven\" is not an address"},
		{"port", "listen: 127.0.0.1:99999", "", "", "no port between"},
		{"udp pair", "rtsp-rtp-listen: 127.0.0.1:8001", "", "", "must be even"},
		{"udp half", "rtsp-rtp-listen: ''", "", "", "set both or none"},
		{"tls without certificate", "tls-listen: 127.0.0.1:1", "", "", "give tls-cert and tls-key"},
		{"tls half", "tls-cert: a", "", "", "set both or none"},
		{"fragment", "fragment-duration: 30s", "", "", "fragment-duration: 30s is not between"},
		{"store", "store: /tmp/x", "", "", "use file:///path"},
		{"public", "public-url: weir.example.com", "", "", "public-url"},
		{"origin", "allowed-origin: https://a/b", "", "", "has a path"},
		{"enum", "log-level: loud", "", "", "log-level"},
		{"no listener", "listen: ''", "", "", "cannot be empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var environ, args []string
			if c.environ != "" {
				environ = []string{c.environ}
			}
			if c.arg != "" {
				args = []string{c.arg}
			}
			_, err := load(t, c.file, environ, args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]Size{
		"1GiB": 1 << 30, "1.5 MiB": 3 << 19, "500MB": 500e6, "1024": 1024, "7B": 7, "0": 0, "2TiB": 2 << 40,
		"-1": -1, "1XB": -1, "": -1, "NaN": -1, "1e30": -1, "99999999TiB": -1, "GiB": -1,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); (err == nil) != (want >= 0) || err == nil && s != want {
			t.Errorf("size %q is %d, %v", text, s, err)
		}
	}
	for text, want := range map[string]time.Duration{
		"30d": 30 * day, "1d12h": 36 * time.Hour, "2s": 2 * time.Second, "1h30m": 90 * time.Minute, "0s": 0, "0.5d": day / 2,
		"500ms": time.Second / 2, "-1s": -1, "": -1, "d": -1, "1d2": -1, "99999999d": -1, "1e300d": -1, "NaNd": -1,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); (err == nil) != (want >= 0) || err == nil && d.Std() != want {
			t.Errorf("duration %q is %v, %v", text, d, err)
		}
	}
}

// TestHelp is what `weir serve --help` prints.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	var out strings.Builder
	var s Settings
	parser, err := kong.New(&s, kong.Name("serve"), kong.ValueFormatter(Help), kong.Writers(&out, &out), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	// kong goes on after the exit that is none here.
	_, _ = parser.Parse([]string{"--help"})
	golden(t, "testdata/help.txt", out.String())
}

func FuzzValues(f *testing.F) {
	for _, seed := range []string{"1GiB", "30d", "1h30m", "192.168.0.0/16", "500MB", "1d12h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, s2 Size
		if s.UnmarshalText([]byte(text)) == nil {
			if err := s2.UnmarshalText([]byte(s.String())); err != nil || s2 != s {
				t.Fatalf("size %q became %q and then %d: %v", text, s, s2, err)
			}
		}
		var d, d2 Duration
		if d.UnmarshalText([]byte(text)) == nil {
			if err := d2.UnmarshalText([]byte(d.String())); err != nil || d2 != d {
				t.Fatalf("duration %q became %q and then %v: %v", text, d, d2, err)
			}
		}
		var n Network
		_ = n.UnmarshalText([]byte(text))
	})
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("listen: 127.0.0.1:1\ncamera-network: [10.0.0.0/8]\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseFile(data)
		if err == nil && len(values) > len(Fields()) {
			t.Fatalf("%d values came from a file with %d possible keys", len(values), len(Fields()))
		}
	})
}

// TestReference keeps the page in docs equal to the schema.
func TestReference(t *testing.T) { golden(t, "../../docs/reference/configuration.md", Document()) }

// TestSchema holds every field to the same form.
func TestSchema(t *testing.T) {
	for _, f := range Fields() {
		if want := "WEIR_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")); f.Env != want {
			t.Errorf("%s has the variable %s, want %s", f.Name, f.Env, want)
		}
		if f.Help == "" || f.Group == "" {
			t.Errorf("%s lacks help or group", f.Name)
		}
		if f.Example == "" && f.Kind.Kind() != reflect.Bool {
			t.Errorf("%s lacks an example", f.Name)
		}
	}
}
