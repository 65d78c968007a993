package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

const commandLineHead = `# The command line

One program, ` + "`weir`" + `: the server, and the commands that talk to one. This page is what ` + "`--help`" + ` prints; a test keeps the two equal. The flags of ` + "`weir serve`" + ` are in [Settings](configuration.md).

The commands below ` + "`weir video`" + ` take ` + "`-o json`" + ` for programs: what the [HTTP API](http-api.md) answers, indented. They end with 0 when they did what they were asked, with 2 when they were called in a wrong way, and with 1 when something else failed, or when ` + "`weir check`" + ` found something.

Times are ` + "`now`, `-10m`, `-2d`" + `, RFC 3339, epoch milliseconds, or a date and time in the zone of this machine, like ` + "`\"2026-01-31 09:30\"`" + `.
`

// TestCommandLineReference keeps the reference equal to the help.
func TestCommandLineReference(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var page strings.Builder
	page.WriteString(commandLineHead)
	for _, command := range commands(t) {
		page.WriteString("\n## weir " + command + "\n\n```\n" + help(t, command) + "```\n")
	}
	file := filepath.Join("..", "..", "docs", "reference", "cli.md")
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the commands print; run the test with REWRITE=1 and look at the change", file)
	}
}

// commands lists the paths of all commands but serve, whose flags are the
// settings.
func commands(t *testing.T) []string {
	t.Helper()
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		for _, c := range n.Children {
			if c.Type != kong.CommandNode || c.Name == "serve" {
				continue
			}
			at := strings.TrimSpace(path + " " + c.Name)
			paths = append(paths, at)
			walk(c, at)
		}
	}
	walk(parser.Model.Node, "")
	return paths
}

// help is what a command prints when it is asked for help.
func help(t *testing.T, command string) string {
	t.Helper()
	var out strings.Builder
	args := append(strings.Fields(command), "--help")
	if code := run(context.Background(), func() {}, args, streams{strings.NewReader(""), &out, &out}); code != 0 {
		t.Fatalf("weir %s --help: exit %d\n%s", command, code, out.String())
	}
	var lines []string
	for _, line := range strings.Split(out.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}
