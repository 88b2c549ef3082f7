package zyre

import (
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// stateOther is another address of the peer, at the same port.
const stateOther = "tcp://10.0.0.8:9"

// hearNumbered has the peer send a message with a number.
func (b *zreBench) hearNumbered(seq uint16, m *ZreMsg) {
	packet := packetOf(b.t, stateUUID, seq, m)
	b.z.receive(b.now, &packet)
}

// A node that names another address than the seed's enters on the connection to the seed if
// it answers a ping there, and at its own address if it does not.
func TestSeedPing_newcomer(t *testing.T) {
	for _, c := range []struct {
		name     string
		tell     func(b *zreBench)
		sent     []string
		endpoint string // of the peer
		held     bool   // it is at the seed
	}{
		{"answers", func(b *zreBench) { b.hearNumbered(2, &ZreMsg{id: PingOkID}) },
			[]string{"HELLO", "PING"}, stateEndpoint, true},
		{"does not answer", func(b *zreBench) { b.pass(1500 * time.Millisecond) },
			[]string{"HELLO", "PING", "HELLO elsewhere", "PING"}, stateOther, false},
		{"says something before it answers", func(b *zreBench) {
			b.hearNumbered(2, &ZreMsg{id: JoinID, Group: "G", Status: 1})
			b.hearNumbered(3, &ZreMsg{id: PingOkID})
			b.hello(stateOther)
			b.hearID(PingOkID)
		}, []string{"HELLO", "PING", "HELLO", "PING"}, stateEndpoint, true},
		{"answers too late", func(b *zreBench) {
			b.pass(1500 * time.Millisecond)
			b.hearNumbered(2, &ZreMsg{id: PingOkID})
		}, []string{"HELLO", "PING", "HELLO elsewhere", "PING", "HELLO elsewhere"}, stateOther, true},
		{"a beacon comes before it answers", func(b *zreBench) {
			b.z.sighted(b.now, stateUUID, stateOther)
			b.hearNumbered(2, &ZreMsg{id: PingOkID})
		}, []string{"HELLO", "PING"}, stateEndpoint, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			k := b.addSeed(stateEndpoint)
			b.pass(10 * time.Second)
			b.hello(stateOther)
			if b.isEntered() || len(b.port.events) != 0 {
				t.Fatalf("entered before it is known where: %q", b.port.events)
			}
			c.tell(b)
			if !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("sent %q, want %q", b.port.sent, c.sent)
			}
			if p := b.peer(); p == nil || !p.isEntered() || p.endpoint != c.endpoint || (k.holder == stateUUID) != c.held {
				t.Fatalf("peer %+v, holder %v, want one that has entered at %s, held %t", p, k.holder, c.endpoint, c.held)
			}
			if want := []string{"ENTER"}; !slices.Equal(b.port.events, want) {
				t.Errorf("events %q, want %q", b.port.events, want)
			}
		})
	}
}

// A peer that has entered, and answers a ping at a seed that was none for it, is there as
// well: nobody is sought there any more as long as it stays.
func TestSeedPing_entered(t *testing.T) {
	for _, atSeed := range []bool{true, false} {
		b := newZREBench(t)
		b.z.sighted(b.now, stateUUID, stateOther)
		b.hello(stateOther)
		b.pass(2 * time.Second)
		b.hearID(PingOkID)
		k := b.addSeed(stateEndpoint)
		b.port.forget()
		for range 120 {
			b.pass(time.Second)
			answered := slices.Contains(b.port.sent, "PING elsewhere")
			if slices.Contains(b.port.sent, "PING") && atSeed || answered {
				b.hearID(PingOkID)
			}
			b.port.sent = slices.DeleteFunc(b.port.sent, func(s string) bool { return s == "PING" || s == "PING elsewhere" })
		}
		if held := k.holder == stateUUID; held != atSeed {
			t.Errorf("at the seed %t: held %t", atSeed, held)
		}
		if n := count(b.port.sent, "HELLO"); atSeed && n > 1 || !atSeed && n < 3 {
			t.Errorf("at the seed %t: %d HELLOs in 2 minutes", atSeed, n)
		}
		if len(b.port.events) > 0 {
			t.Errorf("events %q, want none", b.port.events)
		}
	}
}

// An answer may be lost: then the test is repeated, ever more rarely, until one comes.
func TestSeedPing_answersLost(t *testing.T) {
	b := newZREBench(t)
	b.z.sighted(b.now, stateUUID, stateOther)
	b.hello(stateOther)
	b.hearID(PingOkID)
	k := b.addSeed(stateEndpoint)
	b.port.forget()
	lost, tests := 4, []time.Duration{}
	for start := b.now; k.holder != stateUUID && b.now.Sub(start) < time.Minute; {
		b.pass(100 * time.Millisecond)
		b.hear(&ZreMsg{id: PingID}) // it is not silent, so nothing else pings it
		if slices.Contains(b.port.sent, "PING") {
			if tests = append(tests, b.now.Sub(start)); len(tests) > lost {
				b.hearID(PingOkID)
			}
		}
		b.port.forget()
	}
	if k.holder != stateUUID || len(tests) != lost+1 {
		t.Fatalf("held %t after tests at %v, want that it is when the one after %d is answered", k.holder == stateUUID, tests, lost)
	}
	for i := 2; i < len(tests); i++ {
		if before, after := tests[i-1]-tests[i-2], tests[i]-tests[i-1]; after <= before {
			t.Errorf("tests at %v, want them ever more rarely", tests)
		}
	}
}

// A newcomer does not wait for more than a few seeds, if none answers.
func TestSeedPing_many(t *testing.T) {
	b := newZREBench(t)
	for _, endpoint := range []string{"tcp://10.0.0.3:9", "tcp://10.0.0.4:9", "tcp://10.0.0.5:9", "tcp://10.0.0.6:9", "tcp://10.0.0.7:9"} {
		b.addSeed(endpoint)
	}
	b.hello(stateEndpoint)
	b.pass(maxSuspects*time.Second + 100*time.Millisecond)
	if !b.isEntered() || b.peer().endpoint != stateEndpoint {
		t.Errorf("entered %t, want that it has", b.isEntered())
	}
}

// With several seeds in question each is tested by itself.
func TestSeedPing_several(t *testing.T) {
	b := newZREBench(t)
	first, second := b.addSeed("tcp://10.0.0.7:9"), b.addSeed(stateEndpoint)
	b.hello(stateOther)
	if n := count(b.port.sent, "PING") + count(b.port.sent, "PING elsewhere"); n != 1 {
		t.Fatalf("%d pings at once, want 1: %q", n, b.port.sent)
	}
	b.pass(1200 * time.Millisecond)
	if count(b.port.sent, "PING") != 1 || count(b.port.sent, "PING elsewhere") != 1 {
		t.Fatalf("sent %q, want a ping to each", b.port.sent)
	}
	b.hearNumbered(2, &ZreMsg{id: PingOkID})
	if first.holder == stateUUID || second.holder != stateUUID || !b.isEntered() || b.peer().endpoint != stateEndpoint {
		t.Errorf("holders %v and %v, entered %t, want that it is at the second", first.holder, second.holder, b.isEntered())
	}
}

// openSeed makes a seed to which a connection stands.
func (b *zreBench) openSeed(endpoint string) *knownNode {
	k := b.addSeed(endpoint)
	b.pass(10 * time.Second)
	b.port.forget()
	b.port.moves = func() transport.Moved { return transport.Moved{Sent: 1} }
	return k
}

// Whoever may be at a seed is not connected to before that is known, even if nothing but its
// beacon has come.
func TestSeedPing_sighted(t *testing.T) {
	for _, c := range []struct {
		name     string
		tell     func(b *zreBench)
		sent     []string
		endpoint string // of the peer
	}{
		{"says HELLO and answers", func(b *zreBench) {
			b.hello(stateOther)
			b.z.sighted(b.now, stateUUID, stateOther)
			b.hearNumbered(2, &ZreMsg{id: PingOkID})
		}, []string{"PING"}, stateEndpoint},
		{"answers", func(b *zreBench) {
			b.hearNumbered(2, &ZreMsg{id: PingOkID})
			b.hello(stateOther)
			b.hearID(PingOkID)
		}, []string{"PING", "HELLO", "PING"}, stateEndpoint},
		{"says HELLO and does not answer", func(b *zreBench) {
			b.hello(stateOther)
			b.pass(1500 * time.Millisecond)
		}, []string{"PING", "HELLO elsewhere", "PING"}, stateOther},
		{"says nothing", func(b *zreBench) {
			b.pass(1500 * time.Millisecond)
			b.hello(stateOther)
		}, []string{"PING", "HELLO elsewhere"}, stateOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.openSeed(stateEndpoint)
			b.z.sighted(b.now, stateUUID, stateOther)
			c.tell(b)
			if !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("sent %q, want %q", b.port.sent, c.sent)
			}
			if p := b.peer(); p == nil || !p.isEntered() || p.endpoint != c.endpoint {
				t.Fatalf("peer %+v, want one that has entered at %s", p, c.endpoint)
			}
			if want := []string{"ENTER"}; !slices.Equal(b.port.events, want) {
				t.Errorf("events %q, want %q", b.port.events, want)
			}
		})
	}
}

// A peer that restarts its session because HELLO came to it at a seed goes on with that
// connection: HELLO on a fresh one would have it restart again.
func TestSeedPing_restart(t *testing.T) {
	b := newZREBench(t)
	b.z.sighted(b.now, stateUUID, stateOther)
	b.hello(stateOther)
	b.z.ping(b.now, b.peer())
	b.hearID(PingOkID)
	b.pass(2 * time.Second)
	k := b.addSeed(stateEndpoint)
	b.port.forget()
	b.hello(stateOther)
	b.hearNumbered(2, &ZreMsg{id: PingOkID})
	if p := b.peer(); p == nil || !p.isEntered() || p.endpoint != stateEndpoint || k.holder != stateUUID {
		t.Errorf("peer %+v, want one that has entered at the seed", p)
	}
	if want := []string{"PING"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent %q, want %q", b.port.sent, want)
	}
	if want := []string{"EXIT", "ENTER"}; !slices.Equal(b.port.events, want) {
		t.Errorf("events %q, want %q", b.port.events, want)
	}
}

// A peer that answers at the seed reads nothing more on the connection to where it has entered: HELLO
// goes there once more, and what was sent meanwhile counts as lost.
func TestSeedPing_replaced(t *testing.T) {
	for _, c := range []struct {
		sends   bool
		reasons []string // of EXITs
	}{
		{false, nil},
		{true, []string{ReasonLost}},
	} {
		b := newZREBench(t)
		b.z.sighted(b.now, stateUUID, stateOther)
		b.hello(stateOther)
		b.hearID(PingOkID)
		k := b.addSeed(stateEndpoint)
		if c.sends {
			b.z.join(b.now, "G")
		}
		for start := b.now; !slices.Contains(b.port.sent, "PING"); b.pass(100 * time.Millisecond) {
			if b.now.Sub(start) > 5*time.Second {
				t.Fatalf("sent %q, want PING", b.port.sent)
			}
		}
		b.port.forget()
		b.hearID(PingOkID)
		if k.holder != stateUUID || b.z.peers[seedUUID(stateEndpoint)] != nil {
			t.Errorf("sends %t: it is sought at the seed still", c.sends)
		}
		if !slices.Contains(b.port.sent, "HELLO elsewhere") {
			t.Errorf("sends %t: sent %q, want HELLO", c.sends, b.port.sent)
		}
		if !slices.Equal(b.port.reasons, c.reasons) {
			t.Errorf("sends %t: EXITs because %q, want %q", c.sends, b.port.reasons, c.reasons)
		}
	}
}
