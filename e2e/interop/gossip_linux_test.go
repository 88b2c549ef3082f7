package interop

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// tuples returns those that a member of a gossip network has been told, values by key.
type tuples func() map[string]string

func (f tuples) String() string { return fmt.Sprint(f()) }

// has waits until the tuples are exactly kv, "key=value" each.
func (f tuples) has(t *testing.T, kv ...string) {
	t.Helper()
	want := map[string]string{}
	for _, s := range kv {
		k, v, _ := strings.Cut(s, "=")
		want[k] = v
	}
	watch.Within(t, watch.Patience, fmt.Sprint("tuples ", kv), func() bool { return maps.Equal(f(), want) }, f)
}

// member is a Gossip whose news are collected.
type member struct {
	*zgossip.Gossip
	tuples
	t    *testing.T
	mu   sync.Mutex
	news []zgossip.Tuple
}

// quick are time-outs of seconds, not minutes.
var quick = zgossip.Options{PingInterval: 200 * time.Millisecond, ClientTimeout: 4 * time.Second,
	QuietTimeout: time.Second, HubTimeout: 4 * time.Second}

func newContext(t *testing.T) *zmq.Context {
	t.Helper()
	ctx, err := zmq.NewContext()
	must(t, "NewContext()", err)
	t.Cleanup(func() { must(t, "Term()", ctx.Term()) })
	return ctx
}

func newMember(t *testing.T, ctx *zmq.Context, o zgossip.Options) *member {
	t.Helper()
	g, err := zgossip.New(ctx, o)
	must(t, "New()", err)
	m := &member{Gossip: g, t: t}
	m.tuples = func() map[string]string {
		has := map[string]string{}
		for _, n := range m.told() {
			if has[n.Key] = n.Value; n.Gone {
				delete(has, n.Key)
			}
		}
		return has
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for n := range g.Tuples() {
			m.mu.Lock()
			m.news = append(m.news, n)
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() { g.Close(); <-read })
	return m
}

func (m *member) told() []zgossip.Tuple {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.news)
}

func (m *member) connect(endpoint string) {
	m.t.Helper()
	must(m.t, "Connect("+endpoint+")", m.Connect(endpoint, ""))
}

func (m *member) bind(endpoint string) string {
	m.t.Helper()
	bound, err := m.Bind(endpoint)
	must(m.t, "Bind("+endpoint+")", err)
	return bound
}

func (m *member) publish(key, value string) {
	m.t.Helper()
	must(m.t, "Publish("+key+")", m.Publish(key, value))
}

// czmq is a process that runs a zgossip actor of CZMQ. At the end of the test it must not
// have crashed: it can read every frame of ours.
type czmq struct {
	*child.Program
	tuples
	at string // where a hub is bound
}

func newCZMQ(t *testing.T, program string, args ...string) *czmq {
	t.Helper()
	c := &czmq{Program: child.StartProgram(t, "czmq "+args[0], nil, append([]string{program}, args...)...)}
	c.tuples = func() map[string]string {
		has := map[string]string{}
		for _, line := range c.Lines("^DELIVER ") {
			f := strings.SplitN(line, " ", 3)
			has[f[1]] = f[2]
		}
		return has
	}
	if args[0] == "hub" {
		port := strings.Fields(c.Expect("^PORT "))[1]
		c.at = args[1][:strings.LastIndexByte(args[1], ':')+1] + port
	}
	c.Expect("^READY")
	return c
}

func (c *czmq) publish(key, value string) { c.Say("PUBLISH " + key + " " + value) }

// Our clients stay known to CZMQ's hub, which forgets a client that is silent for a second.
func TestCZMQ_hub(t *testing.T) {
	program, ctx := buildCZMQ(t, "czmq_gossip.c"), newContext(t)
	hub := newCZMQ(t, program, "hub", "tcp://127.0.0.1:*")
	newCZMQ(t, program, "client", hub.at, "c", "1")
	a, b, idle := newMember(t, ctx, zgossip.Options{}), newMember(t, ctx, zgossip.Options{}), newMember(t, ctx, zgossip.Options{})
	a.publish("a", "1")
	b.publish("b", "1")
	for _, m := range []*member{a, b, idle} {
		m.connect(hub.at)
	}
	hub.has(t, "a=1", "b=1", "c=1")
	a.has(t, "b=1", "c=1")
	idle.has(t, "a=1", "b=1", "c=1")

	// Only PINGs keep the clients known, for more than twice as long as the hub waits for one.
	pings := idle.Stats().Pings
	watch.Until(t, "six PINGs more", func() bool { return idle.Stats().Pings >= pings+6 })
	a.publish("late", "1")
	b.has(t, "a=1", "c=1", "late=1")
	idle.has(t, "a=1", "b=1", "c=1", "late=1")
	hub.has(t, "a=1", "b=1", "c=1", "late=1")

	// A tombstone passes through CZMQ, where it is a value like any other.
	a.Close()
	b.has(t, "c=1")
	hub.has(t, "a=", "b=1", "c=1", "late=")
	late := newMember(t, ctx, zgossip.Options{})
	late.connect(hub.at)
	late.has(t, "b=1", "c=1")
	if slices.ContainsFunc(late.told(), func(n zgossip.Tuple) bool { return n.Key == "a" }) {
		t.Errorf("a newcomer was told %v, want nothing of a", late.told())
	}
}

func TestCZMQ_hubRestart(t *testing.T) {
	program, ctx := buildCZMQ(t, "czmq_gossip.c"), newContext(t)
	// An address of this process alone: nobody takes the port while the hub is gone.
	pid := os.Getpid()
	hub := newCZMQ(t, program, "hub", fmt.Sprintf("tcp://127.%d.%d.2:*", 1+pid>>8&127, pid&255))
	a, b, idle := newMember(t, ctx, zgossip.Options{}), newMember(t, ctx, zgossip.Options{}), newMember(t, ctx, zgossip.Options{})
	a.publish("a", "1")
	b.publish("b", "1")
	for _, m := range []*member{a, b, idle} {
		m.connect(hub.at)
	}
	hub.has(t, "a=1", "b=1")
	idle.has(t, "a=1", "b=1")
	at := hub.at
	hub.End()
	start := time.Now()
	again := newCZMQ(t, program, "hub", at)
	again.has(t, "a=1", "b=1")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("tuples were back after %v, want less than 5s", d)
	}
	a.publish("late", "1")
	b.has(t, "a=1", "late=1")
	idle.has(t, "a=1", "b=1", "late=1")
}

// CZMQ's clients are always silent. Our hub sends them everything nevertheless.
func TestCZMQ_client(t *testing.T) {
	program, ctx := buildCZMQ(t, "czmq_gossip.c"), newContext(t)
	hub := newMember(t, ctx, quick)
	at := hub.bind("tcp://127.0.0.1:*")
	hub.publish("hub", "1")
	c, d := newCZMQ(t, program, "client", at, "c", "1"), newCZMQ(t, program, "client", at, "d", "1")
	a := newMember(t, ctx, quick)
	a.publish("a", "1")
	a.connect(at)
	hub.has(t, "a=1", "c=1", "d=1")
	c.has(t, "a=1", "c=1", "d=1", "hub=1")
	d.has(t, "a=1", "c=1", "d=1", "hub=1")

	// They are silent for twice as long as a client that sends PING may be.
	for n := range 2 {
		witness, err := ctx.NewSocket(zmq.DEALER)
		must(t, "NewSocket()", err)
		t.Cleanup(func() { _ = witness.SetLinger(0); _ = witness.Close() })
		must(t, "Connect("+at+")", witness.Connect(at))
		for _, id := range []byte{1, 3} { // HELLO, PING
			_, err := witness.SendBytes([]byte{0xAA, 0xA0, id, 1}, 0)
			must(t, "SendBytes()", err)
		}
		watch.Until(t, "the end of a client that pings", func() bool { return hub.Stats().Expired == uint64(n+1) })
	}
	c.publish("late", "1")
	d.has(t, "a=1", "c=1", "d=1", "hub=1", "late=1")
	a.has(t, "c=1", "d=1", "hub=1", "late=1")
	a.publish("a", "2")
	c.has(t, "a=2", "c=1", "d=1", "hub=1", "late=1")
	a.Close()
	hub.has(t, "c=1", "d=1", "late=1")
	d.has(t, "a=", "c=1", "d=1", "hub=1", "late=1")
	// What they send back restores no former value, and no change follows another for ever:
	// each sends back what it has before it publishes the next.
	before := hub.Stats()
	c.publish("c", "2")
	c.publish("c", "3")
	d.has(t, "a=", "c=3", "d=1", "hub=1", "late=1")
	d.publish("d", "2")
	c.has(t, "a=", "c=3", "d=2", "hub=1", "late=1")
	c.publish("last", "1")
	hub.has(t, "c=3", "d=2", "late=1", "last=1")
	after := hub.Stats()
	if after.Changed != before.Changed+3 || after.Gone != before.Gone || after.Defended != before.Defended {
		t.Errorf("Stats() of the hub went from %+v to %+v, want three changes", before, after)
	}
}

func TestCZMQ_clientHubRestart(t *testing.T) {
	program, ctx := buildCZMQ(t, "czmq_gossip.c"), newContext(t)
	hub := newMember(t, ctx, quick)
	at := hub.bind("tcp://127.0.0.1:*")
	c := newCZMQ(t, program, "client", at, "c", "1")
	hub.has(t, "c=1")
	hub.Close()
	again := newMember(t, ctx, quick)
	watch.Until(t, "a bind", func() bool { _, err := again.Bind(at); return err == nil })
	again.has(t, "c=1")
	again.publish("x", "1")
	c.has(t, "c=1", "x=1")
}
