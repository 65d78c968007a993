package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weir/internal/testkit"
)

// cliRun runs the AWS CLI against one service.
type cliRun struct {
	t        *testing.T
	env      []string
	endpoint string
	service  string
}

func newCLI(t *testing.T, w *testkit.Weir, service string) *cliRun {
	return &cliRun{t: t, env: []string{
		"AWS_ENDPOINT_URL=" + w.HTTP, "AWS_ACCESS_KEY_ID=" + w.AccessKey, "AWS_SECRET_ACCESS_KEY=" + w.SecretKey,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
	}, endpoint: w.HTTP, service: service}
}

func (c *cliRun) try(line string) (string, error) {
	args := append([]string{"--endpoint-url", c.endpoint, "--output", "json", c.service}, strings.Fields(line)...)
	cmd := exec.Command("aws", args...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *cliRun) run(line string) string {
	c.t.Helper()
	out, err := c.try(line)
	if err != nil {
		c.t.Fatalf("aws %s %s: %v\n%s", c.service, line, err, out)
	}
	return out
}

func (c *cliRun) has(want, line string) {
	c.t.Helper()
	if out := c.run(line); !strings.Contains(out, want) {
		c.t.Errorf("aws %s %s: %s is not in\n%s", c.service, line, want, out)
	}
}

func (c *cliRun) fails(want, line string) {
	c.t.Helper()
	if out, err := c.try(line); err == nil || !strings.Contains(out, want) {
		c.t.Errorf("aws %s %s: %v, %s is not in\n%s", c.service, line, err, want, out)
	}
}

func (c *cliRun) json(line string) map[string]any {
	c.t.Helper()
	var v map[string]any
	if out := c.run(line); json.Unmarshal([]byte(out), &v) != nil {
		c.t.Fatalf("aws %s %s: no JSON:\n%s", c.service, line, out)
	}
	return v
}
