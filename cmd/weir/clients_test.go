package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/testkit"
)

// client is a program that speaks to the AWS APIs, with what it does, each on
// the same server.
type client struct {
	name string
	runs []scenario
	// aided are operations that the test did for it on its server.
	aided []string
}

// scenario is one walk through some operations. It leaves nothing behind that
// another would stumble over.
type scenario func(*testing.T, *testkit.Weir)

// seen are the codes of answers: by client, service and operation.
type seen map[string]map[string]map[string][]string

// runClients lets each client work with a server of its own, and tells what
// they asked and were answered, which the server's metrics tell.
func runClients(t *testing.T, clients []client, flags ...string) seen {
	answers := seen{}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			w := testkit.StartWeir(t, binary, nil, flags...)
			for _, run := range c.runs {
				run(t, w)
			}
			answers[c.name] = answered(t, w)
			for _, operations := range answers[c.name] {
				for _, o := range c.aided {
					delete(operations, o)
				}
			}
		})
	}
	return answers
}

// answered reads from the metrics which operations were asked, and the codes
// of their answers, by service.
func answered(t *testing.T, w *testkit.Weir) map[string]map[string][]string {
	t.Helper()
	list := map[string]map[string][]string{}
	line := regexp.MustCompile(`(?m)^weir_aws_requests_total\{code="(\w+)",operation="(\w+)",service="([\w ]+)"\}`)
	_, body := w.Do(t, "GET", "/metrics", nil)
	for _, m := range line.FindAllStringSubmatch(string(body), -1) {
		if list[m[3]] == nil {
			list[m[3]] = map[string][]string{}
		}
		list[m[3]][m[2]] = append(list[m[3]][m[2]], m[1])
	}
	return list
}

// all tells whether somebody had an answer to every operation of a service but
// those that refused names.
func (s seen) all(t *testing.T, model *awsapi.Service, refused ...string) {
	t.Helper()
	for _, o := range model.Operations {
		ok := false
		for _, services := range s {
			ok = ok || slices.Contains(services[model.ID][o.Name], "OK")
		}
		if ok == slices.Contains(refused, o.Name) {
			t.Errorf("%s: an answer to %s is %v", model.ID, o.Name, ok)
		}
	}
}

// document writes the table of a service's operations into a section of a page
// of the reference, or holds it against the one that is there.
func (s seen) document(t *testing.T, page, section string, clients []client, model *awsapi.Service) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| operation |")
	for _, c := range clients {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString(" exceptions seen |\n|---|" + strings.Repeat("---|", len(clients)) + "---|\n")
	for _, o := range model.Operations {
		fmt.Fprintf(&b, "| %s |", o.Name)
		var codes []string
		for _, c := range clients {
			mark := " "
			for _, code := range s[c.name][model.ID][o.Name] {
				if code == "OK" {
					mark = " ✓ "
				} else if !slices.Contains(codes, code) {
					codes = append(codes, code)
				}
			}
			b.WriteString(mark + "|")
		}
		slices.Sort(codes)
		fmt.Fprintf(&b, " %s |\n", strings.Join(codes, ", "))
	}
	testkit.Section(t, filepath.Join("..", "..", "docs", "reference", page), section, b.String())
}

// javaScript runs a script of testdata/sdk, which uses the JavaScript SDK.
func javaScript(script string, args ...string) scenario {
	return func(t *testing.T, w *testkit.Weir) {
		t.Helper()
		cmd := exec.Command("node", append([]string{script, w.HTTP}, args...)...)
		cmd.Dir = filepath.Join("testdata", "sdk")
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.AccessKey, "AWS_SECRET_ACCESS_KEY="+w.SecretKey)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
}
