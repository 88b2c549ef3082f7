package local_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// stormKinds are the implementations that answer a HELLO from a peer they hold ready with
// a HELLO on a fresh connection: two such nodes go on for ever.
var stormKinds = []foreign.Kind{foreign.Libzyre, foreign.GoZeroMQ}

// The timeouts of the nodes in these tests. A HELLO that comes later than the evasive timeout
// after the one that it answers is another restart, so it is long enough for a busy machine.
const (
	stormEvasive = time.Second
	stormExpired = 5 * time.Second
)

// stormPair is a node and a peer of foreign make that hold each other ready.
type stormPair struct {
	t      *testing.T
	port   int // UDP
	z      *zyre.Zyre
	uuid   [16]byte // of z
	events *watch.Log
	f      *stranger
	talks  int
}

func newStormPair(t *testing.T, kind foreign.Kind) *stormPair {
	t.Helper()
	port := kit.FreeUDPPort(t)
	z := kit.QuickTimeouts(kit.NewNode(t, "ours", port), stormEvasive, stormExpired)
	kit.MustStart(t, z)
	p := &stormPair{t: t, port: port, z: z, uuid: kit.UUIDBytes(t, z), events: watch.Record(z)}
	p.f = newStranger(t, foreignnet.Options{Kind: kind, Name: "fake", UDPPort: port, Interval: 100 * time.Millisecond})
	p.events.Wait(t, "ENTER fake", 1)
	p.f.waitEvent(foreign.Enter, z, 1)
	p.settle(0) // from here on no HELLO of the peer is one that ours asked for
	p.talk()
	return p
}

// hellos counts the HELLOs that the peer has got from the node.
func (p *stormPair) hellos() int {
	return p.f.CountMessages(foreignnet.IsMessageFrom(foreign.HelloID, p.uuid))
}

// settle waits until nothing goes on any more: both hold each other ready, and of the
// messages that the peer got from the node, not counting the first ones, the last three are
// pings of one who has heard nothing for a while.
func (p *stormPair) settle(first int) {
	p.t.Helper()
	watch.Until(p.t, "no more HELLOs, but pings", func() bool {
		pings := 0
		for _, m := range p.f.Messages()[first:] {
			switch {
			case foreignnet.IsMessageFrom(foreign.PingID, p.uuid)(m):
				pings++
			case foreignnet.IsMessageFrom(foreign.HelloID, p.uuid)(m):
				pings = 0
			}
		}
		return pings >= 3 && p.f.HasEntered(p.uuid) && slices.Contains(p.z.Peers(), p.f.UUIDText())
	})
}

// talk checks that messages pass both ways, each once.
func (p *stormPair) talk() {
	p.t.Helper()
	for range 10 {
		p.talks++
		text := fmt.Sprint("talk ", p.talks)
		p.f.must(p.f.Whisper(p.uuid, []byte(text)))
		p.z.Whispers(p.f.UUIDText(), "%s", text)
		p.events.Wait(p.t, "WHISPER fake", p.talks)
		p.f.waitEvent(foreign.Whisper, p.z, p.talks)
	}
	if n := p.f.CountEvents(foreignnet.IsEvent(foreign.Whisper, p.uuid)); n != p.talks || p.events.Count("WHISPER fake") != p.talks {
		p.t.Errorf("%d whispers came to theirs, %d to ours, want %d", n, p.events.Count("WHISPER fake"), p.talks)
	}
}

// gap sends a PING under a number that is not the next: something seems lost.
func (p *stormPair) gap() {
	p.t.Helper()
	m := foreign.Message{ID: foreign.PingID, Sequence: 9999}
	frames, err := m.Frames()
	p.f.must(err)
	p.f.must(p.f.SendTo(p.uuid, frames...))
}

// storms are the beginnings of storms, between a node and a peer that hold each other
// ready. TestStorm_oursFrozen has those where the process of the node is stopped.
var storms = []struct {
	name  string
	begin func(p *stormPair)
}{
	{"rehandshake", func(p *stormPair) {
		p.f.must(p.f.SayHelloAgain(p.uuid, 1))
	}},
	{"duplicated HELLO", func(p *stormPair) {
		p.f.must(p.f.SayHelloAgain(p.uuid, 2))
	}},
	{"crossing HELLOs", func(p *stormPair) {
		// A gap makes ours begin again, while the peer, which has not heard of it, does so
		// by itself.
		p.f.must(p.f.Freeze())
		p.gap()
		p.events.Wait(p.t, "EXIT fake", 1)
		p.f.must(p.f.SayHelloAgain(p.uuid, 1))
		p.f.must(p.f.Thaw())
	}},
	{"gap", (*stormPair).gap},
	{"theirs frozen", func(p *stormPair) {
		p.f.must(p.f.Freeze())
		p.events.Wait(p.t, "EXIT fake", 1)
		p.f.must(p.f.Forget(p.uuid))
		p.f.must(p.f.Thaw())
	}},
}

func TestStorm_none(t *testing.T) {
	for _, kind := range stormKinds {
		for _, s := range storms {
			t.Run(fmt.Sprint(kind, " ", s.name), func(t *testing.T) {
				t.Parallel()
				p := newStormPair(t, kind)
				hellos, before := p.hellos(), len(p.f.Messages())
				s.begin(p)
				p.settle(before) // its beacons go on meanwhile, as those of a real node do
				exits, enters := p.events.Count("EXIT fake"), p.events.Count("ENTER fake")-1
				hellos = p.hellos() - hellos
				if exits > 1 || enters != exits || hellos > 1 {
					t.Errorf("EXIT, ENTER and HELLO came %d, %d and %d times, want at most 1:\n%s", exits, enters, hellos, p.events)
				}
				t.Logf("%s: EXIT %d, ENTER %d, HELLO %d, EXIT at theirs %d", s.name, exits, enters, hellos,
					p.f.CountEvents(foreignnet.IsEvent(foreign.Exit, p.uuid)))
				p.talk()
				if again := p.events.Count("EXIT fake"); again != exits {
					t.Errorf("EXIT came %d times more while they talked", again-exits)
				}
			})
		}
	}
}

// How often a peer may begin again: so many times at once, and once a second in the long run.
const handshakeBurst = 10

// A peer that says HELLO without end costs the application a few events, and the others
// nothing.
func TestStorm_helloFlood(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("fake")
	const flood = 3000
	start := time.Now()
	for said := 1; said <= flood; said++ {
		f.must(f.conn.SayHello())
		if said%100 == 0 {
			b.Beat()
		}
	}
	watch.Until(t, "what comes too often is refused", func() bool {
		return b.dropped().HelloThrottled > 0 && b.dropped().HelloRefused > 0
	})
	f.whisper("after all of it")
	watch.Until(t, "it is a stranger now", func() bool { return b.dropped().BeforeHello > 0 })
	b.Beat()
	exits, back := b.events.Count("EXIT fake"), f.heard(foreign.HelloID)
	t.Logf("%d HELLOs gave %d EXITs, and %d HELLOs came back", flood, exits, back)
	if most := handshakeBurst + 5 + int(time.Since(start)/time.Second); exits > most || back > most {
		t.Errorf("%d HELLOs gave %d EXITs and %d HELLOs back, want at most %d", flood, exits, back, most)
	}
	b.Check()
}

// A peer that comes and goes without end, politely.
func TestStorm_helloGoodbyeFlood(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("fake")
	const rounds = 3000
	for i := range rounds {
		f.must(f.conn.SayHello())
		f.must(f.conn.Say(foreign.Message{ID: foreign.GoodbyeID}))
		if i%100 == 99 {
			b.Beat()
		}
	}
	b.Beat()
	t.Logf("%d HELLO and GOODBYE gave %d ENTERs", rounds, b.events.Count("ENTER fake"))
	b.Check()
}

// Two nodes with one UUID: neither can be served well, but nothing breaks.
func TestStorm_sameUUID(t *testing.T) {
	for _, kind := range stormKinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := newBystander(t)
			one := newStranger(t, foreignnet.Options{Kind: kind, Name: "fake"})
			two := newStranger(t, foreignnet.Options{Kind: kind, Name: "fake", UUID: one.UUID()})
			victim, at := kit.UUIDBytes(t, b.victim), kit.Endpoint(t, b.victim)
			start := time.Now()
			one.must(one.Meet(victim, at))
			b.events.Wait(t, "ENTER fake", 1)
			two.must(two.Meet(victim, at))
			for range 100 {
				for _, f := range []*stranger{one, two} {
					sendBeacon(t, b.port, f.UUID(), kit.Port(t, f.Endpoint()))
					_ = f.Whisper(victim, []byte("me")) // it may not know the victim for the moment
				}
				b.Beat()
			}
			exits, hellos := b.events.Count("EXIT fake"), one.heard(foreign.HelloID)+two.heard(foreign.HelloID)
			t.Logf("EXIT %d, HELLOs %d", exits, hellos)
			limit := handshakeBurst + int(time.Since(start)/time.Second) + 2
			if exits > limit || hellos > 2*limit {
				t.Errorf("EXIT came %d times and HELLO %d times in %v, want at most %d, %d", exits, hellos, time.Since(start), limit, 2*limit)
			}
			b.Check()
		})
	}
}

// A peer whose goodbye is lost and that starts again under the same UUID.
func TestStorm_restartWithSameUUID(t *testing.T) {
	for _, kind := range stormKinds {
		t.Run(string(kind), func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			z := kit.NewNode(t, "ours", port)
			kit.MustStart(t, z)
			uuid, r := kit.UUIDBytes(t, z), watch.Record(z)
			o := foreignnet.Options{Kind: kind, Name: "fake", UDPPort: port, Interval: 100 * time.Millisecond}
			old := newStranger(t, o)
			r.Wait(t, "ENTER fake", 1)
			old.waitEvent(foreign.Enter, z, 1)
			old.must(old.Whisper(uuid, []byte("first life")))
			r.Wait(t, "WHISPER fake first life", 1)
			old.kill()
			o.UUID = old.UUID()
			again := newStranger(t, o)
			r.Wait(t, "EXIT fake", 1)
			r.Wait(t, "ENTER fake", 2)
			again.waitEvent(foreign.Enter, z, 1)
			again.must(again.Whisper(uuid, []byte("second life")))
			r.Wait(t, "WHISPER fake second life", 1)
			n := 0
			watch.Until(t, "the new one hears WHISPER", func() bool {
				n++
				z.Whispers(again.UUIDText(), "to you %d", n)
				return again.heard(foreign.WhisperID) > 0
			})
			if got := z.PeerAddress(again.UUIDText()); got != again.Endpoint() {
				t.Errorf("PeerAddress() = %s, want %s", got, again.Endpoint())
			}
			if exits := r.Count("EXIT"); exits > 2 {
				t.Errorf("EXIT came %d times, want at most 2", exits)
			}
		})
	}
}

// A peer that starts again so quickly that its HELLO could be the answer to ours: when it
// does not take what we send, we say HELLO again, and what was sent meanwhile is not lost
// silently.
func TestStorm_restartUnnoticed(t *testing.T) {
	z := kit.NewNode(t, "ours", kit.FreeUDPPort(t))
	kit.MustStart(t, z)
	r := watch.Record(z)
	f := newStranger(t, foreignnet.Options{Name: "fake"})
	f.sayHello(z, "hall")
	r.Wait(t, "ENTER fake", 1)
	f.sayHello(z, "hall")
	z.Whispers(f.UUIDText(), "lost")
	r.Wait(t, "EXIT fake", 1)
	f.waitHeard(foreign.HelloID, 2)
	f.whisper("in sequence") // which only a node sends that has our HELLO
	r.Wait(t, "ENTER fake", 2)
	r.Wait(t, "JOIN fake hall", 2)
	r.Wait(t, "WHISPER fake in sequence", 1)
	if n := r.Count("EXIT"); n != 1 {
		t.Errorf("EXIT came %d times, want 1", n)
	}
	if n := f.heard(foreign.HelloID); n != 2 {
		t.Errorf("%d HELLOs came, want 2", n)
	}
}
