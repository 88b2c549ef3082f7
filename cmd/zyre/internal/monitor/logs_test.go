package monitor

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Warnings of the node are in the time line, printable.
func TestLogHandler(t *testing.T) {
	s := NewStream(NewModel(ownUUID, t0), func() time.Time { return t0 })
	log := slog.New(LogHandler(s)).With("node", "A1")
	log.Info("not this")
	log.Warn("a warning", "peer", "x\x1b[31m\n\u202e")
	_, entries := s.State(10)
	if len(entries) != 1 || entries[0].Type != EntryLog || !strings.HasPrefix(entries[0].Reason, `msg="a warning" node=A1 peer=`) ||
		strings.ContainsAny(entries[0].Reason, "\x1b\n\u202e") {
		t.Errorf("entries = %+v, want the warning in one line", entries)
	}
}
