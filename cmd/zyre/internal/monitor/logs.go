package monitor

import (
	"io"
	"log/slog"
	"strings"
	"time"
)

// maxRecord is how many bytes of a log record are kept.
const maxRecord = 1000

// LogHandler returns a handler that puts warnings of a node into the time line.
func LogHandler(s *Stream) slog.Handler {
	return slog.NewTextHandler(logWriter{s}, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})
}

// logWriter makes an entry of each line.
type logWriter struct{ stream *Stream }

var _ io.Writer = logWriter{}

func (w logWriter) Write(line []byte) (int, error) {
	text := printable(strings.TrimSuffix(string(line), "\n"), maxRecord)
	w.stream.Event(func(m *Model, now time.Time) {
		m.timeline.add(Entry{Time: now, Type: EntryLog, Reason: text})
	})
	return len(line), nil
}
