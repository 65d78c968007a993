package turnserver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs lets the protocol write into our log. What it calls errors is what
// clients send, so all of it is for those who look closely.
type logs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return logger{l.log.With("scope", scope)}
}

type logger struct{ log *slog.Logger }

func (l logger) say(text string) { l.log.Debug(text) }

func (l logger) sayf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, args...))
	}
}

// Trace and those that follow implement logging.LeveledLogger. There are two of
// them for every datagram; they are dropped.
func (logger) Trace(string)          {}
func (logger) Tracef(string, ...any) {}
func (logger) Debug(string)          {}
func (logger) Debugf(string, ...any) {}

func (l logger) Info(text string)                  { l.say(text) }
func (l logger) Infof(format string, args ...any)  { l.sayf(format, args...) }
func (l logger) Warn(text string)                  { l.say(text) }
func (l logger) Warnf(format string, args ...any)  { l.sayf(format, args...) }
func (l logger) Error(text string)                 { l.say(text) }
func (l logger) Errorf(format string, args ...any) { l.sayf(format, args...) }
