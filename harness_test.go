package zyre

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

// TestMain keeps the warnings of nodes without a logger out of the tests' output.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// freeUDPPort finds a UDP port that nobody uses, so that the nodes of one test see
// no others.
func freeUDPPort(t testing.TB) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// patience is how long tests wait for what must happen: for each step of it, where it
// has many. stormPatience is for all of them.
const (
	patience      = 20 * time.Second
	stormPatience = 10 * time.Minute
)

// loopbackNode makes a node that stays on this host. It does not connect by inproc: the
// tests here are about what nodes on different hosts do.
func loopbackNode(name string, port int) *Zyre {
	z := NewZyre(context.Background()).SetName(name).SetInterface("lo").SetPort(port).
		SetInterval(100 * time.Millisecond)
	z.seams = tcpSeams
	return z
}

// tcpSeams are what a node stands on that does not connect by inproc.
func tcpSeams() (seams, error) {
	tr, err := transport.NewZMQ()
	if err != nil {
		return seams{}, err
	}
	tr.DisableInproc()
	return seamsOf(tr), nil
}

// newLoopbackNode makes a node that stays on this host. It is stopped when the test
// ends.
func newLoopbackNode(t testing.TB, name string, port int) *Zyre {
	z := loopbackNode(name, port)
	t.Cleanup(z.Stop)
	return z
}

// newMemNode makes a node on a network in memory. In a bubble a whole node runs in no time:
// its goroutine, its queues and its timers, all but the sockets.
func newMemNode(network *mem.Network, name string) *Zyre {
	return NewZyre(hostnet.With(context.Background(), network)).SetName(name)
}

// mustStart starts a node.
func mustStart(t testing.TB, z *Zyre) {
	t.Helper()
	if err := z.Start(); err != nil {
		t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
	}
}

// recorder reads a node's events and keeps them.
type recorder struct {
	name string
	mu   sync.Mutex
	seen []*Event
	news chan struct{} // closed at the next event
	done chan struct{} // closed when the channel is
}

// record starts to read the events of a node; it ends with the node.
func record(z *Zyre) *recorder {
	r := &recorder{name: z.Name(), news: make(chan struct{}), done: make(chan struct{})}
	events := z.Events()
	go func() {
		defer close(r.done)
		for e := range events {
			r.mu.Lock()
			r.seen = append(r.seen, e)
			close(r.news)
			r.news = make(chan struct{})
			r.mu.Unlock()
		}
	}()
	return r
}

// events returns what has been seen so far, and a channel closed at the next.
func (r *recorder) events() ([]*Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen, r.news
}

// wait waits until an event matches a pattern "TYPE NAME GROUP MSG", of which the
// end may be left out, for the given time, counted from 1.
func (r *recorder) wait(t testing.TB, pattern string, times int) *Event {
	t.Helper()
	n := 0
	e := r.find(func(e *Event) bool {
		if matches(e, pattern) {
			n++
		}
		return n == times
	})
	if e == nil {
		t.Fatalf("%s saw %q %d times, want %d; it saw:\n%s", r.name, pattern, n, times, r)
	}
	return e
}

// find shows each event to found until that says yes, and returns the event; or nil
// once nothing new has come for the time of patience. However long a busy machine takes,
// it is waited for as long as it gets on; only a storm is cut off.
func (r *recorder) find(found func(e *Event) bool) *Event {
	quiet, storm := time.NewTimer(patience), time.After(stormPatience)
	for at := 0; ; {
		seen, news := r.events()
		for ; at < len(seen); at++ {
			if found(seen[at]) {
				return seen[at]
			}
		}
		select {
		case <-news:
			quiet.Reset(patience)
		case <-quiet.C:
			return nil
		case <-storm:
			return nil
		}
	}
}

// count tells how many events so far match a pattern.
func (r *recorder) count(pattern string) (n int) {
	seen, _ := r.events()
	for _, e := range seen {
		if matches(e, pattern) {
			n++
		}
	}
	return n
}

func matches(e *Event, pattern string) bool {
	return strings.HasPrefix(describe(e)+" ", pattern+" ")
}

func describe(e *Event) string {
	msg := e.Msg[:min(len(e.Msg), 100)]
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", e.Type, e.PeerName, e.Group, msg)), " ")
}

func (r *recorder) String() string {
	seen, _ := r.events()
	var b strings.Builder
	for i, e := range seen {
		if i > 200 {
			fmt.Fprintf(&b, "  … %d more\n", len(seen)-i)
			break
		}
		fmt.Fprintf(&b, "  %.120s\n", describe(e))
	}
	return b.String()
}

// eventually waits until something holds that has no event.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	looks := time.NewTicker(5 * time.Millisecond)
	defer looks.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-looks.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// must fails the test if there is an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s = %v, want nil", what, err)
	}
}
