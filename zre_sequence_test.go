package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// countFrom has a peer send the messages with some numbers and returns those accepted.
func countFrom(s *sequenceIn, numbers ...uint16) (accepted []bool) {
	for _, n := range numbers {
		accepted = append(accepted, s.accept(n))
	}
	return accepted
}

func TestSequenceIn_accept(t *testing.T) {
	for _, c := range []struct {
		name    string
		start   sequenceIn
		numbers []uint16
		lost    int // index of the first number that is not accepted; -1 for none
		wrap    wrap
	}{
		{"in order", sequenceIn{next: 2}, []uint16{2, 3, 4}, -1, wrapUnknown},
		{"a gap", sequenceIn{next: 2}, []uint16{2, 4}, 1, wrapUnknown},
		{"twice", sequenceIn{next: 2}, []uint16{2, 2}, 1, wrapUnknown},
		{"after 65535 comes 0", sequenceIn{next: 65534}, []uint16{65534, 65535, 0, 1}, -1, wrapAfter65535},
		{"after 65534 comes 0", sequenceIn{next: 65534}, []uint16{65534, 0, 1}, -1, wrapAfter65534},
		{"shown to wrap after 65535", sequenceIn{next: 65534, wrap: wrapAfter65535}, []uint16{65534, 0}, 1, wrapAfter65535},
		{"shown to wrap after 65534", sequenceIn{next: 65534, wrap: wrapAfter65534}, []uint16{65534, 65535}, 1, wrapAfter65534},
		{"0 long before the wrap", sequenceIn{next: 65000}, []uint16{0}, 0, wrapUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.start
			for i, ok := range countFrom(&s, c.numbers...) {
				if want := i != c.lost; ok != want {
					t.Errorf("accept(%d) = %t, want %t", c.numbers[i], ok, want)
				}
			}
			if s.wrap != c.wrap {
				t.Errorf("wrap = %s, want %s", s.wrap, c.wrap)
			}
		})
	}
}

// After a gap the number that was expected is still expected.
func TestSequenceIn_gapKeepsCount(t *testing.T) {
	s := sequenceIn{next: 7}
	if s.accept(9) || !s.accept(7) {
		t.Errorf("after a gap the next number is %d, want 8", s.next)
	}
}

func TestSequenceIn_hello(t *testing.T) {
	s := sequenceIn{next: 500, wrap: wrapAfter65534}
	s.expectHello()
	if !s.accept(1) {
		t.Error("accept(1) = false after expectHello, want true")
	}
	s.next = 500
	s.helloReceived()
	if !s.accept(2) || s.wrap != wrapAfter65534 {
		t.Errorf("after helloReceived: next = %d, wrap = %s, want 3, and what was learnt", s.next, s.wrap)
	}
}

// Two that count alike never lose count.
func TestSequence_roundTrip(t *testing.T) {
	for _, w := range []wrap{wrapUnknown, wrapAfter65535, wrapAfter65534} {
		t.Run(w.String(), func(t *testing.T) {
			out, in := sequenceOut{}, sequenceIn{next: 1}
			for i := range 200_000 {
				seq := out.next(w)
				if !in.accept(seq) {
					t.Fatalf("message %d: accept(%d) = false, want true", i, seq)
				}
				out.used(seq, time.Unix(0, int64(i)))
			}
		})
	}
}

// What follows 65534 depends on how the peer counts, and on how it took the last wrap.
func TestSequenceOut_wrap(t *testing.T) {
	now := time.Unix(1e9, 0)
	s, peer := sequenceOut{}, wrapUnknown
	restarted := func() { s.assumeOtherWrap(now, time.Second) }
	for _, step := range []struct {
		what string
		do   func()
		want uint16
	}{
		{"at first", func() {}, 65535},
		{"restarted much later", func() { s.assumeOtherWrap(now.Add(time.Hour), time.Second) }, 65535},
		{"restarted", restarted, 0},
		{"content", func() {}, 0},
		{"restarted again", restarted, 65535},
		{"and again", restarted, 0},
		{"restarted twice", func() { restarted(); restarted() }, 65535},
		{"shown modulo 65535", func() { peer = wrapAfter65534 }, 0},
		{"restarted at that", restarted, 0},
		{"shown modulo 65536", func() { peer = wrapAfter65535 }, 65535},
	} {
		step.do()
		s.last = 65534
		got := s.next(peer)
		if got != step.want {
			t.Errorf("%s: next after 65534 = %d, want %d", step.what, got, step.want)
		}
		s.used(got, now)
	}
}

// Only a peer that restarts soon after our count wrapped has lost count there.
func TestSequenceOut_assumeOtherWrap(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		name string
		used uint16
		last uint16
		wait time.Duration
		want wrap
	}{
		{"never wrapped", 9, 8, 0, wrapUnknown},
		{"just wrapped to 0", 0, 65534, 0, wrapAfter65534},
		{"just sent 65535", 65535, 65534, 0, wrapAfter65534},
		{"wrapped long ago", 0, 65535, time.Minute, wrapUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sequenceOut{last: c.last}
			s.used(c.used, now)
			s.assumeOtherWrap(now.Add(c.wait), time.Second)
			if s.assumed != c.want {
				t.Errorf("assumed to wrap %v, want %v", s.assumed, c.want)
			}
		})
	}
}

// A new connection begins with 1 and remembers how the peer counts.
func TestSequenceOut_restart(t *testing.T) {
	s := sequenceOut{last: 77, assumed: wrapAfter65534}
	s.restart()
	if got := s.next(wrapUnknown); got != 1 || s.assumed != wrapAfter65534 {
		t.Errorf("after restart: next = %d, assumed %s, want 1, %s", got, s.assumed, wrapAfter65534)
	}
}

// A peer that lost messages, and enters again, counts as it did before.
func TestSequence_keptAfterGap(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	b.peer().in.wrap, b.peer().out.assumed = wrapAfter65535, wrapAfter65534
	b.hearAfterGap(NewZreMsg(WhisperID), 1)
	if p := b.peer(); p.in.wrap != wrapAfter65535 || p.out.assumed != wrapAfter65534 {
		t.Errorf("after a gap: wraps %s, assumed %s, want %s, %s", p.in.wrap, p.out.assumed, wrapAfter65535, wrapAfter65534)
	}
}

// wrappingWhispers are enough for the sequence numbers to go round as often as -sim.wraps
// says.
func wrappingWhispers() int { return 70_000 * *simWraps }

// Sequence numbers go round, both ways.
func TestNode_sequenceWraps(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	count := wrappingWhispers()
	for range count {
		simQuickWhisper(a, b)
		simQuickWhisper(b, a)
	}
	if x, y := a.peers[uuidString(b.uuid)], b.peers[uuidString(a.uuid)]; x.whispers != count || y.whispers != count || x.enters+y.enters != 2 {
		t.Errorf("whispers = %d, %d, want %d; ENTERs = %d, want 2", x.whispers, y.whispers, count, x.enters+y.enters)
	}
}

// simQuickWhisper is whisper and delivery without the checks of tables.
func simQuickWhisper(from, to *simNode) {
	from.unchecked, to.unchecked = true, true
	from.told[to.uuid]++
	payload := fmt.Appendf(nil, "w %d %d", from.born, from.told[to.uuid])
	from.do(command{kind: cmdWhisper, message: message{peer: to.uuid, payload: payload}})
	c := from.net.conn(from, to.endpoint)
	for _, m := range c.queue {
		to.take(from.uuid, m.header, m.frames)
	}
	c.queue = c.queue[:0]
}

// A peer that counts modulo 65535: nothing of what it sends is lost. What we send
// is, at most once, until its own count has shown how it counts.
func TestNode_modulo65535(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.node(nil), s.foreign(simZyreJS)
	s.run(2 * time.Second)
	count := wrappingWhispers()
	for i := range count {
		b.whisper(a.uuid, "x")
		if i%500 == 0 {
			s.settle()
		}
	}
	s.settle()
	if got := a.peers[uuidString(b.uuid)]; got.whispers != count || got.enters != 1 || !got.here {
		t.Errorf("to us: %+v, want %d whispers and one ENTER", *got, count)
	}
	events := len(b.history)
	for i := range count {
		a.do(command{kind: cmdWhisper, message: message{peer: b.uuid, payload: []byte("y")}})
		if i%500 == 0 {
			s.settle()
		}
	}
	s.settle()
	if got := b.got["y"]; got != count || len(b.history) != events {
		t.Errorf("from us: %d whispers arrived, want %d; events %q", got, count, b.history[events:])
	}
}

// The same, but the peer has not shown yet how it counts.
func TestNode_modulo65535Unknown(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.node(nil), s.foreign(simZyreJS)
	s.run(2 * time.Second)
	for i := range 70_000 {
		a.do(command{kind: cmdWhisper, message: message{peer: b.uuid, payload: []byte("y")}})
		if i%500 == 0 {
			s.settle()
		}
	}
	s.run(simHealing)
	simExchange(s, a, b, "after")
	if got := a.count(EventExit, b.uuid); got > 2 {
		t.Errorf("EXIT events = %d, want at most 2", got)
	}
}

// Whoever loses a message of a peer soon talks with it again, both ways, also if the
// peer drops us at the HELLO by which we ask it to begin again.
func TestNode_gapHeals(t *testing.T) {
	for _, kind := range []simKind{simLibzyre, simPyre, simZyreJS} {
		s := newSim(t, 1)
		s.label = string(kind)
		a := s.node(nil)
		peer := s.foreign(kind)
		s.run(5 * time.Second)
		peer.whisper(a.uuid, "lost")
		s.conn(peer, a.endpoint).lose(1)
		peer.whisper(a.uuid, "seen as a gap")
		s.run(5 * time.Second)
		name := simName(peer.uuid)
		if want := []string{"ENTER " + name, "EXIT " + name, "ENTER " + name}; !slices.Equal(a.history, want) {
			t.Errorf("%s: events = %q, want %q", kind, a.history, want)
		}
		simExchange(s, a, peer, "after the gap")
	}
}
