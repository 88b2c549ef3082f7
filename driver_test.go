package zyre

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

// newMemNode makes a node on a network in memory, at inproc://NAME. With a fake
// clock around it, a whole node runs in no time: its goroutine, its queues and its
// timers, all but the sockets.
func newMemNode(t *testing.T, network *mem.Network, name string) *Zyre {
	t.Helper()
	z := NewZyre(context.Background()).SetName(name)
	z.seams = func() (seams, error) { return seams{transport: network}, nil }
	if err := z.SetEndpoint("inproc://%s", name); err != nil {
		t.Fatal(err)
	}
	return z
}

// introduce has each of the nodes require all that come after it.
func introduce(t *testing.T, nodes ...*Zyre) {
	t.Helper()
	for i, z := range nodes {
		for _, other := range nodes[i+1:] {
			if err := z.RequirePeer(other.UUID(), "inproc://"+other.Name(), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// timeline reads a node's events and notes when each came, counted from now.
type timeline struct {
	mu      sync.Mutex
	seen    []string
	at      map[string]time.Duration
	reasons []string // of each event: empty but for EXIT
	done    chan struct{}
}

func timelineOf(z *Zyre) *timeline {
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
		network := mem.New()
		a, b := newMemNode(t, network, "a"), newMemNode(t, network, "b")
		introduce(t, a, b)
		mustStart(t, a)
		mustStart(t, b)
		l := timelineOf(a)
		synctest.Wait()
		bubble.Sleep(3 * time.Second) // for whoever came second to be tried again
		network.Partition("inproc://a", true)
		network.Partition("inproc://b", true)
		bubble.Sleep(time.Minute)
		if got, want := l.types(), []string{"ENTER", "EVASIVE", "SILENT", "EXIT"}; !slices.Equal(got, want) {
			t.Fatalf("events = %v, want %v", got, want)
		}
		// The last word of b came at most 3 s after the start, and timers are exact to 1 s.
		for event, due := range map[string]time.Duration{
			"EVASIVE": defaultEvasive, "SILENT": defaultSilent, "EXIT": defaultExpired,
		} {
			if at := l.at[event]; at < due || at > due+5*time.Second {
				t.Errorf("%s after %v, want %v and at most 5 s more", event, at, due)
			}
		}
		network.Partition("inproc://a", false)
		network.Partition("inproc://b", false)
		bubble.Sleep(time.Minute)
		if got, want := l.types()[4:], []string{"ENTER"}; !slices.Equal(got, want) {
			t.Errorf("after healing: events = %v, want %v", got, want)
		}
		a.Stop()
		b.Stop()
		<-l.done
		if got, want := l.reasons, []string{"", "", "", ReasonExpired, "", ""}; !slices.Equal(got, want) {
			t.Errorf("reasons = %q, want %q", got, want)
		}
	})
}

func TestDriver_idleNetworkIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New()
		var nodes []*Zyre
		for i := range 10 {
			nodes = append(nodes, newMemNode(t, network, fmt.Sprint("node", i)))
		}
		introduce(t, nodes...)
		var lines []*timeline
		for _, z := range nodes {
			mustStart(t, z)
			lines = append(lines, timelineOf(z))
		}
		bubble.Sleep(10 * time.Minute)
		for i, l := range lines {
			if got := l.types(); len(got) != 9 || slices.ContainsFunc(got, func(e string) bool { return e != "ENTER" }) {
				t.Errorf("node %d: events = %v, want 9 × ENTER", i, got)
			}
		}
		for i, z := range nodes {
			z.Stop()
			<-lines[i].done
		}
	})
}

// A node that has nothing to do wakes once a second, and for what its peers say: one
// ping and one answer to ours, each within every evasive timeout.
func TestDriver_idleNodeSleeps(t *testing.T) {
	for _, peers := range []int{0, 1, 10} {
		t.Run(fmt.Sprint(peers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := mem.New()
				var nodes []*Zyre
				for i := range peers + 1 {
					nodes = append(nodes, newMemNode(t, network, fmt.Sprint("node", i)))
				}
				introduce(t, nodes...)
				for _, z := range nodes {
					mustStart(t, z)
					timelineOf(z)
				}
				bubble.Sleep(time.Minute)
				const watched = 10 * time.Minute
				before := network.Waits("inproc://node0")
				bubble.Sleep(watched)
				got, limit := network.Waits("inproc://node0")-before, int64(watched/time.Second)+2*int64(peers)*int64(watched/defaultEvasive)
				if got > limit+10 {
					t.Errorf("woke %d times in %v with %d peers, want at most %d", got, watched, peers, limit)
				}
				for _, z := range nodes {
					z.Stop()
				}
			})
		})
	}
}

func TestDriver_fortyNodesForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New()
		var nodes []*Zyre
		for i := range 40 {
			z := newMemNode(t, network, fmt.Sprint("node", i))
			z.Join("all")
			nodes = append(nodes, z)
		}
		introduce(t, nodes...)
		var lines []*timeline
		for _, z := range nodes {
			mustStart(t, z)
			lines = append(lines, timelineOf(z))
		}
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
		for i, z := range nodes {
			z.Stop()
			<-lines[i].done
		}
	})
}

func TestDriver_appThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New()
		a, b := newMemNode(t, network, "a"), newMemNode(t, network, "b")
		a.SetQueueLimit(minQueueLimit)
		introduce(t, a, b)
		mustStart(t, a)
		mustStart(t, b)
		lb := timelineOf(b)
		synctest.Wait()
		bubble.Sleep(3 * time.Second)
		const count = 20_000
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range count {
				b.Whisper(a.UUID(), []byte("one of many"))
			}
		}()
		bubble.Sleep(10 * time.Minute) // nobody reads a's events
		if s := a.Stats(); !s.Paused || s.HeldBytes > 2*minQueueLimit {
			t.Errorf("Stats: paused %v, held %d bytes, want true, little more than %d", s.Paused, s.HeldBytes, minQueueLimit)
		}
		la := timelineOf(a)
		<-sent
		bubble.Sleep(time.Second)
		whispers := 0
		for _, e := range la.types() {
			if e == EventWhisper {
				whispers++
			}
		}
		if whispers != count || slices.Contains(la.types(), EventExit) || slices.Contains(lb.types(), EventExit) {
			t.Errorf("%d whispers, want %d; events of b: %v", whispers, count, lb.types())
		}
		a.Stop()
		b.Stop()
		<-la.done
		<-lb.done
	})
}

// The last words of a node are logged before the end of its events, and its Stats are
// there.
func TestDriver_lastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the time given to the handler does not pass while it works
		var log syncBuffer
		z := newMemNode(t, mem.New(), "z").SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		mustStart(t, z)
		events := z.Events()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range events {
			}
			if !strings.Contains(log.String(), "zyre: stopped") {
				t.Errorf("at the end of the events %q is logged, want the last words too", log.String())
			}
		}()
		z.Stop()
		<-ended
	})
}
