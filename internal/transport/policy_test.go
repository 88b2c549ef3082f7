package transport

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
)

func TestPolicy_Allows(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	tests := map[string]struct {
		policy     *Policy
		ann, empty bool
	}{
		"open":              {NewPolicy(log, false, nil), true, false},
		"open, with keys":   {NewPolicy(log, false, []string{"bob"}), true, false},
		"restricted":        {NewPolicy(log, true, []string{"bob", "ann"}), true, false},
		"others":            {NewPolicy(log, true, []string{"bob"}), false, false},
		"nobody":            {NewPolicy(log, true, nil), false, false},
		"the key of nobody": {NewPolicy(log, true, []string{""}), false, false},
	}
	for name, test := range tests {
		if got := test.policy.Allows("ann"); got != test.ann {
			t.Errorf("%s: Allows(ann) = %t, want %t", name, got, test.ann)
		}
		if got := test.policy.Allows(""); got != test.empty {
			t.Errorf("%s: Allows() of no key = %t, want %t", name, got, test.empty)
		}
		if got := test.policy.Refused(); got != 0 {
			t.Errorf("%s: Refused() = %d after questions alone, want 0", name, got)
		}
	}
}

// Keys can be replaced while others ask.
func TestPolicy_SetKeys(t *testing.T) {
	p := NewPolicy(slog.New(slog.DiscardHandler), true, []string{"ann"})
	keys := []string{"bob"}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for !p.Allows("bob") || p.Allows("ann") {
			runtime.Gosched()
		}
	}()
	p.SetKeys(keys)
	<-asked
	keys[0] = "eve" // the slice is the caller's
	if p.Allows("eve") || !p.Allows("bob") {
		t.Error("SetKeys() keeps the caller's slice")
	}
}

// levels counts what is logged, by level.
type levels struct {
	slog.Handler
	count map[slog.Level]int
}

func (l *levels) Enabled(context.Context, slog.Level) bool { return true }

func (l *levels) Handle(_ context.Context, r slog.Record) error {
	l.count[r.Level]++
	return nil
}

// All refusals are counted and logged.
func TestPolicy_refuse(t *testing.T) {
	lines := &levels{Handler: slog.DiscardHandler, count: map[slog.Level]int{}}
	p := NewPolicy(slog.New(lines), true, nil)
	const times = 100
	for range times {
		p.Refuse("global", "10.0.0.2", "ann")
	}
	if got := p.Refused(); got != times {
		t.Errorf("Refused() = %d, want %d", got, times)
	}
	if warned := lines.count[slog.LevelWarn]; warned != times {
		t.Errorf("%d warnings, want %d", warned, times)
	}
}
