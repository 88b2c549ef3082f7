package zgossip

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/bubble"
)

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
