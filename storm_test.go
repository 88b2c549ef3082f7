package zyre

import (
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// stormWindow is how long a test watches for what must not go on for ever.
const stormWindow = 5 * time.Second

// stormExpired is the expired timeout of the nodes in these tests.
const stormExpired = 1500 * time.Millisecond

// models are the implementations that answer a HELLO from a peer they hold ready
// with a HELLO on a fresh connection: two such nodes go on for ever.
var models = map[string]func(*fakePeer, *ZreMsg){"libzyre": likeLibzyre, "go-zeromq": likeGoZeroMQ}

// storms are the beginnings of storms: what is to happen between a node and a fake
// that hold each other ready.
var storms = []struct {
	name     string
	maxExits int // at ours
	maxHello int // from ours
	begin    func(t *testing.T, z *Zyre, f *fakePeer, ice *freezer)
}{
	{"rehandshake", 1, 1, func(_ *testing.T, z *Zyre, f *fakePeer, _ *freezer) {
		f.greet(firstEndpoint(z))
	}},
	{"duplicated HELLO", 1, 1, func(_ *testing.T, z *Zyre, f *fakePeer, _ *freezer) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dial(firstEndpoint(z))
		f.speak(f.hello())
		f.sendFrames(f.frames(f.hello(), 1)...)
	}},
	{"crossing HELLOs", 1, 1, func(_ *testing.T, z *Zyre, f *fakePeer, _ *freezer) {
		// A gap makes ours begin anew, while the fake does so by itself.
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sendFrames(f.frames(&ZreMsg{id: PingID}, 9999)...)
		f.dial(firstEndpoint(z))
		f.speak(f.hello())
	}},
	{"gap", 1, 1, func(_ *testing.T, _ *Zyre, f *fakePeer, _ *freezer) {
		f.send(f.frames(&ZreMsg{id: PingID}, 9999)...)
	}},
	{"theirs frozen", 1, 1, func(t *testing.T, z *Zyre, f *fakePeer, _ *freezer) {
		f.frozen.Store(true)
		eventually(t, "EXIT of the frozen fake", func() bool { return len(z.Peers()) == 0 })
		f.expire()
		f.frozen.Store(false)
	}},
	{"ours frozen", 1, 1, func(_ *testing.T, _ *Zyre, f *fakePeer, ice *freezer) {
		ice.Lock()
		pause(stormExpired + stormExpired/2)
		f.expire()
		ice.Unlock()
	}},
	{"both frozen", 1, 1, func(_ *testing.T, _ *Zyre, f *fakePeer, ice *freezer) {
		ice.Lock()
		f.frozen.Store(true)
		pause(stormExpired + stormExpired/2)
		f.expire()
		f.frozen.Store(false)
		ice.Unlock()
	}},
}

// A freezer stops a node as SIGSTOP would, while it sleeps; only its threads in
// libzmq go on.
type freezer struct {
	transport.Transport
	sync.Mutex // held while the node is frozen
}

type freezerInbox struct {
	transport.Inbox
	f *freezer
}

func (f *freezer) Listen(opts transport.ListenOptions) (transport.Inbox, error) {
	in, err := f.Transport.Listen(opts)
	return &freezerInbox{in, f}, err
}

func (in *freezerInbox) Wait(until time.Time) {
	in.Inbox.Wait(until)
	in.f.Lock()
	defer in.f.Unlock()
}

// freezable lets a node that has not started be frozen.
func freezable(z *Zyre) *freezer {
	f := &freezer{}
	inner := z.transport
	z.transport = func() (transport.Transport, error) {
		tr, err := inner()
		f.Transport = tr
		return f, err
	}
	return f
}

func TestStorm_none(t *testing.T) {
	for model, behave := range models {
		for _, s := range storms {
			t.Run(model+" "+s.name, func(t *testing.T) {
				t.Parallel()
				port := freeUDPPort(t)
				z := newLoopbackNode(t, "ours", port).SetEvasiveTimeout(500 * time.Millisecond).
					SetSilentTimeout(time.Second).SetExpiredTimeout(stormExpired)
				ice := freezable(z)
				mustStart(t, z)
				r := record(z)
				f := newFakePeer(t, "fake", z, behave)
				f.announce()
				r.wait(t, "ENTER fake", 1)
				eventually(t, "fake is ready", func() bool { ready, _ := f.state(); return ready })
				talkBothWays(t, z, r, f)
				pause(700 * time.Millisecond) // until our HELLO is not fresh any more
				hellos := f.heard(HelloID)

				s.begin(t, z, f, ice)
				// Its beacons go on, as those of a real node would.
				for end := time.Now().Add(stormWindow); time.Now().Before(end); pause(100 * time.Millisecond) {
					f.announce()
				}

				exits, enters := r.count("EXIT fake"), r.count("ENTER fake")-1
				if exits > s.maxExits || enters != exits {
					t.Errorf("EXIT, ENTER came %d, %d times, want at most %d:\n%s", exits, enters, s.maxExits, r)
				}
				hellos = f.heard(HelloID) - hellos
				if hellos > s.maxHello {
					t.Errorf("fake got %d HELLOs, want at most %d", hellos, s.maxHello)
				}
				t.Logf("%s: EXIT %d, ENTER %d, HELLO %d, EXIT at the fake %d", s.name, exits, enters, hellos, f.exits)
				if ready, deaf := f.state(); !ready || deaf {
					t.Errorf("in the end the fake is ready %v, deaf %v, want true, false", ready, deaf)
				}
				talkBothWays(t, z, r, f)
			})
		}
	}
}

// talkBothWays checks that messages flow between a node and a fake.
func talkBothWays(t *testing.T, z *Zyre, r *recorder, f *fakePeer) {
	t.Helper()
	for i := range 10 {
		ours, theirs := r.count("WHISPER fake"), f.heard(WhisperID)
		f.whisper("to ours %d", i)
		z.Whispers(f.uuidText(), "to theirs %d", i)
		eventually(t, "WHISPER both ways", func() bool {
			return r.count("WHISPER fake") == ours+1 && f.heard(WhisperID) == theirs+1
		})
	}
}

// A peer that says HELLO without end costs the application a few events, and the
// others nothing.
func TestStorm_helloFlood(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	f := newFakePeer(t, "fake", b.victim, nil)
	target := firstEndpoint(b.victim)
	f.greet(target)
	b.events.wait(t, "ENTER fake", 1)
	hello := f.frames(f.hello(), 1)
	said := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		for range 10 {
			f.send(hello...)
			said++
		}
		pause(10 * time.Millisecond)
		if said%500 == 0 {
			b.beat()
		}
	}
	b.beat()
	exits := b.events.count("EXIT fake")
	t.Logf("%d HELLOs gave %d EXITs, and %d HELLOs came back", said, exits, f.heard(HelloID))
	if exits > handshakeBurst+5 || f.heard(HelloID) > handshakeBurst+5 {
		t.Errorf("%d HELLOs gave %d EXITs and %d HELLOs back, want at most %d", said, exits, f.heard(HelloID), handshakeBurst+5)
	}
	if d := b.dropped(); d.HelloBarred == 0 || d.HelloRefused == 0 {
		t.Errorf("HelloBarred, HelloRefused = %d, %d, want more than 0", d.HelloBarred, d.HelloRefused)
	}
	b.check()

	// In the end it behaves.
	f.model = nil
	enters := b.events.count("ENTER fake")
	pause(handshakeBar)
	eventually(t, "the peer enters again", func() bool {
		f.greet(target)
		pause(200 * time.Millisecond)
		return b.events.count("ENTER fake") > enters
	})
	f.whisper("sorry")
	b.events.wait(t, "WHISPER fake sorry", 1)
}

// A peer that comes and goes without end, politely.
func TestStorm_helloGoodbyeFlood(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	f := newFakePeer(t, "fake", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	hello, bye := f.frames(f.hello(), 1), f.frames(&ZreMsg{id: GoodbyeID}, 2)
	const rounds = 3000
	for i := range rounds {
		f.send(hello...)
		f.send(bye...)
		if i%100 == 99 {
			pause(50 * time.Millisecond)
			b.beat()
		}
	}
	b.beat()
	t.Logf("%d HELLO and GOODBYE gave %d ENTERs", rounds, b.events.count("ENTER fake"))
	b.check()
}

// Two nodes with one UUID: neither can be served well, but nothing breaks.
func TestStorm_sameUUID(t *testing.T) {
	for model, behave := range models {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			port := freeUDPPort(t)
			b := newBystander(t, port)
			one, two := newFakePeer(t, "fake", b.victim, behave), newFakePeer(t, "fake", b.victim, behave)
			two.uuid, two.identity = one.uuid, one.identity
			one.announce()
			b.events.wait(t, "ENTER fake", 1)
			two.greet(firstEndpoint(b.victim))
			for end := time.Now().Add(stormWindow); time.Now().Before(end); pause(50 * time.Millisecond) {
				one.announce()
				two.announce()
				one.whisper("one")
				two.whisper("two")
				b.beat()
			}
			exits, hellos := b.events.count("EXIT fake"), one.heard(HelloID)+two.heard(HelloID)
			t.Logf("EXIT %d, HELLOs %d", exits, hellos)
			limit := handshakeBurst + int(stormWindow/time.Second) + 2
			if exits > limit || hellos > 2*limit {
				t.Errorf("EXIT came %d times and HELLO %d times in %v, want at most %d, %d", exits, hellos, stormWindow, limit, 2*limit)
			}
			b.check()
		})
	}
}
