package zgossip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport"
)

func TestGossip_hubRestart(t *testing.T) {
	t.Parallel()
	for name, endpoint := range hubEndpoints(t) {
		t.Run(name, func(t *testing.T) {
			ctx := newContext(t)
			hub := newMember(t, ctx, quick())
			at := hub.bind(endpoint)
			a, b := newMember(t, ctx, Options{}), newMember(t, ctx, Options{})
			for _, m := range []*member{a, b} {
				m.connect(at)
			}
			a.publish("a", "1")
			b.publish("b", "1")
			a.has("b=1")
			hub.Close()
			again := newMember(t, ctx, quick())
			again.until("a bind", func() bool { _, err := again.Bind(at); return err == nil })
			if d := again.has("a=1", "b=1"); d > 20*time.Second {
				t.Errorf("tuples were back after %v, want less than 20s", d)
			}
			a.has("b=1")
			a.publish("a", "2")
			b.has("a=2")
			if a.gone["b"] != 0 {
				t.Errorf("a restart of the hub ended a tuple %d times, want 0", a.gone["b"])
			}
		})
	}
}

func TestGossip_churn(t *testing.T) {
	ctx := newContext(t)
	if err := ctx.SetMaxSockets(4096); err != nil {
		t.Fatal(err)
	}
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	stay := newMember(t, ctx, quick())
	stay.publish("stay", "1")
	stay.connect(at)
	for wave := range 10 {
		var all []*member
		for i := range 10 {
			m := newMember(t, ctx, quick())
			m.publish(fmt.Sprint("churn", wave, "-", i), "1")
			m.connect(at)
			all = append(all, m)
		}
		hub.until("wave of 10", func() bool { return len(hub.seen) == 11 })
		for _, m := range all {
			m.Close()
		}
		hub.has("stay=1")
	}
	late := newMember(t, ctx, quick())
	late.connect(at)
	late.has("stay=1")
	if n := late.Stats().Learnt; n != 1 {
		t.Errorf("a newcomer learnt %d tuples, want 1", n)
	}
	if n := len(hub.gone); n != 100 {
		t.Errorf("the hub saw %d ends, want 100", n)
	}
}

// A client that vanishes is forgotten if it used to send PING.
func TestGossip_deadClient(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	b := newMember(t, ctx, quick())
	b.connect(at)

	dead, quiet := newRaw(t, ctx, at), newRaw(t, ctx, at)
	for _, r := range []*raw{dead, quiet} {
		r.send(appendHead(nil, idHello))
	}
	dead.send(appendHead(nil, idPing))
	dead.send(appendPublish(nil, "dead", "1", 0))
	quiet.send(appendPublish(nil, "quiet", "1", 0))
	b.has("dead=1", "quiet=1")
	b.has("quiet=1")
	late := newMember(t, ctx, quick())
	late.connect(at)
	late.has("quiet=1")
	if n := hub.Stats().Expired; n != 1 {
		t.Errorf("Stats().Expired = %d, want 1", n)
	}
}

// When a hub is given up other hubs may own its tuples because of us alone. We tell them
// all tuples that are left, and they drop the rest.
func TestGossip_hubGivenUp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	lost, other := &hub{}, &hub{}
	lost.hub, other.hub = true, true
	o := quick()
	setDefaults(&o)
	g := &Gossip{table: newTable(10), hubs: []*hub{lost, other}, opts: o, log: o.Logger}
	g.table.say(&lost.link, "a=1", now)
	lost.downSince = now
	for _, c := range []struct {
		after time.Duration
		hello bool
		news  string
	}{{time.Second, false, "+a=1"}, {g.opts.HubTimeout + time.Second, true, "-a"}, {time.Hour, false, ""}} {
		lost.othersResynced, other.needHello = true, false
		g.tickLostHub(lost, now.Add(c.after))
		if news := g.table.takeNews(); other.needHello != c.hello || news != c.news {
			t.Errorf("after %v: HELLO to the other hub %t, news %q, want %t, %q", c.after, other.needHello, news, c.hello, c.news)
		}
	}
}

// A hub whose process was stopped does not take that time for silence of its clients.
func TestGossip_suspended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub, err := NewOn(zmqSockets{}, quick(), &fakeResolver{})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		_ = hub.do(func(now time.Time) { hub.clients["a"] = &link{pings: true, heard: now} })
		_ = hub.do(func(time.Time) { bubble.Sleep(2 * hub.opts.ClientTimeout) }) // the loop stands still
		bubble.Sleep(hub.opts.ClientTimeout / 2)
		if s := hub.Stats(); s.Clients != 1 || s.Expired != 0 {
			t.Errorf("after a stop Clients, Expired = %d, %d, want 1, 0", s.Clients, s.Expired)
		}
		bubble.Sleep(hub.opts.ClientTimeout + idleTick)
		if s := hub.Stats(); s.Clients != 0 || s.Expired != 1 {
			t.Errorf("after as long a silence Clients, Expired = %d, %d, want 0, 1", s.Clients, s.Expired)
		}
	})
}

// A client that never sends PING is forgotten when its connection is gone for long. Its
// tuples stay if somebody repeats them.
func TestGossip_goneClient(t *testing.T) {
	t.Parallel()
	ctx := newContext(t)
	hub := newMember(t, ctx, quick())
	at := hub.bind("tcp://127.0.0.1:*")
	gone, back := newRaw(t, ctx, at), newRaw(t, ctx, at)
	for i, r := range []*raw{gone, back} {
		r.send(appendHead(nil, idHello))
		r.send(appendPublish(nil, fmt.Sprint("k", i), "1", 0))
	}
	hub.has("k0=1", "k1=1")
	gone.soc.Close()
	back.soc.Close()
	// A change that cannot be sent shows that the connections are gone.
	turn := 0
	hub.until("lost connections", func() bool {
		turn++
		hub.publish("news", fmt.Sprint(turn))
		down := 0
		hub.do(func(time.Time) {
			for _, c := range hub.clients {
				if !c.downSince.IsZero() {
					down++
				}
			}
		})
		return down == 2
	})
	back = newRaw(t, ctx, at)
	back.send(appendHead(nil, idHello))
	back.send(appendPublish(nil, "k1", "1", 0))
	hub.until("two expired clients", func() bool { return hub.Stats().Expired == 2 })
	hub.has("k1=1")
}

// A Gossip that is not closed does not prevent its context from being terminated.
func TestGossip_term(t *testing.T) {
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	hub, a := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	a.connect(hub.bind("tcp://127.0.0.1:*"))
	a.publish("a", "1")
	hub.has("a=1")
	term := make(chan error, 1)
	go func() { term <- ctx.Term() }()
	select {
	case err := <-term:
		if err != nil {
			t.Errorf("Term() = %v, want nil", err)
		}
	case <-time.After(patience):
		t.Fatalf("Term() took more than %v", patience)
	}
	if err := a.Publish("b", "1"); !errors.Is(err, ErrClosed) {
		t.Errorf("Publish after Term = %v, want %v", err, ErrClosed)
	}
}

// count counts the resources that Close must release.
func count(t *testing.T) (goroutines, fds, threads int) {
	t.Helper()
	entries := func(dir string) int {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Skipf("no %s here: %v", dir, err)
		}
		return len(all)
	}
	return runtime.NumGoroutine(), entries("/proc/self/fd"), entries("/proc/self/task")
}

func TestGossip_leaks(t *testing.T) {
	round := func() {
		ctx, err := zmq.NewContext()
		if err != nil {
			t.Fatal(err)
		}
		var all []*Gossip
		at := ""
		for i := range 10 {
			g, err := New(ctx, quick())
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if at, err = g.Bind("tcp://127.0.0.1:*"); err != nil {
					t.Fatal(err)
				}
			} else if err := errors.Join(g.Connect(at, ""), g.Connect("tcp://127.0.0.1:1", ""),
				g.Connect("tcp://never.invalid:1", "")); err != nil {
				t.Fatal(err)
			}
			if err := g.Publish(fmt.Sprint(i), "1"); err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
		}
		for range 5 {
			<-all[0].Tuples()
		}
		start := time.Now()
		for _, g := range all {
			g.Close()
		}
		if err := ctx.Term(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("closing 10 took %v, want less than 5s", d)
		}
	}
	round() // with it the Go runtime makes its own threads and descriptors
	g0, f0, t0 := count(t)
	for range 3 {
		round()
	}
	looks := time.NewTicker(20 * time.Millisecond)
	defer looks.Stop()
	for start := time.Now(); ; <-looks.C {
		g, f, th := count(t)
		if g <= g0 && f <= f0 && th <= t0+4 {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("goroutines, descriptors, threads = %d, %d, %d, want %d, %d, about %d", g, f, th, g0, f0, t0)
		}
	}
}

// An ipc endpoint in use is refused, instead of taken over.
func TestGossip_Bind_ipcInUse(t *testing.T) {
	ctx := newContext(t)
	at := "ipc://" + filepath.Join(t.TempDir(), "hub")
	hub := newMember(t, ctx, quick())
	hub.bind(at)
	if bound, err := newMember(t, ctx, quick()).Bind(at); !errors.Is(err, zmq.EADDRINUSE) {
		t.Errorf("Bind(%s) of a second hub = %q, %v, want %v", at, bound, err, zmq.EADDRINUSE)
	}
	client := newMember(t, ctx, quick())
	client.connect(at)
	client.publish("a", "1")
	hub.has("a=1")
}

// A hub with a host name is met at whichever of its addresses it has, and soon again when
// it has moved to another.
func TestGossip_nameMoves(t *testing.T) {
	t.Parallel()
	const limit = 3*nameRetry + 6*time.Second // three look-ups, and what a busy machine adds
	ctx := newContext(t)
	first, second := newMember(t, ctx, quick()), newMember(t, ctx, quick())
	at, next := first.bind("tcp://127.0.0.1:*"), second.bind("tcp://127.0.0.1:*")
	const name, nobody = "tcp://hub.test:9", "tcp://127.0.0.1:1"
	found := func(numeric ...string) *transport.Resolved {
		return &transport.Resolved{Endpoint: name, Numeric: numeric}
	}
	// The port is part of the answers, so that a test of one host can have several addresses.
	res := &fakeResolver{results: make(chan transport.Resolved, 1), answers: []*transport.Resolved{
		found(nobody, at), found(nobody, at), // the first address is dead
		found(at), {Endpoint: name, Err: errors.New("no such host")}, found(next), // the old address, none, the new one
	}}
	g, err := NewOn(zmqSockets{ctx}, Options{}, res)
	if err != nil {
		t.Fatal(err)
	}
	a := collect(t, g)
	start := time.Now()
	a.connect(name)
	a.publish("a", "1")
	first.has("a=1")
	if took := time.Since(start); took > limit {
		t.Errorf("met at the second address after %v, want within %v", took, limit)
	}
	start = time.Now()
	first.Close()
	second.has("a=1")
	if took := time.Since(start); took > limit {
		t.Errorf("met again after %v, want within %v", took, limit)
	}
}
