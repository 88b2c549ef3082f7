package zgossip

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
)

const patience = time.Minute

// quick returns options with time-outs of seconds, not minutes.
func quick() Options {
	return Options{PingInterval: 200 * time.Millisecond, ClientTimeout: 4 * time.Second,
		QuietTimeout: time.Second, HubTimeout: 4 * time.Second}
}

// member is a Gossip whose news are collected.
type member struct {
	*Gossip
	t    *testing.T
	mu   sync.Mutex
	seen map[string]string
	gone map[string]int
	more chan struct{} // 1 slot: something changed
}

func newContext(t *testing.T) *zmq.Context {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ctx.Term(); err != nil {
			t.Errorf("Term() = %v, want nil", err)
		}
	})
	return ctx
}

func newMember(t *testing.T, ctx *zmq.Context, o Options) *member {
	t.Helper()
	g, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return collect(t, g)
}

// collect reads the news of g until the end of the test.
func collect(t *testing.T, g *Gossip) *member {
	t.Helper()
	m := &member{Gossip: g, t: t, seen: map[string]string{}, gone: map[string]int{}, more: make(chan struct{}, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for n := range g.Tuples() {
			m.mu.Lock()
			if n.Gone {
				delete(m.seen, n.Key)
				m.gone[n.Key]++
			} else {
				m.seen[n.Key] = n.Value
			}
			m.mu.Unlock()
			signal(m.more)
		}
	}()
	t.Cleanup(func() { g.Close(); <-read })
	return m
}

func (m *member) bind(endpoint string) string {
	m.t.Helper()
	bound, err := m.Bind(endpoint)
	if err != nil {
		m.t.Fatal(err)
	}
	return bound
}

func (m *member) connect(endpoint string) {
	m.t.Helper()
	if err := m.Connect(endpoint, ""); err != nil {
		m.t.Fatal(err)
	}
}

func (m *member) publish(key, value string) {
	m.t.Helper()
	if err := m.Publish(key, value); err != nil {
		m.t.Fatal(err)
	}
}

// until waits until ok reports true and returns how long it took. ok may look at seen
// and gone.
func (m *member) until(what string, ok func() bool) time.Duration {
	m.t.Helper()
	start := time.Now()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond) // for conditions on Stats
	defer tick.Stop()
	for {
		m.mu.Lock()
		done := ok()
		m.mu.Unlock()
		if done {
			return time.Since(start)
		}
		select {
		case <-m.more:
		case <-tick.C:
		case <-limit.C:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.t.Fatalf("no %s within %v; has %v, gone %v, stats %+v", what, patience, m.seen, m.gone, m.Stats())
		}
	}
}

// has waits until the keys and values are exactly kv, "key=value" each.
func (m *member) has(kv ...string) time.Duration {
	m.t.Helper()
	want := map[string]string{}
	for _, s := range kv {
		k, v, _ := strings.Cut(s, "=")
		want[k] = v
	}
	return m.until(fmt.Sprint(kv), func() bool { return maps.Equal(m.seen, want) })
}

// hubEndpoints are endpoints at which a hub can be bound, by their transport.
func hubEndpoints(t *testing.T) map[string]string {
	return map[string]string{
		"tcp":    "tcp://127.0.0.1:*",
		"ipc":    "ipc://" + filepath.Join(t.TempDir(), "hub"),
		"inproc": "inproc://hub",
	}
}

// fakeResolver answers each Start with the next answer; nil stands for a refusal.
type fakeResolver struct {
	answers []*transport.Resolved
	results chan transport.Resolved
}

func (r *fakeResolver) Start(endpoint string) bool {
	if len(r.answers) == 0 || endpoint != cmp.Or(r.answers[0], &transport.Resolved{Endpoint: endpoint}).Endpoint {
		return false
	}
	next := r.answers[0]
	r.answers = r.answers[1:]
	if next == nil {
		return false
	}
	r.results <- *next
	return true
}

func (r *fakeResolver) Results() <-chan transport.Resolved { return r.results }

func (r *fakeResolver) Close() {}
