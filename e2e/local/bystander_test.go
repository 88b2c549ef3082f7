package local_test

import (
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// bystander is a pair of healthy nodes that talk while something else is attacked:
// victim's events are checked, and it hears beats from good.
type bystander struct {
	t      testing.TB
	victim *zyre.Zyre
	good   *zyre.Zyre
	port   int // UDP
	events *watch.Log
	watch.Beats
}

// newBystander starts the node under attack and a healthy peer of it.
func newBystander(t testing.TB) *bystander {
	t.Helper()
	port := kit.FreeUDPPort(t)
	b := &bystander{t: t, port: port, victim: kit.NewNode(t, "victim", port), good: kit.NewNode(t, "good", port)}
	b.victim.Join("hall")
	kit.MustStart(t, b.victim, b.good)
	b.events = watch.Record(b.victim)
	b.Beats = watch.Beats{T: t, Events: b.events, Peer: "good", Send: func(text string) { b.good.Whisper(b.victim.UUID(), []byte(text)) }}
	r := watch.Record(b.good)
	b.events.Wait(t, "ENTER good", 1)
	r.Wait(t, "ENTER victim", 1)
	// The answer shows that good has the victim's HELLO. Until then a stranger that claims
	// its endpoint, and speaks, is taken for the process that came after it.
	if _, err := b.victim.Ping(t.Context(), b.good.UUID()); err != nil {
		t.Fatal(err)
	}
	return b
}

// forger makes a peer that does only what it is told.
func (b *bystander) forger(name string) *stranger {
	b.t.Helper()
	return newStranger(b.t, foreignnet.Options{Name: name})
}

// newForger makes a forger that is connected to the victim and says nothing of itself.
func (b *bystander) newForger(name string) *stranger {
	b.t.Helper()
	f := b.forger(name)
	f.dial(kit.Endpoint(b.t, b.victim), foreignnet.ConnOptions{})
	return f
}

// enteredForger makes a forger that the victim has let in.
func (b *bystander) enteredForger(name string) *stranger {
	b.t.Helper()
	f := b.forger(name)
	f.sayHello(b.victim)
	b.events.Wait(b.t, "ENTER "+name, 1)
	return f
}

// dropped returns the victim's counters of what it refused.
func (b *bystander) dropped() zyre.Dropped { return b.victim.Stats().Dropped }

// checkCount waits until a counter has grown by exactly n since before, and fails the test
// if it grows beyond.
func (b *bystander) checkCount(what string, before, n uint64, counter func(d zyre.Dropped) uint64) {
	b.t.Helper()
	watch.Reaches(b.t, what+" counted", int(n), func() int { return int(counter(b.dropped()) - before) })
	b.Beat()
	if got := counter(b.dropped()) - before; got != n {
		b.t.Errorf("%s counted %d times, want %d", what, got, n)
	}
}
