package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"weir/internal/config"
)

type serveCmd struct {
	config.Settings
}

// Help shows how it is used.
func (serveCmd) Help() string {
	return `Every flag is also a key of the YAML file and an environment variable.

Examples:

  weir serve --demo
  weir serve --data-dir /var/lib/weir --listen 0.0.0.0:7070 --rtsp-listen 0.0.0.0:8554
  weir serve --store 's3://footage?endpoint=http://127.0.0.1:9000'
  weir serve --config /etc/weir/weir.yaml`
}

// gcPercent trades memory for time. Most of what is allocated is media that
// lives for a fragment, so the heap of 40 cameras takes 0.6 MiB less for each
// than with Go's 100, and the time does not rise measurably. GOGC overrides it.
const gcPercent = 50

// Run serves until a signal, then drains: requests may finish, what is held
// back is persisted. A second signal ends the process at once.
func (c *serveCmd) Run(ctx context.Context, io streams, stop stopSignals) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log := newLog(io.err, c.LogLevel, c.LogFormat)
	n, err := openNode(ctx, &c.Settings, log)
	if err != nil {
		return err
	}
	c.greet(io.out, n)
	var cause error
	select {
	case <-ctx.Done():
		log.Info("stopping; a second signal stops at once")
	case cause = <-n.failed:
		log.Error("stopping", "err", cause)
	}
	stop()
	err = n.close()
	if cause != nil {
		return cause
	}
	return err
}

// greet prints what a person needs first: on a terminal, or wherever the
// output goes. The login link works once.
func (c *serveCmd) greet(out io.Writer, n *node) {
	fmt.Fprintf(out, "\n  Console   %s/login#link=%s\n", n.localURL(), n.verifier.LoginLink())
	if n.rtsp != nil {
		fmt.Fprintf(out, "  Cameras   %s/NAME   (publish and play; keys: weir env --data-dir %s)\n", n.localRTSP(), c.DataDir)
	}
	fmt.Fprintf(out, "  Store     %s\n\n", n.storeName)
}

// newLog makes the structured log.
func newLog(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// hostName is this machine's name, for certificates.
func hostName() []string {
	if h, err := os.Hostname(); err == nil {
		return []string{h}
	}
	return nil
}
