package zyre

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// warningOf makes a record.
func warningOf(at time.Time, message string, attrs ...any) slog.Record {
	r := slog.NewRecord(at, slog.LevelWarn, message, 0)
	r.Add(attrs...)
	return r
}

// A warning is logged once, and then ever more rarely with how often it came.
func TestWarnings_note(t *testing.T) {
	var w warnings
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		after  time.Duration // the start
		tell   bool
		untold uint64
	}{
		{0, true, 0},
		{time.Second, false, 0},
		{59 * time.Second, false, 0},
		{time.Minute, true, 2},
		{2 * time.Minute, false, 0},
		{3 * time.Minute, true, 1},
		{7 * time.Minute, true, 0},
		{15 * time.Minute, true, 0},
		{31 * time.Minute, true, 0},
		{63 * time.Minute, true, 0},
		{122 * time.Minute, false, 0},
		{123 * time.Minute, true, 1}, // an hour is the longest pause
		{183 * time.Minute, true, 0},
	} {
		_, untold, tell := w.note(warningOf(start.Add(c.after), "it happened", "peer", "A", "err", c.after))
		if tell != c.tell || untold != c.untold {
			t.Errorf("after %v: note() = %d, %t, want %d, %t", c.after, untold, tell, c.untold, c.tell)
		}
	}
	want := []Warning{{`it happened peer=A err=0s`, start, start.Add(183 * time.Minute), 13}}
	if got := w.list(); !slices.Equal(got, want) {
		t.Errorf("list() = %+v, want %+v", got, want)
	}
	w.reset()
	if got := w.list(); len(got) != 0 {
		t.Errorf("list() after reset() = %+v, want none", got)
	}
}

// Warnings about different peers are told apart, as long as they are few.
func TestWarnings_many(t *testing.T) {
	var w warnings
	now := time.Unix(1e9, 0)
	told := func(peer int) bool {
		_, _, tell := w.note(warningOf(now, "it happened", "peer", peer))
		return tell
	}
	for peer := range 100 {
		if got, want := told(peer), peer <= maxSameWarnings; got != want {
			t.Errorf("the warning about peer %d is told: %t, want %t", peer, got, want)
		}
	}
	if _, _, tell := w.note(warningOf(now, "something else")); !tell {
		t.Error("another warning is not told")
	}
	if got, want := len(w.list()), maxSameWarnings+2; got != want {
		t.Errorf("%d warnings are kept, want %d", got, want)
	}
	now = now.Add(warningPauseMost)
	if !told(1000) {
		t.Error("a warning about one more peer is not told, though the others are old")
	}
}

// What others have sent cannot pose as something else.
func TestWarningText(t *testing.T) {
	for _, c := range []struct {
		record slog.Record
		want   string
	}{
		{warningOf(time.Time{}, "plain"), "plain"},
		{warningOf(time.Time{}, "a", "name", "alice", "n", 3), "a name=alice n=3"},
		{warningOf(time.Time{}, "a", "name", ""), `a name=""`},
		{warningOf(time.Time{}, "a", "name", "x peer=y"), `a name="x peer=y"`},
		{warningOf(time.Time{}, "a", "name", "x\n\x1b[31m"), `a name="x\n\x1b[31m"`},
	} {
		if got := warningText(c.record); got != c.want {
			t.Errorf("warningText() = %q, want %q", got, c.want)
		}
	}
}

// logAll logs one record at each level, and returns what the handler got.
func logAll(logger *slog.Logger, logs *logQueue, got func() string) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if logger.Enabled(context.Background(), level) {
			logger.Log(context.Background(), level, "it happened at level "+level.String(), "level", level)
		}
	}
	logs.flush()
	return got()
}

// Without SetLogger warnings go to slog.Default, as it is when they come; with nil there
// is no log. Stats has them always.
func TestSetLogger_default(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for _, c := range []struct {
		name string
		set  func(z *Zyre)
		want string
	}{
		{"default", func(*Zyre) {}, "WARN ERROR"},
		{"nil", func(z *Zyre) { z.SetLogger(nil) }, ""},
		{"discarded", func(z *Zyre) { z.SetLogger(slog.New(slog.DiscardHandler)) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := NewZyre(context.Background())
			c.set(z)
			var log lockedBuffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
			text := logAll(z.cfg.logger.With("node", "ours").WithGroup("g"), z.cfg.logs, log.String)
			var levels []string
			for line := range strings.Lines(text) {
				if strings.Contains(line, "node=ours") && strings.Contains(line, "g.level=") {
					levels = append(levels, strings.TrimPrefix(strings.Fields(line)[1], "level="))
				}
			}
			if got := strings.Join(levels, " "); got != c.want {
				t.Errorf("slog.Default got %q, want %q:\n%s", got, c.want, text)
			}
			if got := z.cfg.logs.warnings.list(); len(got) != 2 {
				t.Errorf("warnings = %+v, want two", got)
			}
		})
	}
}

// A repeated warning is one of level Debug, and what the handler does not take has not
// been told.
func TestSetLogger_repeats(t *testing.T) {
	var log lockedBuffer
	var level slog.LevelVar
	level.Set(slog.LevelError)
	logger, logs := newLogger(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: &level}))
	warn := func() {
		logger.Warn("it happened")
		logs.flush()
	}
	warn()
	level.Set(slog.LevelDebug)
	logs.level.Store(int64(slog.LevelDebug))
	for range 3 {
		warn()
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=DEBUG") != 2 {
		t.Errorf("the log has not one warning and two of level Debug:\n%s", text)
	}
}

// A handler that does not return holds up nothing, and what it misses is counted and told.
func TestSetLogger_slowHandler(t *testing.T) {
	var log lockedBuffer
	release := make(chan struct{})
	slow := &gate{slog.NewTextHandler(&log, nil), release}
	z := newLoopbackNode(t, "z", freeUDPPort(t)).SetLogger(slog.New(slow))
	mustStart(t, z)
	for i := range 1500 {
		z.cfg.logger.Info("it happened", "time", i)
	}
	if lost := z.Stats().Dropped.LogRecords; lost < 490 || lost > 510 {
		t.Errorf("Stats: %d log records lost, want about 500", lost)
	}
	close(release)
	eventually(t, "the others are logged", func() bool { return strings.Count(log.String(), "it happened") >= 990 })
	if !strings.Contains(log.String(), "log records lost") {
		t.Error("that records were lost is not in the log")
	}
	z.Stop()
	eventually(t, "the last words", func() bool { return strings.Contains(log.String(), "stopped") })
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// gate is a handler that waits until it is released.
type gate struct {
	slog.Handler
	released chan struct{}
}

func (g *gate) Handle(ctx context.Context, r slog.Record) error {
	<-g.released
	return g.Handler.Handle(ctx, r)
}

func (g *gate) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &gate{g.Handler.WithAttrs(attrs), g.released}
}

// levels is a slog.Handler that keeps the text of warnings.
type levels struct{ texts []string }

func (l *levels) warnings() int { return len(l.texts) }

func (l *levels) Enabled(context.Context, slog.Level) bool { return true }
func (l *levels) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *levels) WithGroup(string) slog.Handler            { return l }

func (l *levels) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		l.texts = append(l.texts, r.Message)
	}
	return nil
}
