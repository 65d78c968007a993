package main_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/testkit"
)

// TestScripts runs the command line as a user does, each script with a server
// of its own. Beside the commands of testscript they have:
//
//	await PATTERN COMMAND…   until the output of a command matches
//	server stop|start|kill   the server of this script
//	use FILE|root            the key that weir key create -o json wrote to FILE,
//	                         which is $KEY from then on, or the root's
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			w := testkit.StartWeir(t, binary, nil, "--demo")
			env.Values["server"] = w
			env.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("WEIR_ENDPOINT", w.HTTP)
			env.Setenv("AWS_ACCESS_KEY_ID", w.AccessKey)
			env.Setenv("AWS_SECRET_ACCESS_KEY", w.SecretKey)
			env.Setenv("SERVER_DATA", w.DataDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  awaitOutput,
			"use":    useKey,
			"server": func(ts *testscript.TestScript, neg bool, args []string) { controlServer(t, ts, neg, args) },
		},
	})
}

func controlServer(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value("server").(*testkit.Weir)
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage: server stop|start|kill")
	}
	switch args[0] {
	case "stop":
		w.Stop(t)
	case "start":
		w.Start(t)
	case "kill":
		w.Kill(t)
	default:
		ts.Fatalf("server %s: stop, start or kill", args[0])
	}
}

func useKey(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value("server").(*testkit.Weir)
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage: use FILE|root")
	}
	access, secret := w.AccessKey, w.SecretKey
	if args[0] != "root" {
		var key struct{ AccessKey, SecretKey string }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &key))
		access, secret = key.AccessKey, key.SecretKey
		ts.Setenv("KEY", access)
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", access)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", secret)
}

// awaitTries bounds await: half a minute.
const (
	awaitTries = 300
	awaitPause = 100 * time.Millisecond
)

func awaitOutput(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var out []byte
	for range awaitTries {
		cmd := exec.Command(binary, args[2:]...)
		if args[1] != "weir" {
			ts.Fatalf("await runs weir only")
		}
		for _, name := range []string{"WEIR_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		out, _ = cmd.CombinedOutput()
		if pattern.Match(out) {
			return
		}
		time.Sleep(awaitPause)
	}
	ts.Fatalf("%s never shows %s; at last:\n%s", strings.Join(args[1:], " "), args[0], out)
}
