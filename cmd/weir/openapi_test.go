package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"

	"weir/internal/awsapi/kvsignaling"
	"weir/internal/config"
)

// document is what the tests read of the OpenAPI document.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]struct{ OperationID string }
	Components map[string]map[string]json.RawMessage
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocumentCoversTheRoutes compares the document with what a server has
// registered, both ways. The pages of the console are no API of this document,
// and those of AWS have documents of their own.
func TestDocumentCoversTheRoutes(t *testing.T) {
	s, err := config.Load([]string{
		"--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--rtsp-listen", "127.0.0.1:0",
		"--rtsp-rtp-listen", "", "--rtsp-rtcp-listen", "", "--webrtc-listen", "127.0.0.1:0",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := openNode(context.Background(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	registered := map[string]bool{}
	for _, p := range n.server.Patterns() {
		if page(p) {
			continue
		}
		registered[strings.ReplaceAll(p, "...}", "}")] = true
	}
	documented := map[string]bool{}
	for path, operations := range readDocument(t).Paths {
		for method := range operations {
			documented[strings.ToUpper(method)+" "+path] = true
		}
	}
	for p := range registered {
		if !documented[p] {
			t.Errorf("openapi.json does not have %s", p)
		}
	}
	for p := range documented {
		if !registered[p] && !within(registered, p) {
			t.Errorf("openapi.json has %s, which no route answers", p)
		}
	}
}

// page tells whether a pattern belongs to the console, or to AWS.
func page(pattern string) bool {
	_, path, _ := strings.Cut(pattern, " ")
	if _, ok := kvsignaling.Model().Route(http.MethodPost, path); ok {
		return true
	}
	return !strings.HasPrefix(path, "/v1/") && !slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, path)
}

// within tells whether a documented path is one of those that a registered
// pattern with a rest answers.
func within(registered map[string]bool, path string) bool {
	for p := range registered {
		if head, ok := strings.CutSuffix(p, "{path}"); ok && strings.HasPrefix(path, head) {
			return true
		}
	}
	return false
}

// TestDocumentHoldsTogether follows every reference and wants every operation
// to have a name of its own.
func TestDocumentHoldsTogether(t *testing.T) {
	d := readDocument(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("openapi is %q", d.OpenAPI)
	}
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var all any
	if err := json.Unmarshal(openAPI, &all); err != nil {
		t.Fatal(err)
	}
	walk(all)
	for kind, parts := range d.Components {
		if kind == "securitySchemes" {
			continue
		}
		for name := range parts {
			ref := "#/components/" + kind + "/" + name
			if !used[ref] {
				t.Errorf("nothing refers to %s", ref)
			}
			delete(used, ref)
		}
	}
	dangling := make([]string, 0, len(used))
	for ref := range used {
		dangling = append(dangling, ref)
	}
	sort.Strings(dangling)
	if len(dangling) > 0 {
		t.Errorf("references without a target: %v", dangling)
	}
	names := map[string]bool{}
	for path, operations := range d.Paths {
		for method, o := range operations {
			if o.OperationID == "" || names[o.OperationID] {
				t.Errorf("%s %s: operationId %q is missing or used twice", method, path, o.OperationID)
			}
			names[o.OperationID] = true
		}
	}
}
