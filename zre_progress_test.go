package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

func TestProgress_see(t *testing.T) {
	in := func(bytes uint64) transport.Moved { return transport.Moved{Received: bytes} }
	out := func(bytes uint64, waiting bool) transport.Moved {
		return transport.Moved{Sent: bytes, Waiting: waiting}
	}
	for _, c := range []struct {
		name  string
		looks []transport.Moved
		want  []bool
	}{
		{"the first look has nothing to compare", []transport.Moved{in(7)}, []bool{false}},
		{"nothing can be told", []transport.Moved{{}, {}, {}}, []bool{false, false, false}},
		{"bytes arrive", []transport.Moved{in(7), in(8), in(8), in(9)}, []bool{false, true, false, true}},
		{"another connection that has moved less", []transport.Moved{in(7), in(3), in(4)}, []bool{false, false, true}},
		{"bytes leave, and more wait", []transport.Moved{out(7, true), out(8, true), out(8, true)}, []bool{false, true, false}},
		{"only a ping leaves", []transport.Moved{out(7, false), out(17, false)}, []bool{false, false}},
		{"the last bytes leave", []transport.Moved{out(7, true), out(17, false), out(27, false)}, []bool{false, true, false}},
		{"the first bytes leave", []transport.Moved{out(7, false), out(17, true), out(18, true)}, []bool{false, false, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pr progress
			var got []bool
			start := time.Unix(1e9, 0)
			for i, look := range c.looks {
				now := start.Add(time.Duration(i) * time.Second)
				moved := pr.see(now, look)
				got = append(got, moved)
				if moved && !pr.movedBy.Equal(now.Add(-time.Second)) {
					t.Errorf("look %d: moved by %v, want the look before", i, pr.movedBy)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("see() = %v, want %v", got, c.want)
			}
		})
	}
}

func TestProgress_isAnswer(t *testing.T) {
	start := time.Unix(1e9, 0)
	before, after := start.Add(-time.Second), start.Add(time.Second)
	for _, c := range []struct {
		name string
		kind probeKind
		seen progress
		want bool
	}{
		{"nothing has moved", probeGoodbye, progress{}, false},
		{"bytes came before", probeGoodbye, progress{inAt: before}, false},
		{"bytes came", probeGoodbye, progress{inAt: after}, true},
		{"bytes went", probeGoodbye, progress{outAt: after}, true},
		{"bytes came from a peer whose endpoint is claimed", probeEndpoint, progress{inAt: after}, true},
		{"bytes went to an endpoint that is claimed", probeEndpoint, progress{outAt: after}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.seen.isAnswer(&probe{kind: c.kind, startedAt: start}); got != c.want {
				t.Errorf("isAnswer() = %t, want %t", got, c.want)
			}
		})
	}
}

// Flows that are a sign of life.
const (
	bytesCome = "bytes come"
	bytesGo   = "bytes go, and more wait"
)

// flows of bytes to or from a peer that says nothing.
var flows = map[string]func(i uint64) transport.Moved{
	bytesCome:                  func(i uint64) transport.Moved { return transport.Moved{Received: i} },
	bytesGo:                    func(i uint64) transport.Moved { return transport.Moved{Sent: i, Waiting: true} },
	"bytes go, and none wait":  func(i uint64) transport.Moved { return transport.Moved{Sent: i} },
	"bytes wait, and none go":  func(uint64) transport.Moved { return transport.Moved{Waiting: true} },
	"nothing moves":            func(uint64) transport.Moved { return transport.Moved{} },
	"it cannot be told at all": nil,
}

// isLife reports whether a flow is a sign of life.
func isLife(flow string) bool { return flow == bytesCome || flow == bytesGo }

// flow has bytes move each time that somebody looks.
func (b *zreBench) flow(name string) {
	b.port.moves = nil
	if next := flows[name]; next != nil {
		var looks uint64
		b.port.moves = func() transport.Moved { looks++; return next(looks) }
	}
}

// While bytes move, in whichever direction, a silent peer is not reported, and when they
// have come to an end it is, in time.
func TestProgress_presence(t *testing.T) {
	for name := range flows {
		for _, state := range []handshakeState{helloReturned, helloExchanged, helloConfirmed} { // in which it has entered
			t.Run(name+", "+state.String(), func(t *testing.T) {
				b := newZREBench(t)
				handshakeStates[state.String()](b)
				b.flow(name)
				b.port.forget()
				b.pass(5 * defaultExpired)
				if got := len(b.port.events) == 0; got != isLife(name) {
					t.Fatalf("events = %v, want some: %t", b.port.events, !isLife(name))
				}
				if !isLife(name) {
					return
				}
				if slices.Contains(b.port.sent, "HELLO") {
					t.Errorf("sent %v, want no HELLO", b.port.sent)
				}
				b.flow("nothing moves")
				b.pass(defaultExpired - 2*maxTickInterval)
				if got := b.port.events; !slices.Equal(got, []string{EventEvasive, EventSilent}) {
					t.Errorf("events before it expires = %v, want EVASIVE and SILENT", got)
				}
				b.pass(2 * maxTickInterval)
				if got := b.port.events; !slices.Equal(got, []string{EventEvasive, EventSilent, EventExit}) {
					t.Errorf("events after it expired = %v, want EVASIVE, SILENT and EXIT", got)
				}
			})
		}
	}
}

// A peer that was reported, and from which bytes come again, is reported again only after
// another silence.
func TestProgress_comesBack(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	b.port.forget()
	b.pass(2 * defaultSilent)
	b.flow(bytesCome)
	b.pass(2 * maxTickInterval)
	if got := b.peer().presence.state; got != presencePinged {
		t.Errorf("state = %s, want pinged", got)
	}
	b.pass(defaultExpired)
	if got := b.port.events; !slices.Equal(got, []string{EventEvasive, EventSilent}) {
		t.Errorf("events = %v, want EVASIVE and SILENT, once", got)
	}
	b.z.ping(b.now, b.peer())
	b.hearID(PingOkID)
	if got := b.peer(); got.presence.state != presenceAlive || got.progress.isWatched() {
		t.Errorf("after a PING-OK: state %s, watched: %t, want alive and not watched", got.presence.state, got.progress.isWatched())
	}
}

// A ping that waits behind a large message still confirms HELLO when it is answered.
func TestProgress_lateAnswer(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloReturned.String()](b)
	b.flow(bytesCome)
	b.pass(2 * defaultExpired)
	if b.hearID(PingOkID); b.peer().handshake.state != helloConfirmed {
		t.Errorf("handshake = %s after a late PING-OK, want confirmed", b.peer().handshake.state)
	}
}

// A probe goes on while bytes move, and fails when they no longer do. An identity probe and a
// removal end all the same.
func TestProgress_probe(t *testing.T) {
	for name := range flows {
		for kind := probeGoodbye; kind <= scheduledRemoval; kind++ {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				b := newZREBench(t)
				handshakeStates[helloExchanged.String()](b)
				b.flow(name)
				if kind == scheduledRemoval {
					b.z.scheduleRemoval(b.now, b.peer())
				} else {
					b.z.startProbe(b.now, b.peer(), probe{kind: kind, movedTo: stateElsewhere})
				}
				b.port.forget()
				pending := func() bool { return b.isEntered() && b.peer().probe.isPending() && b.peer().probe.kind == kind }
				goesOn := isLife(name) && kind != scheduledRemoval && kind != probeIdentity && (kind != probeEndpoint || name == bytesCome)
				b.pass(3 * maxVerifyTime)
				if pending() != goesOn {
					t.Fatalf("the probe goes on: %t, want %t", pending(), goesOn)
				}
				if !goesOn {
					return
				}
				b.flow("nothing moves")
				if b.pass(2 * maxVerifyTime); pending() {
					t.Error("the probe goes on although nothing moves any more")
				}
			})
		}
	}
}

// What the last look showed says nothing of the time since: a silence is judged when the next
// one has shown whether bytes have moved.
func TestProgress_oldLook(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(b *zreBench)
		until func(b *zreBench) time.Duration // when the silence would be judged
		event string
	}{
		{"silence", func(*zreBench) {}, func(b *zreBench) time.Duration { return b.z.timeouts.evasive + b.z.timeouts.answer() }, EventEvasive},
		{"probe", func(b *zreBench) { b.z.startProbe(b.now, b.peer(), probe{kind: probeGoodbye}) },
			func(b *zreBench) time.Duration { return b.z.timeouts.verify() }, EventExit},
	} {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moved %t", c.name, moved), func(t *testing.T) {
				b := newZREBench(t)
				b.hello(stateEndpoint)
				b.hearID(PingOkID)
				look := transport.Moved{Sent: 7, Waiting: true, At: b.now}
				b.port.moves = func() transport.Moved { return look }
				c.begin(b)
				b.port.forget()
				b.pass(c.until(b) + 500*time.Millisecond)
				if len(b.port.events) > 0 || b.peer() == nil {
					t.Fatalf("events %q before the look", b.port.events)
				}
				if look.At = b.now; moved {
					look.Sent++
				}
				b.pass(lookAgain)
				if got := slices.Contains(b.port.events, c.event); got == moved {
					t.Errorf("events %q after it, want %s: %t", b.port.events, c.event, !moved)
				}
			})
		}
	}
}

// What comes from a peer is known at once, however old the look at the rest is.
func TestProgress_bytesComeAfterOldLook(t *testing.T) {
	var pr progress
	start := time.Unix(1e9, 0)
	old, next := start.Add(-time.Second), start.Add(50*time.Millisecond)
	pr.see(start, transport.Moved{Received: 1, Sent: 1, Waiting: true, At: old})
	if moved := pr.see(next, transport.Moved{Received: 2, Sent: 1, Waiting: true, At: old}); !moved || !pr.movedBy.Equal(start) {
		t.Errorf("bytes came: moved %t by %v, want by %v", moved, pr.movedBy, start)
	}
	at := next.Add(10 * time.Millisecond)
	if moved := pr.see(next.Add(time.Second), transport.Moved{Received: 2, Sent: 2, Waiting: true, At: at}); !moved || !pr.movedBy.Equal(old) {
		t.Errorf("bytes went: moved %t by %v, want by %v", moved, pr.movedBy, old)
	}
	if seen := pr.seenUntil(next.Add(time.Second)); !seen.Equal(at) {
		t.Errorf("seen until %v, want %v", seen, at)
	}
}

// A peer with an expired timeout shorter than the time between looks stays while bytes go to it.
func TestProgress_expiredBeforeNextLook(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.hearID(PingOkID)
	b.z.timeouts.expired = time.Second / 2
	look := transport.Moved{Sent: 7, Waiting: true, At: b.now}
	b.port.moves = func() transport.Moved { return look }
	b.z.watchProgress(b.now, b.peer())
	for range 3 {
		b.now = b.now.Add(time.Second)
		look.Sent, look.At = look.Sent+1, b.now
		b.peer().spokeAt = b.now
		if b.z.checkPresence(b.now, b.peer()); b.peer() == nil {
			t.Fatalf("expired while bytes move: %q", b.port.reasons)
		}
	}
	b.now = b.now.Add(time.Second)
	look.At = b.now
	if b.z.checkPresence(b.now, b.peer()); b.peer() != nil {
		t.Error("stays though no bytes move any more")
	}
}
