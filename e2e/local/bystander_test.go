package local_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// bystander is a pair of healthy nodes that talk while something else is attacked:
// victim's events are checked, and it hears beats from good.
type bystander struct {
	t       testing.TB
	victim  *zyre.Zyre
	good    *zyre.Zyre
	port    int // UDP
	events  *watch.Log
	beats   int
	slowest time.Duration
}

// newBystander starts the node under attack and a healthy peer of it.
func newBystander(t testing.TB) *bystander {
	t.Helper()
	port := kit.FreeUDPPort(t)
	b := &bystander{t: t, port: port, victim: kit.NewNode(t, "victim", port), good: kit.NewNode(t, "good", port)}
	b.victim.Join("hall")
	kit.MustStart(t, b.victim, b.good)
	b.events = watch.Record(b.victim)
	r := watch.Record(b.good)
	b.events.Wait(t, "ENTER good", 1)
	r.Wait(t, "ENTER victim", 1)
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

// beat has the healthy peer whisper to the victim, and waits for it.
func (b *bystander) beat() {
	b.t.Helper()
	b.beats++
	start := time.Now()
	b.good.Whispers(b.victim.UUID(), "beat %d", b.beats)
	b.events.Wait(b.t, fmt.Sprintf("WHISPER good beat %d", b.beats), 1)
	b.slowest = max(b.slowest, time.Since(start))
}

// check fails the test unless all beats came, in order, and the healthy peer is there
// without a break.
func (b *bystander) check() {
	b.t.Helper()
	seen := b.events.Entries()
	next := 1
	for _, e := range seen {
		if e.PeerName != "good" {
			continue
		}
		switch {
		case e.Type == "WHISPER" && bytes.Equal(e.Msg, fmt.Appendf(nil, "beat %d", next)):
			next++
		case e.Type == "WHISPER" || e.Type == "EXIT":
			b.t.Errorf("bystander: %s %s, want beat %d", e.Type, e.Msg, next)
		}
	}
	if next != b.beats+1 {
		b.t.Errorf("bystander: %d beats came, want %d", next-1, b.beats)
	}
	b.t.Logf("slowest round trip of the bystander: %v", b.slowest)
}

// checkSilence fails the test if the application saw anything of anybody but the healthy
// peer.
func (b *bystander) checkSilence() {
	b.t.Helper()
	seen := b.events.Entries()
	for _, e := range seen {
		if e.PeerName != "good" {
			b.t.Errorf("event of another than the healthy peer: %s", watch.Describe(e.Event))
		}
	}
}

// dropped returns the victim's counters of what it refused.
func (b *bystander) dropped() zyre.Dropped { return b.victim.Stats().Dropped }

// checkCount waits until a counter has grown by exactly n since before, and fails the test
// if it grows beyond.
func (b *bystander) checkCount(what string, before, n uint64, counter func(d zyre.Dropped) uint64) {
	b.t.Helper()
	watch.Reaches(b.t, what+" counted", int(n), func() int { return int(counter(b.dropped()) - before) })
	b.beat()
	if got := counter(b.dropped()) - before; got != n {
		b.t.Errorf("%s counted %d times, want %d", what, got, n)
	}
}
