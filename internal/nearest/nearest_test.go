package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	known := []string{"listen", "tls-listen", "rtsp-listen", "retention", "data-dir", "log-level"}
	for name, want := range map[string]string{
		"listne": "listen", "Listen": "listen", "tls_listen": "tls-listen", "rtsplisten": "rtsp-listen",
		"retention-": "retention", "datadir": "data-dir", "loglevel": "log-level",
		"banana": "", "": "", "x": "", strings.Repeat("listen", 50): "",
	} {
		if got := Name(name, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}
