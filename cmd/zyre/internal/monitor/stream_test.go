package monitor

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// Each change wakes whoever waits; only a sample, and not an event, makes a new picture. After
// the end nothing changes.
func TestStream(t *testing.T) {
	n := newFakeNetwork(2, 0)
	s := NewStream(n.model, func() time.Time { return n.now })
	first := s.LastEntry()
	picture := func() *byte {
		t.Helper()
		state, version, err := s.JSON()
		if err != nil || version != s.Since(0, 0).Version {
			t.Fatalf("JSON() is of version %d, %v, want that of Since()", version, err)
		}
		return &state[0]
	}
	changes := 0
	event := func(m *Model, now time.Time) {
		changes++
		m.Event(now, &zyre.Event{Type: "SHOUT", PeerUUID: fakeUUID(0), Group: "control"})
	}
	for _, c := range []struct {
		name             string
		do               func()
		woken            bool
		version, entries int
		isEnd            bool
	}{
		{"nothing", func() {}, false, 0, 0, false},
		{"an event", func() { s.Event(event) }, true, 0, 1, false},
		{"a sample", func() { s.Sample(event) }, true, 1, 2, false},
		{"the end", s.End, true, 1, 2, true},
		{"an event after the end", func() { s.Event(event) }, true, 1, 2, true},
		{"a sample after the end", func() { s.Sample(event) }, true, 1, 2, true},
		{"the end again", s.End, true, 1, 2, true},
	} {
		before, shown := s.Since(0, 0), picture()
		c.do()
		woken := false
		select {
		case <-before.Changed:
			woken = true
		default:
		}
		got := s.Since(first, 10)
		if woken != c.woken || got.Version != uint64(c.version) || len(got.Entries) != c.entries || got.IsEnd != c.isEnd {
			t.Errorf("after %s: woken %t, version %d, %d entries, end %t, want %+v", c.name, woken, got.Version, len(got.Entries), got.IsEnd, c)
		}
		if isNew := picture() != shown; isNew != (got.Version != before.Version) {
			t.Errorf("after %s: a new picture %t, want one with each version", c.name, isNew)
		}
	}
	if last := s.LastEntry(); changes != 2 || last != first+2 {
		t.Errorf("%d changes and the last entry %d, want 2 and %d", changes, last, first+2)
	}
}
