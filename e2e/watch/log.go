// Package watch keeps what nodes report, and lets a test wait for it. A test waits for
// events, or for something to hold; it never waits for time to pass.
package watch

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// Patience is how long tests wait for what must happen: for each step of it, where it
// has steps. Within stormPatience it must be over.
const (
	Patience      = 20 * time.Second
	stormPatience = 10 * time.Minute
)

// An Entry is an event and when the node reported it.
type Entry struct {
	At time.Time // by the clock of the process of the node
	*zyre.Event
	text string // in words, with a space at the end
}

// A Log keeps the events of one node. Events are matched by patterns
// "TYPE NAME GROUP MESSAGE", of which the end may be left out.
type Log struct {
	Name string        // of the node
	Done chan struct{} // closed when no more events can come

	mu   sync.Mutex
	seen []Entry
	news chan struct{} // closed at the next event
}

// NewLog makes an empty log, for events that are added by hand.
func NewLog(name string) *Log {
	return &Log{Name: name, Done: make(chan struct{}), news: make(chan struct{})}
}

// Start starts a node and keeps its events.
func Start(t testing.TB, z *zyre.Zyre) *Log {
	t.Helper()
	if err := z.Start(); err != nil {
		t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
	}
	return Record(z)
}

// Record reads the events of a node of this process until it stops.
func Record(z *zyre.Zyre) *Log { return record(z, func(*zyre.Event) {}) }

// RecordGreeting is Record for a node that whispers "hello" to the first peer that enters.
func RecordGreeting(z *zyre.Zyre) *Log {
	greeted := false
	return record(z, func(e *zyre.Event) {
		if e.Type == zyre.EventEnter && !greeted {
			greeted = true
			z.Whispers(e.PeerUUID, "hello")
		}
	})
}

func record(z *zyre.Zyre, on func(e *zyre.Event)) *Log {
	l := NewLog(z.Name())
	events := z.Events()
	go func() {
		defer close(l.Done)
		for e := range events {
			on(e)
			l.Add(time.Now(), e)
		}
	}()
	return l
}

// Add takes note of an event.
func (l *Log) Add(at time.Time, e *zyre.Event) {
	text := Describe(e) + " "
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, Entry{at, e, text})
	close(l.news)
	l.news = make(chan struct{})
}

// Entries returns what was reported so far.
func (l *Log) Entries() []Entry {
	seen, _ := l.look()
	return seen
}

func (l *Log) look() ([]Entry, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen, l.news
}

// Wait waits until an event that matches has come for the given time, counted from 1.
func (l *Log) Wait(t testing.TB, pattern string, times int) *zyre.Event {
	t.Helper()
	n := 0
	e := l.find(func(e *Entry) bool {
		if e.matches(pattern) {
			n++
		}
		return n == times
	})
	if e == nil {
		t.Fatalf("%s saw %q %d times, want %d; it saw:\n%s", l.Name, pattern, n, times, l)
	}
	return e
}

// Find shows each event to found until that says yes, and returns the event; or nil
// once nothing new has come for Patience. However long a busy machine takes, it is
// waited for as long as it gets on; only a storm is cut off.
func (l *Log) Find(found func(e *zyre.Event) bool) *zyre.Event {
	return l.find(func(e *Entry) bool { return found(e.Event) })
}

func (l *Log) find(found func(e *Entry) bool) *zyre.Event {
	quiet, storm := time.NewTimer(Patience), time.NewTimer(stormPatience)
	defer quiet.Stop()
	defer storm.Stop()
	for at := 0; ; {
		seen, news := l.look()
		for ; at < len(seen); at++ {
			if found(&seen[at]) {
				return seen[at].Event
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

// Count tells how many events so far match.
func (l *Log) Count(pattern string) (n int) {
	for _, e := range l.Entries() {
		if e.matches(pattern) {
			n++
		}
	}
	return n
}

// Since returns the events after a moment that match; those of all kinds match "".
func (l *Log) Since(moment time.Time, pattern string) (found []Entry) {
	for _, e := range l.Entries() {
		if e.At.After(moment) && (pattern == "" || e.matches(pattern)) {
			found = append(found, e)
		}
	}
	return found
}

// Has reports whether a peer has entered and not exited since.
func (l *Log) Has(peer string) bool { return l.Count("ENTER "+peer) > l.Count("EXIT "+peer) }

// CheckCount fails the test unless exactly so many events match.
func (l *Log) CheckCount(t testing.TB, pattern string, want int) {
	t.Helper()
	if got := l.Count(pattern); got != want {
		t.Errorf("%s saw %q %d times, want %d; it saw:\n%s", l.Name, pattern, got, want, l)
	}
}

// Presence lists what came beside messages.
func (l *Log) Presence() string {
	return l.text(func(e *zyre.Event) bool { return e.Type != "WHISPER" && e.Type != "SHOUT" })
}

// String lists what came.
func (l *Log) String() string { return l.text(func(*zyre.Event) bool { return true }) }

func (l *Log) text(wanted func(*zyre.Event) bool) string {
	const most = 200
	var lines []string
	for _, e := range l.Entries() {
		if wanted(e.Event) {
			lines = append(lines, fmt.Sprintf("  %s %.120s", e.At.Format("05.000"), strings.TrimSpace(Describe(e.Event)+" "+e.Reason)))
		}
	}
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("  … %d more", more))
	}
	return strings.Join(lines, "\n")
}

func (e *Entry) matches(pattern string) bool {
	return len(e.text) > len(pattern) && e.text[:len(pattern)] == pattern && e.text[len(pattern)] == ' '
}

// Describe puts an event into words.
func Describe(e *zyre.Event) string {
	msg := e.Msg[:min(len(e.Msg), 100)]
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", e.Type, e.PeerName, e.Group, msg)), " ")
}

// Leader returns the leader that the node reported last, if it is still here, and how
// many LEADER events named the one that led already.
func (l *Log) Leader() (leader string, repeated int) {
	for _, e := range l.Entries() {
		switch {
		case e.Type == "LEADER" && e.PeerUUID == leader:
			repeated++
		case e.Type == "LEADER":
			leader = e.PeerUUID
		case e.PeerUUID == leader && (e.Type == "EXIT" || e.Type == "LEAVE"):
			leader = ""
		}
	}
	return leader, repeated
}

// Agree waits until all nodes report the same leader, each once.
func Agree(t testing.TB, leader string, nodes ...*Log) {
	t.Helper()
	for _, l := range nodes {
		Until(t, "all agree", func() bool {
			saw, _ := l.Leader()
			return saw == leader
		})
		if _, repeated := l.Leader(); repeated > 0 {
			t.Errorf("%s reported the same leader again:\n%s", l.Name, l)
		}
	}
}
