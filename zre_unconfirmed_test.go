package zyre

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// A peer whose HELLO comes after ours enters at once, unless it may not have taken ours: then
// it enters when it answers a ping.
func TestUnconfirmed_mayLackHello(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   func(b *zreBench)
		endpoint string // in its HELLO
		want     string // events of HELLO
	}{
		{"it must have taken ours", func(*zreBench) {}, stateEndpoint, "ENTER"},
		{"an endpoint that cannot be used", func(*zreBench) {}, stateUnresolved, "ENTER"},
		{"from elsewhere", func(*zreBench) {}, stateElsewhere, ""},
		{"it began a session again", func(b *zreBench) { b.z.admitRestart(b.now, stateUUID) }, stateEndpoint, ""},
		{"told HELLO again", func(b *zreBench) { b.peer().handshake.resent() }, stateEndpoint, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.sighted(b.now, stateUUID, stateEndpoint)
			c.before(b)
			b.hello(c.endpoint)
			if got := strings.Join(b.port.events, " "); got != c.want {
				t.Errorf("HELLO: events %q, want %q", got, c.want)
			}
			b.hearID(PingOkID)
			if got := strings.Join(b.port.events, " "); got != "ENTER" {
				t.Errorf("HELLO and PING-OK: events %q, want ENTER", got)
			}
		})
	}
}

// A peer that has exited without an answer to our HELLO does not enter by a further HELLO,
// for an hour. It enters with what only a node says that has our HELLO.
func TestUnreached_enters(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(b *zreBench)
		want string // events
	}{
		{"HELLO alone", func(*zreBench) {}, ""},
		{"HELLO again", func(b *zreBench) { b.hello(stateEndpoint) }, ""},
		{"PING", func(b *zreBench) { b.hearID(PingID) }, ""},
		{"GOODBYE", func(b *zreBench) { b.hearID(GoodbyeID) }, ""},
		{"after a gap", func(b *zreBench) { b.hearAfterGap(NewZreMsg(WhisperID), 1) }, ""},
		{"PING-OK", func(b *zreBench) { b.hearID(PingOkID) }, "ENTER JOIN"},
		{"PING-OK after HELLO again", func(b *zreBench) { b.hello(stateEndpoint); b.hearID(PingOkID) }, "ENTER"},
		{"WHISPER", func(b *zreBench) { b.hearID(WhisperID) }, "ENTER JOIN WHISPER"},
		{"SHOUT", func(b *zreBench) { b.hearID(ShoutID) }, "ENTER JOIN"},
		{"ELECT", func(b *zreBench) { b.hearID(ElectID) }, "ENTER JOIN"},
		{"JOIN, then PING-OK", func(b *zreBench) {
			b.hear(&ZreMsg{id: JoinID, Group: "H", Status: 1})
			b.hearID(PingOkID)
		}, "ENTER JOIN JOIN"},
		{"LEAVE, then PING-OK", func(b *zreBench) {
			b.hear(&ZreMsg{id: LeaveID, Group: "first", Status: 1})
			b.hearID(PingOkID)
		}, "ENTER"},
		{"HELLO after an hour", func(b *zreBench) {
			b.pass(unreachedTime)
			b.port.forget()
			b.hello(stateEndpoint)
		}, "ENTER"},
	} {
		for _, sighted := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, ", sighted ", sighted), func(t *testing.T) {
				b := newZREBench(t)
				handshakeStates[helloReturned.String()](b)
				b.pass(b.z.timeouts.expired)
				if b.peer() != nil {
					t.Fatal("the peer has not expired")
				}
				if sighted {
					b.z.sighted(b.now, stateUUID, stateEndpoint)
				}
				b.port.forget()
				b.hear(&ZreMsg{id: HelloID, Endpoint: stateEndpoint, Name: "peer", Groups: []string{"first"}})
				c.then(b)
				if got := strings.Join(b.port.events, " "); got != c.want {
					t.Errorf("events %s, want %s", got, c.want)
				}
			})
		}
	}
}

// What a peer did before it exited decides whether its next HELLO makes it enter at once.
func TestUnreached_noted(t *testing.T) {
	for _, c := range []struct {
		name string
		exit func(b *zreBench)
		want bool
	}{
		{"expired", func(b *zreBench) { b.pass(b.z.timeouts.expired) }, true},
		{"restarted", func(b *zreBench) { b.keep(b.z.timeouts.expired); b.hello(stateElsewhere) }, true},
		{"messages lost", func(b *zreBench) { b.keep(maxVerifyTime); b.hearAfterGap(NewZreMsg(WhisperID), 1) }, true},
		{"no time to answer", func(b *zreBench) { b.hearAfterGap(NewZreMsg(WhisperID), 1) }, false},
		{"goodbye", func(b *zreBench) { b.keep(maxVerifyTime); b.hearID(GoodbyeID) }, false},
		{"confirmed", func(b *zreBench) {
			b.z.ping(b.now, b.peer())
			b.hearID(PingOkID)
			b.pass(b.z.timeouts.expired)
		}, false},
	} {
		b := newZREBench(t)
		handshakeStates[helloReturned.String()](b)
		c.exit(b)
		if _, got := b.z.unreached[stateUUID]; got != c.want {
			t.Errorf("%s: unreached %t, want %t", c.name, got, c.want)
		}
	}
}

// A peer that is heard and cannot be reached is pinged once, not in each second: its mailbox would
// fill up. When it has died it is forgotten.
func TestUnreached_noConnection(t *testing.T) {
	b := newZREBench(t)
	b.port.moves = func() transport.Moved { return transport.Moved{Broken: true} }
	b.z.unreached[stateUUID] = b.now
	b.hello(stateEndpoint)
	for range 1000 {
		b.pass(time.Second)
		b.hearID(PingID)
	}
	if p := b.peer(); p == nil || p.handshake.state != helloUnconfirmed {
		t.Fatal("a peer that pings is gone, want it to stay")
	}
	if got := count(b.port.sent, "PING"); got != 1 {
		t.Errorf("%d PINGs wait for a connection, want 1", got)
	}
	b.pass(b.z.timeouts.expired)
	if b.peer() != nil || b.z.counters.neverEntered != 1 {
		t.Errorf("a dead peer is there: %t, counted %d times, want false, 1", b.peer() != nil, b.z.counters.neverEntered)
	}
}

// While bytes come from a peer that has not answered, it does not expire, however rarely it is asked.
func TestUnconfirmed_bytesCome(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloUnconfirmed.String()](b)
	b.peer().probe.deadline = b.now.Add(time.Hour)
	b.flow(bytesCome)
	b.pass(2 * b.z.timeouts.expired)
	if b.peer() == nil {
		t.Fatal("a peer from which bytes come has expired")
	}
	b.flow("")
	b.pass(2 * b.z.timeouts.expired)
	if b.peer() != nil {
		t.Error("a dead peer is still there")
	}
}

// A peer that is heard and cannot be reached costs one ENTER and one EXIT an hour,
// whatever both applications do. As soon as it can be reached both see each other.
func TestUnreached_onceAnHour(t *testing.T) {
	t.Parallel()
	kinds := append([]simKind{"ours"}, simKinds...)
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			simEachSeed(10*int64(len(kinds)), func(seed int64) { onceAnHour(t, kind, seed) })
		})
	}
}

func onceAnHour(t *testing.T, kind simKind, seed int64) {
	const hours = 3
	s := newSim(t, seed)
	b := s.node(func(c *config, _ *simSite) { c.groups = []string{"A"} })
	var a simHost
	if kind == "ours" {
		a = s.node(nil)
	} else {
		a = s.foreign(kind)
	}
	a.base().closed = true
	uuid := a.base().uuid
	for end := s.now.Add(hours * time.Hour); s.now.Before(end); {
		s.beacon(a)
		s.beacon(b)
		s.settle()
		if s.rng.Intn(20) == 0 {
			b.whisper(uuid)
		}
		if s.rng.Intn(60) == 0 {
			simJoinOrLeave(a, "A", s.rng.Intn(2) == 0)
		}
		for range 2 {
			s.advance(time.Duration(s.rng.Intn(1000)) * time.Millisecond)
			s.settle()
		}
	}
	// the first hour begins with the first ENTER, and the last has not ended
	if enters, exits := b.count(EventEnter, uuid), b.count(EventExit, uuid); enters < 1 || enters > hours || exits > hours {
		s.fatalf("%d ENTERs, %d EXITs in %d hours, want one an hour: %q", enters, exits, hours, b.history)
	}
	a.base().closed = false
	s.run(simHealing)
	simExchange(s, b, a, "reached")
	events := len(b.history)
	s.run(10 * time.Second)
	if len(b.history) != events {
		s.fatalf("events later: %q", b.history[events:])
	}
}

// simJoinOrLeave has the application of a host join or leave a group.
func simJoinOrLeave(h simHost, group string, join bool) {
	switch h := h.(type) {
	case *simNode:
		if join {
			h.join(group)
		} else {
			h.leave(group)
		}
	case *simForeign:
		if join {
			h.model.Join(group)
		} else {
			h.model.Leave(group)
		}
	}
}
