package zgossip

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestGossip_transports(t *testing.T) {
	for name, endpoint := range hubEndpoints(t) {
		t.Run(name, func(t *testing.T) {
			ctx := newContext(t)
			hub := newMember(t, ctx, quick())
			at := hub.bind(endpoint)
			if strings.Contains(at, "*") {
				t.Fatalf("Bind(%q) = %q, want a port", endpoint, at)
			}
			var all []*member
			want := map[string]string{}
			for i := range 10 {
				m := newMember(t, ctx, quick())
				key, value := fmt.Sprint("key", i), fmt.Sprint("tcp://127.0.0.1:", i)
				if i%2 == 0 {
					m.publish(key, value)
				}
				m.connect(at)
				m.connect(at)
				if i%2 == 1 {
					m.publish(key, value)
				}
				want[key] = value
				all = append(all, m)
			}
			hub.until("10 tuples", func() bool { return maps.Equal(hub.seen, want) })
			for i, m := range all {
				others := maps.Clone(want)
				delete(others, fmt.Sprint("key", i))
				m.until("9 tuples", func() bool { return maps.Equal(m.seen, others) })
			}
			if n := hub.Stats().Clients; n != 10 {
				t.Errorf("Stats().Clients = %d, want 10", n)
			}
			// A tombstone arrives, and only once.
			all[0].Close()
			for _, m := range append(all[1:], hub) {
				m.until("end of key0", func() bool { return m.gone["key0"] == 1 && m.seen["key0"] == "" })
			}
		})
	}
}

func TestGossip_hubBoundLater(t *testing.T) {
	ctx := newContext(t)
	a, b, hub := newMember(t, ctx, quick()), newMember(t, ctx, quick()), newMember(t, ctx, quick())
	at := "ipc://" + filepath.Join(t.TempDir(), "hub")
	a.publish("a", "1")
	b.publish("b", "1")
	a.connect(at)
	b.connect(at)
	hub.bind(at)
	a.has("b=1")
	b.has("a=1")
}

// A client that connects to one hub by two endpoints is two clients for the hub, and they
// do not replace each other. A hub that is its own client learns nothing from itself.
func TestGossip_twoNames(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub, a := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	name := strings.Replace(at, "127.0.0.1", "localhost", 1)
	a.publish("a", "1")
	for _, endpoint := range []string{at, name} {
		a.connect(endpoint)
		hub.connect(endpoint)
	}
	hub.has("a=1")
	for _, m := range []*member{a, hub} {
		m.until("two hubs", func() bool { return m.Stats().Hubs == 2 })
		before := m.Stats()
		m.until("20 more PINGs", func() bool { return m.Stats().Pings > before.Pings+20 })
		after := m.Stats()
		// Two clients with one routing id would be told INVALID with each PING.
		if after.Invalids > before.Invalids+5 || after.Changed != before.Changed {
			t.Errorf("Stats() at rest went from %+v to %+v", before, after)
		}
	}
	a.Close()
	hub.has()
}

func TestGossip_chain(t *testing.T) {
	ctx := newContext(t)
	var hubs []*member
	var at []string
	for range 3 {
		m := newMember(t, ctx, quick())
		hubs = append(hubs, m)
		at = append(at, m.bind("tcp://127.0.0.1:*"))
	}
	// A ring, and hubs that connect to each other both ways.
	for i, h := range hubs {
		h.connect(at[(i+1)%3])
		h.connect(at[(i+2)%3])
	}
	a, b := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	a.publish("a", "1")
	b.publish("b", "1")
	a.connect(at[0])
	b.connect(at[2])
	a.has("b=1")
	b.has("a=1")
	a.publish("a", "2")
	b.has("a=2")
	hubs[1].has("a=2", "b=1")
	// No change follows another for ever: some time the counters of changes stand still.
	before := hubs[1].Stats()
	hubs[1].until("20 PINGs without a change", func() bool {
		s := hubs[1].Stats()
		if s.Changed != before.Changed || s.Learnt != before.Learnt {
			before = s
		}
		return s.Pings > before.Pings+20
	})
	a.Close()
	for _, h := range hubs {
		h.has("b=1")
	}
	b.has()
}

func TestGossip_twoHubs(t *testing.T) {
	ctx := newContext(t)
	h1, h2 := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	at1, at2 := h1.bind("tcp://127.0.0.1:*"), h2.bind("tcp://127.0.0.1:*")
	a, b := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	for _, m := range []*member{a, b} {
		m.connect(at1)
		m.connect(at2)
	}
	a.publish("a", "1")
	b.has("a=1")
	h1.Close()
	b.until("one hub", func() bool { return b.Stats().Hubs == 1 })
	a.publish("a", "2")
	b.has("a=2")
	c := newMember(t, ctx, quick())
	c.connect(at2)
	c.has("a=2")
}

// A member whose tuple somebody else took back publishes it again.
func TestGossip_defence(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	a := newMember(t, ctx, quick())
	a.publish("a", "1")
	a.connect(at)
	hub.has("a=1")
	r := newRaw(t, ctx, at)
	r.send(appendHead(nil, idHello))
	r.send(appendPublish(nil, "a", "", 0))
	hub.until("end of a", func() bool { return hub.gone["a"] == 1 })
	hub.has("a=1")
}

func TestGossip_unpublish(t *testing.T) {
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	a := newMember(t, ctx, quick())
	a.connect(at)
	a.publish("a", "1")
	hub.publish("h", "1")
	hub.has("a=1")
	a.has("h=1")
	if err := a.Unpublish("a"); err != nil {
		t.Errorf("Unpublish(a) = %v, want nil", err)
	}
	hub.has()
	if err := errors.Join(a.Unpublish("h"), a.Unpublish("none")); err != nil {
		t.Errorf("Unpublish(h) = %v, want nil", err)
	}
	if n := hub.Stats().Tuples; n != 1 {
		t.Errorf("Stats().Tuples of the hub = %d, want 1", n)
	}
	if n := a.Stats().Tuples; n != 0 {
		t.Errorf("Stats().Tuples = %d, want 0", n)
	}
}

// A reader that does not read misses only values that were changed since.
func TestGossip_slowReader(t *testing.T) {
	ctx := newContext(t)
	hub, err := New(ctx, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	at, err := hub.Bind("tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	a := newMember(t, ctx, quick())
	a.connect(at)
	const keys = 3000 // more than the 2000 frames that fit between two sockets
	for i := range keys {
		a.publish(fmt.Sprint(i), "old")
	}
	for i := range keys {
		a.publish(fmt.Sprint(i), "new")
	}
	a.publish("last", "1")
	a.until("all at the hub", func() bool { return hub.Stats().Tuples == keys+1 })
	got := map[string]string{}
	for n := range hub.Tuples() {
		if got[n.Key] = n.Value; len(got) == keys+1 && n.Key == "last" {
			break
		}
	}
	late := newMember(t, ctx, quick())
	late.connect(at)
	late.until("all tuples", func() bool { return len(late.seen) == keys+1 && late.seen["0"] == "new" })
}

func TestGossip_badInput(t *testing.T) {
	ctx := newContext(t)
	if _, err := New(ctx, Options{PublicKey: "short", SecretKey: "short"}); !errors.Is(err, ErrKeys) {
		t.Errorf("New(short keys) = %v, want %v", err, ErrKeys)
	}
	g := newMember(t, ctx, quick())
	for _, endpoint := range []string{"", "tcp", "tcp://", "udp://127.0.0.1:1", "tcp://a\x00b:1",
		"tcp://127.0.0.1:99999", "tcp://127.0.0.1", "tcp://127.0.0.1:port"} {
		if _, err := g.Bind(endpoint); !errors.Is(err, ErrEndpoint) {
			t.Errorf("Bind(%q) = %v, want %v", endpoint, err, ErrEndpoint)
		}
		if err := g.Connect(endpoint, ""); !errors.Is(err, ErrEndpoint) {
			t.Errorf("Connect(%q) = %v, want %v", endpoint, err, ErrEndpoint)
		}
	}
	at := g.bind("tcp://127.0.0.1:*")
	if _, err := newMember(t, ctx, quick()).Bind(at); !errors.Is(err, zmq.EADDRINUSE) {
		t.Errorf("Bind(address in use) = %v, want %v", err, zmq.EADDRINUSE)
	}
	if err := g.Connect("tcp://127.0.0.1:1", "short"); !errors.Is(err, ErrKeys) {
		t.Errorf("Connect(short key) = %v, want %v", err, ErrKeys)
	}
	for _, kv := range [][2]string{{"", "v"}, {"k", ""}, {"k", "|v"}, {"k\x00", "v"}, {"k", "v\x00"},
		{strings.Repeat("k", 256), "v"}, {"k", strings.Repeat("v", MaxValue+1)}} {
		if err := g.Publish(kv[0], kv[1]); !errors.Is(err, ErrTuple) {
			t.Errorf("Publish(%.10q, %.10q) = %v, want %v", kv[0], kv[1], err, ErrTuple)
		}
	}
	g.Close()
	g.Close()
	_, err := g.Bind("tcp://127.0.0.1:*")
	for op, err := range map[string]error{"Bind": err, "Connect": g.Connect("tcp://127.0.0.1:1", ""),
		"Publish": g.Publish("k", "v"), "Unpublish": g.Unpublish("k")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close = %v, want %v", op, err, ErrClosed)
		}
	}
	g.Stats()
}

// A client whose key is taken away loses its place at the next Recheck, and others are told
// that its tuples are gone. It does not come back. Whose key stays notices nothing.
func TestGossip_Recheck(t *testing.T) {
	sockets, err := transport.NewZMQ()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sockets.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
	})
	public, secret := transporttest.NewKeys(t)
	alice, aliceSecret := transporttest.NewKeys(t)
	bob, bobSecret := transporttest.NewKeys(t)
	policy := transport.NewPolicy(slog.New(slog.DiscardHandler), true, []string{alice, bob})
	domain, err := sockets.RegisterPolicy("global", policy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sockets.UnregisterPolicy(domain); err != nil {
			t.Errorf("UnregisterPolicy() = %v, want nil", err)
		}
	})
	open := func(o Options) *member { return newMember(t, sockets.Context(), o) }
	hub := open(Options{PublicKey: public, SecretKey: secret, ZapDomain: domain, Allows: policy.Allows})
	at := hub.bind("tcp://127.0.0.1:*")
	a := open(Options{PublicKey: alice, SecretKey: aliceSecret, PingInterval: 20 * time.Millisecond})
	b := open(Options{PublicKey: bob, SecretKey: bobSecret})
	for name, m := range map[string]*member{"alice": a, "bob": b} {
		if err := m.Connect(at, public); err != nil {
			t.Fatal(err)
		}
		m.publish(name, "here")
	}
	b.has("alice=here")
	a.has("bob=here")
	recheck := func(clients int) {
		t.Helper()
		if err := hub.Recheck(); err != nil {
			t.Fatal(err)
		}
		if got := hub.Stats().Clients; got != clients {
			t.Fatalf("Stats().Clients after Recheck = %d, want %d", got, clients)
		}
	}
	recheck(2)
	policy.SetKeys([]string{bob})
	recheck(1)
	b.has()
	// Alice asks again and again; Bob tells of something that comes behind that.
	b.publish("later", "here")
	hub.has("bob=here", "later=here")
	if s := hub.Stats(); s.Clients != 1 || s.Tuples != 2 {
		t.Errorf("%d clients and %d tuples, want those of bob: 1 and 2", s.Clients, s.Tuples)
	}
	hub.Close()
	if err := hub.Recheck(); !errors.Is(err, ErrClosed) {
		t.Errorf("Recheck after Close = %v, want %v", err, ErrClosed)
	}
}
