package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/awsapi"
	"weir/internal/testkit"
)

// TestTranscripts plays the requests of testdata/transcripts and holds every
// answer against what is written there. A line that begins with «>» is a
// request, or what happens: «work» lets the worker work, «restart» is a new
// process, «advance 1h» moves the clock, «native NAME JSON» changes a
// definition. Versions are written V1, V2 and so on, in the order in which they
// appear.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &play{rig: newRig(t), seen: seen}
			testkit.Golden(t, filepath.Join("transcripts", filepath.Base(file)), p.all(string(text)))
		})
	}
	r := newRig(t)
	for operation := range r.paths {
		if !seen[operation] {
			t.Errorf("no transcript has %s", operation)
		}
	}
}

// play is one transcript.
type play struct {
	*rig
	versions []string
	seen     map[string]bool
	out      strings.Builder
}

func (p *play) all(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&p.out, line)
			p.step(strings.TrimPrefix(line, "> "))
		case line == "", strings.HasPrefix(line, "#"):
			fmt.Fprintln(&p.out, line)
		}
	}
	return p.out.String()
}

func (p *play) step(line string) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "work":
		p.work()
	case "limits":
		p.limits = true
		p.restart()
	case "restart":
		p.restart()
	case "advance":
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		p.clock.Advance(d)
	case "native":
		stream, body, _ := strings.Cut(rest, " ")
		d := p.catalogue.New(stream)
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			p.t.Fatal(err)
		}
		if _, _, err := p.catalogue.Put(p.t.Context(), d); err != nil {
			fmt.Fprintf(&p.out, "  %v\n", err)
		}
	default:
		p.request(name, rest)
	}
}

// request sends one request and writes down the answer.
func (p *play) request(operation, body string) {
	p.seen[operation] = true
	for i := len(p.versions) - 1; i >= 0; i-- {
		body = strings.ReplaceAll(body, fmt.Sprintf("V%d\"", i+1), p.versions[i]+"\"")
	}
	w := p.call(operation, body)
	code := w.Header().Get("X-Amzn-Errortype")
	p.modelled(operation, w.Code, code)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, w.Body.Bytes(), "  ", "  "); err != nil {
		pretty.Reset()
		pretty.Write(w.Body.Bytes())
	}
	fmt.Fprintf(&p.out, "%s\n", strings.TrimRight(fmt.Sprintf("  %d %s %s", w.Code, code, p.mask(pretty.String())), " "))
}

// modelled holds an error against those of the model.
func (p *play) modelled(operation string, status int, code string) {
	if code == "" || code == "ValidationException" || code == "SerializationException" {
		return
	}
	for _, s := range []*awsapi.Service{p.api.Service().Model, p.api.Signaling().Model, p.api.WebRTCStorage().Model} {
		if o, ok := s.Operation(operation); ok {
			i := slices.IndexFunc(o.Errors, func(e *awsapi.ErrorShape) bool { return e.Code == code })
			if i < 0 || o.Errors[i].Status != status {
				p.t.Errorf("%s answers %s with %d, which its model has not", operation, code, status)
			}
		}
	}
	if status < http.StatusBadRequest {
		p.t.Errorf("%s answers %s with %d", operation, code, status)
	}
}

var versionLine = regexp.MustCompile(`"Version": "([0-9a-f]{20})"`)

// mask writes versions in the order in which they appear.
func (p *play) mask(text string) string {
	return versionLine.ReplaceAllStringFunc(text, func(m string) string {
		v := versionLine.FindStringSubmatch(m)[1]
		i := slices.Index(p.versions, v)
		if i < 0 {
			i = len(p.versions)
			p.versions = append(p.versions, v)
		}
		return fmt.Sprintf(`"Version": "V%d"`, i+1)
	})
}
