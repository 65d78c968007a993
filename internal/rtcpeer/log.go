package rtcpeer

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog makes the loggers of pion. What peers do wrong is no news of ours:
// all of it is for debugging.
type pionLog struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (f pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionScope{f.log, scope}
}

// pionScope is the logger of one part of pion.
type pionScope struct {
	log   *slog.Logger
	scope string
}

func (l pionScope) write(level slog.Level, text string) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "webrtc", "scope", l.scope, "text", text)
	}
}

func (l pionScope) writef(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.write(slog.LevelDebug, fmt.Sprintf(format, args...))
	}
}

// The levels of pion below its warnings are traces, which nobody reads.
func (l pionScope) Trace(string)                 {}
func (l pionScope) Tracef(string, ...any)        {}
func (l pionScope) Debug(string)                 {}
func (l pionScope) Debugf(string, ...any)        {}
func (l pionScope) Info(string)                  {}
func (l pionScope) Infof(string, ...any)         {}
func (l pionScope) Warn(text string)             { l.write(slog.LevelDebug, text) }
func (l pionScope) Warnf(f string, args ...any)  { l.writef(f, args...) }
func (l pionScope) Error(text string)            { l.write(slog.LevelDebug, text) }
func (l pionScope) Errorf(f string, args ...any) { l.writef(f, args...) }
