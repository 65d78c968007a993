// Command weir is the whole product: the server and its command line. This
// package wires the rooms together and talks to a running server; it holds no
// behaviour of its own. One file a command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"weir/internal/config"
)

// cli are the commands.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Video   videoCmd   `cmd:"" help:"Work with the video streams of a running server."`
	Stream  streamCmd  `cmd:"" help:"Work with the data streams of a running server."`
	Key     keyCmd     `cmd:"" help:"Work with the keys of a running server and what they may do."`
	Bench   benchCmd   `cmd:"" help:"Measure what this machine can do."`
	Check   checkCmd   `cmd:"" help:"Check the recordings of a stopped server, or rebuild their index."`
	Env     envCmd     `cmd:"" help:"Print the address and the root keys of a server on this machine as export lines for a shell."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, stop, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	os.Exit(code)
}

// run is main without the process. stop gives the signals back, so that a
// second one ends the process at once.
func run(ctx context.Context, stop func(), args []string, io streams) int {
	var c cli
	source, err := config.NewSource(args, os.Environ())
	if err != nil {
		return failed(io, err)
	}
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("weir"),
		kong.Description("Self-hosted video and data streams."),
		kong.ShortUsageOnError(),
		kong.ValueFormatter(config.Help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Resolvers(source),
		kong.Writers(io.out, io.err),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io, stopSignals(stop)),
	)
	if err != nil {
		return failed(io, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return failed(io, err)
	}
	if err := k.Run(); err != nil {
		return failed(io, err)
	}
	return 0
}

// stopSignals stops the interception of signals.
type stopSignals func()

// failed prints an error and returns the exit code.
func failed(io streams, err error) int {
	fmt.Fprintln(io.err, "weir:", err)
	var usage *usageError
	var parse *kong.ParseError
	if errors.As(err, &usage) || errors.As(err, &parse) {
		return 2
	}
	return 1
}

// usageError is a wrong use of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
