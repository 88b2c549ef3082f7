package kit

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// Recorder reads the events of a node and keeps them.
type Recorder struct {
	Name string        // whose events they are
	Done chan struct{} // closed when the node's channel of events is

	mu   sync.Mutex
	seen []*zyre.Event
	news chan struct{} // closed at the next event
}

// NewRecorder makes a Recorder without a node. Whoever makes it calls Add, and closes Done
// in the end.
func NewRecorder(name string) *Recorder {
	return &Recorder{Name: name, news: make(chan struct{}), Done: make(chan struct{})}
}

// Record starts to read the events of a node; it ends with the node.
func Record(z *zyre.Zyre) *Recorder {
	r := NewRecorder(z.Name())
	events := z.Events()
	go func() {
		defer close(r.Done)
		for e := range events {
			r.Add(e)
		}
	}()
	return r
}

// Discard reads the events of a node and keeps none; it ends with the node.
func Discard(z *zyre.Zyre) {
	events := z.Events()
	go func() {
		for range events {
		}
	}()
}

// Add takes note of an event.
func (r *Recorder) Add(e *zyre.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
	close(r.news)
	r.news = make(chan struct{})
}

// Events returns what has been seen so far, and a channel that is closed at the next
// event.
func (r *Recorder) Events() ([]*zyre.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen, r.news
}

// Wait waits until an event matches a pattern "TYPE NAME GROUP MSG", of which the end may
// be left out, for the given time, counted from 1. It returns that event.
func (r *Recorder) Wait(t testing.TB, pattern string, times int) *zyre.Event {
	t.Helper()
	n := 0
	e := r.Find(func(e *zyre.Event) bool {
		if matches(e, pattern) {
			n++
		}
		return n == times
	})
	if e == nil {
		t.Fatalf("%s saw %q %d times, want %d; it saw:\n%s", r.Name, pattern, n, times, r)
	}
	return e
}

// Find shows each event to found until that says yes, and returns the event; or nil once
// nothing new has come for the time of [Patience]. However long a busy machine takes, it
// is waited for as long as it gets on; only a storm is cut off.
func (r *Recorder) Find(found func(e *zyre.Event) bool) *zyre.Event {
	quiet, storm := time.NewTimer(Patience), time.NewTimer(StormPatience)
	defer quiet.Stop()
	defer storm.Stop()
	for at := 0; ; {
		seen, news := r.Events()
		for ; at < len(seen); at++ {
			if found(seen[at]) {
				return seen[at]
			}
		}
		select {
		case <-news:
			quiet.Reset(Patience)
		case <-quiet.C:
			return nil
		case <-storm.C:
			return nil
		}
	}
}

// Count returns how many events so far match a pattern.
func (r *Recorder) Count(pattern string) (n int) {
	seen, _ := r.Events()
	for _, e := range seen {
		if matches(e, pattern) {
			n++
		}
	}
	return n
}

// Messages returns how many whispers and shouts have come so far.
func (r *Recorder) Messages() int { return r.Count("WHISPER") + r.Count("SHOUT") }

// Presence lists the events so far that are no messages.
func (r *Recorder) Presence() string {
	seen, _ := r.Events()
	var b strings.Builder
	for _, e := range seen {
		if e.Type != "WHISPER" && e.Type != "SHOUT" {
			fmt.Fprintln(&b, Describe(e))
		}
	}
	return b.String()
}

// String lists the events so far, or the first of them if they are many.
func (r *Recorder) String() string {
	seen, _ := r.Events()
	var b strings.Builder
	for i, e := range seen {
		if i > 200 {
			fmt.Fprintf(&b, "  … %d more\n", len(seen)-i)
			break
		}
		fmt.Fprintf(&b, "  %.120s\n", Describe(e))
	}
	return b.String()
}

func matches(e *zyre.Event, pattern string) bool {
	return strings.HasPrefix(Describe(e)+" ", pattern+" ")
}

// Describe writes an event as "TYPE NAME GROUP MSG", without what it does not have and
// with at most 100 bytes of the message.
func Describe(e *zyre.Event) string {
	msg := e.Msg[:min(len(e.Msg), 100)]
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", e.Type, e.PeerName, e.Group, msg)), " ")
}
