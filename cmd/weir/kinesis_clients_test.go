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

	"weir/internal/awsapi/kinesis"
	"weir/internal/testkit"
)

// client is a program that speaks to the Kinesis API, with what it does.
type client struct {
	name string
	run  func(*testing.T, *testkit.Weir)
}

// TestKinesisClients lets AWS's own clients work with a server, and holds
// docs/reference/kinesis.md against what they asked and were answered, which
// the server's metrics tell.
func TestKinesisClients(t *testing.T) {
	clients := []client{{"Go SDK", goScenario}, {"JavaScript SDK", jsScenario}, {"AWS CLI", cliScenario}}
	answers := map[string]map[string][]string{} // by client and operation
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			w := testkit.StartWeir(t, binary, nil)
			c.run(t, w)
			answers[c.name] = answered(t, w)
		})
	}
	if t.Failed() {
		return
	}
	for _, o := range kinesis.Model().Operations {
		if !slices.Contains(answers["Go SDK"][o.Name], "OK") && !strings.HasSuffix(o.Name, "Channel") {
			t.Errorf("no client had an answer to %s", o.Name)
		}
	}
	document(t, clients, answers)
}

// jsScenario runs the JavaScript SDK, which speaks h2c.
func jsScenario(t *testing.T, w *testkit.Weir) {
	cmd := exec.Command("node", "kinesis.mjs", w.HTTP)
	cmd.Dir = filepath.Join("testdata", "sdk")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.AccessKey, "AWS_SECRET_ACCESS_KEY="+w.SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// answered reads from the metrics which operations were asked, and the codes
// of their answers.
func answered(t *testing.T, w *testkit.Weir) map[string][]string {
	t.Helper()
	list := map[string][]string{}
	line := regexp.MustCompile(`(?m)^weir_aws_requests_total\{code="(\w+)",operation="(\w+)",service="Kinesis"\}`)
	_, body := w.Do(t, "GET", "/metrics", nil)
	for _, m := range line.FindAllStringSubmatch(string(body), -1) {
		list[m[2]] = append(list[m[2]], m[1])
	}
	return list
}

// document writes the table of operations, or holds it against the golden one.
func document(t *testing.T, clients []client, answers map[string]map[string][]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| operation |")
	for _, c := range clients {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString(" exceptions seen |\n|---|" + strings.Repeat("---|", len(clients)) + "---|\n")
	for _, o := range kinesis.Model().Operations {
		fmt.Fprintf(&b, "| %s |", o.Name)
		var seen []string
		for _, c := range clients {
			mark := " "
			for _, code := range answers[c.name][o.Name] {
				if code == "OK" {
					mark = " ✓ "
				} else if !slices.Contains(seen, code) {
					seen = append(seen, code)
				}
			}
			b.WriteString(mark + "|")
		}
		slices.Sort(seen)
		fmt.Fprintf(&b, " %s |\n", strings.Join(seen, ", "))
	}
	testkit.Section(t, filepath.Join("..", "..", "docs", "reference", "kinesis.md"), "operations", b.String())
}
