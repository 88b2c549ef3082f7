package zyre_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// Whole nodes, with their goroutines, queues and timers, on a network in memory.

// newNodes makes some nodes, node0 and so on, in a group.
func newNodes(network *zyretest.Network, count int, group string) []*zyre.Zyre {
	var nodes []*zyre.Zyre
	for i := range count {
		z := network.NewNode(fmt.Sprint("node", i))
		z.Join(group)
		nodes = append(nodes, z)
	}
	return nodes
}

// startAll starts nodes, and reads the events of each.
func startAll(t *testing.T, nodes ...*zyre.Zyre) (lines []*timeline) {
	t.Helper()
	for _, z := range nodes {
		if err := z.Start(); err != nil {
			t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
		}
		lines = append(lines, timelineOf(z))
	}
	return lines
}

// timeline reads a node's events and notes when each came, counted from now.
type timeline struct {
	mu      sync.Mutex
	seen    []string
	at      map[string]time.Duration
	reasons []string // of each event: empty but for EXIT
	done    chan struct{}
}

func timelineOf(z *zyre.Zyre) *timeline {
	l, start, events := &timeline{at: map[string]time.Duration{}, done: make(chan struct{})}, time.Now(), z.Events()
	go func() {
		defer close(l.done)
		for e := range events {
			l.mu.Lock()
			l.seen = append(l.seen, e.Type)
			l.at[e.Type] = time.Since(start)
			l.reasons = append(l.reasons, e.Reason)
			l.mu.Unlock()
		}
	}()
	return l
}

func (l *timeline) types() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

func TestDriver_deadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		a, b := network.NewNode("a"), network.NewNode("b")
		l := startAll(t, a, b)[0]
		bubble.Sleep(3 * time.Second)
		network.Cut(a, b)
		bubble.Sleep(time.Minute)
		if got, want := l.types(), []string{"ENTER", "EVASIVE", "SILENT", "EXIT"}; !slices.Equal(got, want) {
			t.Fatalf("events = %v, want %v", got, want)
		}
		// The last word of b came at most 3 s after the start, and timers are exact to 1 s.
		for event, due := range map[string]time.Duration{
			"EVASIVE": 5 * time.Second, "SILENT": 10 * time.Second, "EXIT": 30 * time.Second,
		} {
			if at := l.at[event]; at < due || at > due+5*time.Second {
				t.Errorf("%s after %v, want %v and at most 5 s more", event, at, due)
			}
		}
		network.Heal()
		bubble.Sleep(time.Minute)
		if got, want := l.types()[4:], []string{"ENTER"}; !slices.Equal(got, want) {
			t.Errorf("after healing: events = %v, want %v", got, want)
		}
		a.Stop()
		<-l.done
		if got, want := l.reasons, []string{"", "", "", zyre.ReasonExpired, "", ""}; !slices.Equal(got, want) {
			t.Errorf("reasons = %q, want %q", got, want)
		}
	})
}

func TestDriver_idleNetworkIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := startAll(t, newNodes(zyretest.NewNetwork(t), 10, "")...)
		bubble.Sleep(10 * time.Minute)
		for i, l := range lines {
			got := l.types()
			if len(got) != 18 || slices.ContainsFunc(got, func(e string) bool { return e != "ENTER" && e != "JOIN" }) {
				t.Errorf("node %d: events = %v, want 9 × ENTER and 9 × JOIN", i, got)
			}
		}
	})
}

func TestDriver_fortyNodesForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(zyretest.NewNetwork(t), 40, "all")
		lines := startAll(t, nodes...)
		bubble.Sleep(time.Minute)
		nodes[0].Shout("all", []byte("hello"))
		bubble.Sleep(time.Second)
		for i, l := range lines {
			want := map[string]int{"ENTER": 39, "JOIN": 39, "SHOUT": min(i, 1)}
			got := map[string]int{}
			for _, e := range l.types() {
				got[e]++
			}
			for _, e := range []string{"ENTER", "JOIN", "SHOUT", "EXIT", "EVASIVE"} {
				if got[e] != want[e] {
					t.Errorf("node %d: %d × %s, want %d", i, got[e], e, want[e])
				}
			}
		}
	})
}

func TestDriver_appThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, limit = 20_000, 64 << 10
		network := zyretest.NewNetwork(t)
		a, b := network.NewNode("a").SetQueueLimit(limit), network.NewNode("b")
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		lb := startAll(t, b)[0]
		bubble.Sleep(3 * time.Second)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range count {
				b.Whisper(a.UUID(), []byte("one of many"))
			}
		}()
		bubble.Sleep(10 * time.Minute) // nobody reads a's events
		if s := a.Stats(); !s.Paused || s.HeldBytes > 2*limit {
			t.Errorf("Stats: paused %v, held %d bytes, want true, little more than %d", s.Paused, s.HeldBytes, limit)
		}
		la := timelineOf(a)
		<-sent
		bubble.Sleep(time.Second)
		whispers := 0
		for _, e := range la.types() {
			if e == zyre.EventWhisper {
				whispers++
			}
		}
		if whispers != count || slices.Contains(la.types(), zyre.EventExit) || slices.Contains(lb.types(), zyre.EventExit) {
			t.Errorf("%d whispers, want %d; events of b: %v", whispers, count, lb.types())
		}
	})
}

// The last words of a node are logged before the end of its events, and its Stats are
// there.
func TestDriver_lastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the time given to the handler does not pass while it works
		var log kit.Buffer
		z := zyretest.NewNetwork(t).NewNode("z").SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		if err := z.Start(); err != nil {
			t.Fatal(err)
		}
		events := z.Events()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range events {
			}
			if !strings.Contains(log.String(), "stopped") {
				t.Errorf("at the end of the events %q is logged, want the last words too", log.String())
			}
		}()
		z.Stop()
		<-ended
	})
}
