package zyre_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// callback is a slog.Handler that calls back, from each of its own methods, for as long
// as there are calls left: some of what it calls is logged too.
type callback struct {
	slog.Handler
	call func()
	left *atomic.Int64
}

func newCallback(call func()) callback {
	h := callback{slog.DiscardHandler, call, &atomic.Int64{}}
	h.left.Store(50)
	return h
}

func (h callback) back() {
	if h.left.Add(-1) >= 0 {
		h.call()
	}
}

func (h callback) Enabled(context.Context, slog.Level) bool  { h.back(); return true }
func (h callback) Handle(context.Context, slog.Record) error { h.back(); return nil }
func (h callback) WithAttrs([]slog.Attr) slog.Handler        { h.back(); return h }
func (h callback) WithGroup(string) slog.Handler             { h.back(); return h }

// A handler may call every method of the node that logs to it.
func TestSetLogger_handlerCallsNode(t *testing.T) {
	names := maps.Clone(kit.EveryMethod(nil))
	maps.Copy(names, kit.EverySetter(nil))
	names["Start"], names["Stop"] = nil, nil
	for name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := kit.FreeUDPPort(t)
			z := kit.NewNode(t, "z", port)
			methods := kit.EveryMethod(z)
			maps.Copy(methods, kit.EverySetter(z))
			delete(methods, "SetVerbose") // it would log to standard error
			methods["SetVerbose"] = func() {}
			methods["Start"], methods["Stop"] = func() { _ = z.Start() }, z.Stop
			h := newCallback(methods[name])
			z.SetLogger(slog.New(h).With("a", 1).WithGroup("g").With("b", 2))
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = z.Start()
				other := kit.LoopbackNode("other", port)
				_ = other.Start()
				for range 10 {
					z.Join(strings.Repeat("x", 256)) // is logged
					z.Stats()
				}
				other.Stop()
				z.Stop()
			}()
			select {
			case <-ended:
			case <-time.After(watch.Patience):
				t.Fatalf("a handler that calls %s makes the node hang", name)
			}
			h.left.Store(0)
		})
	}
}

// Peers and interfaces are logged at level Info, beacons at Debug; a healthy network causes
// no warning.
func TestSetLogger_levels(t *testing.T) {
	port := kit.FreeUDPPort(t)
	var log kit.Buffer
	a := kit.NewNode(t, "a", port).SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	b := kit.NewNode(t, "b", port)
	kit.MustStart(t, a, b)
	ra := watch.Record(a)
	ra.Wait(t, "ENTER b", 1)
	b.Stop()
	ra.Wait(t, "EXIT b", 1)
	a.Stop()
	text := log.String()
	for msg, level := range map[string]string{
		`enter `: "INFO", `exit `: "INFO", `"beacons use an interface"`: "INFO", `"beacon sent"`: "DEBUG", `"beacon heard"`: "DEBUG",
	} {
		if all, right := strings.Count(text, "msg="+msg), strings.Count(text, "level="+level+" msg="+msg); all == 0 || right != all {
			t.Errorf("%s is logged %d times, at level %s %d times, want all, and more than 0", msg, all, level, right)
		}
	}
	if strings.Contains(text, "level=WARN") {
		t.Errorf("warnings of a healthy network:\n%s", text)
	}
}

// A level that changes while the node runs is followed.
func TestSetLogger_levelChanges(t *testing.T) {
	var level slog.LevelVar
	level.Set(slog.LevelError)
	lines := make(chan string, 1000)
	z := kit.NewNode(t, "z", kit.FreeUDPPort(t)).
		SetLogger(slog.New(slog.NewTextHandler(lineWriter(lines), &slog.HandlerOptions{Level: &level})))
	kit.MustStart(t, z)
	level.Set(slog.LevelWarn)
	watch.Until(t, "the change shows", func() bool {
		z.Join(strings.Repeat("x", 256))
		return len(lines) > 0
	})
	if line := <-lines; !strings.Contains(line, "longer than") {
		t.Errorf("logged %q, want a warning of a long name", line)
	}
}

// lineWriter takes what is written, as far as there is room.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	select {
	case w <- string(b):
	default:
	}
	return len(b), nil
}
