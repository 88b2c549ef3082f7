package zyre

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// simStorms are what makes two hosts say HELLO to each other again.
var simStorms = []struct {
	name   string
	happen func(s *sim, a *simNode, b simHost)
}{
	{"both freeze", func(s *sim, a *simNode, b simHost) {
		s.freeze(a)
		s.freeze(b)
		s.advance(40 * time.Second)
		s.thaw(a)
		s.thaw(b)
	}},
	{"we freeze", func(s *sim, a *simNode, b simHost) {
		s.freeze(a)
		s.run(40 * time.Second)
		s.thaw(a)
	}},
	{"it freezes", func(s *sim, a *simNode, b simHost) {
		s.freeze(b)
		s.run(40 * time.Second)
		s.thaw(b)
	}},
	{"it freezes shortly", func(s *sim, a *simNode, b simHost) {
		s.freeze(b)
		s.run(8 * time.Second)
		s.thaw(b)
	}},
	{"partition", func(s *sim, a *simNode, b simHost) {
		a.side = 1
		s.run(40 * time.Second)
		a.side = 0
	}},
	{"our connection cut", func(s *sim, a *simNode, b simHost) {
		a.whisperText(b.base().uuid, "lost")
		s.conn(a, b.base().endpoint).lose(1)
		a.whisperText(b.base().uuid, "not lost")
	}},
	{"its connection cut", func(s *sim, a *simNode, b simHost) {
		simLose(s, b, a)
	}},
	{"both connections cut", func(s *sim, a *simNode, b simHost) {
		a.whisperText(b.base().uuid, "lost")
		s.conn(a, b.base().endpoint).lose(1)
		a.whisperText(b.base().uuid, "not lost")
		simLose(s, b, a)
	}},
	{"we say HELLO again", func(s *sim, a *simNode, b simHost) {
		a.n.zre.sendHello(s.now, a.n.zre.peers[b.base().uuid])
	}},
	{"it says HELLO again", func(s *sim, a *simNode, b simHost) { simHelloAgain(s, b, a) }},
	{"crossing", func(s *sim, a *simNode, b simHost) {
		a.n.zre.sendHello(s.now, a.n.zre.peers[b.base().uuid])
		simHelloAgain(s, b, a)
	}},
	{"crossing after a removal", func(s *sim, a *simNode, b simHost) {
		a.bye(b.base().uuid)
		b.bye(a.uuid)
	}},
	{"we forget it", func(s *sim, a *simNode, b simHost) { a.bye(b.base().uuid) }},
	{"it forgets us", func(s *sim, a *simNode, b simHost) { b.bye(a.uuid) }},
}

// simLose loses a message from a host.
func simLose(s *sim, from, to simHost) {
	uuid := to.base().uuid
	for _, text := range []string{"lost", "not lost"} {
		switch h := from.(type) {
		case *simNode:
			h.whisperText(uuid, text)
		case *simForeign:
			h.whisper(uuid, text)
		}
		if text == "lost" {
			s.conn(from, to.base().endpoint).lose(1)
		}
	}
}

func simHelloAgain(s *sim, from, to simHost) {
	switch h := from.(type) {
	case *simNode:
		h.n.zre.sendHello(s.now, h.n.zre.peers[to.base().uuid])
	case *simForeign:
		h.model.Forget(s.now, to.base().uuid)
	}
}

// No storms: whatever made two hosts say HELLO again, few HELLOs and events
// follow, and both are connected in the end, also ten seconds later.
func TestNode_noStorm(t *testing.T) {
	t.Parallel()
	kinds := append([]simKind{"ours"}, simKinds...)
	for _, kind := range kinds {
		for _, storm := range simStorms {
			t.Run(string(kind)+"/"+storm.name, func(t *testing.T) {
				simEachSeed(int64(len(kinds)*len(simStorms)), func(seed int64) {
					noStorm(t, kind, storm.happen, seed, 0)
				})
			})
		}
	}
}

// The same on a network that is slow: an answer may come when it is no longer
// expected.
func TestNode_noStormSlow(t *testing.T) {
	t.Parallel()
	kinds := []simKind{"ours", simLibzyre}
	latencies := []time.Duration{300 * time.Millisecond, 700 * time.Millisecond}
	for _, kind := range kinds {
		for _, latency := range latencies {
			for _, storm := range simStorms {
				t.Run(fmt.Sprint(kind, "/", latency, "/", storm.name), func(t *testing.T) {
					simEachSeed(int64(len(kinds)*len(latencies)*len(simStorms)), func(seed int64) {
						noStorm(t, kind, storm.happen, seed, latency)
					})
				})
			}
		}
	}
}

func noStorm(t *testing.T, kind simKind, happen func(*sim, *simNode, simHost), seed int64, latency time.Duration) {
	s := newSim(t, seed)
	s.latency = latency
	a := s.node(nil)
	var b simHost
	if kind == "ours" {
		b = s.node(nil)
	} else {
		b = s.foreign(kind)
	}
	s.run(20 * time.Second)
	simExchange(s, a, b, "before")
	enters := a.count(EventEnter, b.base().uuid)
	hellos := a.hellos[b.base().uuid] + b.base().hellos[a.uuid]
	happen(s, a, b)
	s.settle()
	s.run(simHealing) // go-zeromq recovers from a gap by expiry only
	simExchange(s, a, b, "after")
	events := len(a.history)
	s.run(10 * time.Second)
	simExchange(s, a, b, "later")
	for _, line := range a.history[events:] {
		if latency == 0 || strings.HasPrefix(line, EventEnter) || strings.HasPrefix(line, EventExit) {
			s.fatalf("events later: %q", a.history[events:])
		}
	}
	enters = a.count(EventEnter, b.base().uuid) - enters
	hellos = a.hellos[b.base().uuid] + b.base().hellos[a.uuid] - hellos
	maxEnters, maxHellos := simMaxEnters, simMaxHellos
	if latency > 0 {
		maxEnters, maxHellos = 2*maxEnters, 2*maxHellos
	}
	if enters > maxEnters || hellos > maxHellos {
		s.fatalf("%d ENTERs, %d HELLOs, want at most %d, %d", enters, hellos, maxEnters, maxHellos)
	}
}

// One re-handshake takes one ENTER and a HELLO from each side. It can be two, when
// a late message of the first connection shows that another is needed.
const (
	simMaxEnters = 2
	simMaxHellos = 5
)
