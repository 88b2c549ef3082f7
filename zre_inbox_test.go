package zyre

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// How long a pause makes silence mean nothing.
func TestInbox_grace(t *testing.T) {
	const batch, strangers = 5, 10
	for _, c := range []struct {
		name string
		then func(b *zreBench)
		want bool
	}{
		{"paused", func(*zreBench) {}, true},
		{"read as much as a batch", func(b *zreBench) { b.read(batch) }, true},
		{"read two messages for each peer and a batch", func(b *zreBench) { b.read(2 + batch) }, false},
		{"as many of strangers", func(b *zreBench) { b.readFrom(otherUUID, 2+batch) }, true},
		{"of strangers so many that each of them and all peers had two turns", func(b *zreBench) { b.readFrom(otherUUID, 2+batch+2*strangers) }, false},
		{"as many under the peer's UUID on another connection", func(b *zreBench) {
			for range 2 + batch {
				b.z.inboxRead(b.now, append([]byte{2}, stateUUID[:]...))
			}
		}, true},
		{"nothing is left", func(b *zreBench) { b.z.inboxDrained(b.now) }, false},
		{"something is left", func(b *zreBench) { b.z.inboxBacklogged() }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.z.inboxPaused(b.now, batch, strangers)
			c.then(b)
			if got := b.z.inbox.isGrace(); got != c.want {
				t.Errorf("isGrace = %t, want %t", got, c.want)
			}
		})
	}
}

// read has the node read some messages of the peer from its inbox, which it has heard before.
func (b *zreBench) read(messages int) { b.readFrom(stateUUID, messages) }

func (b *zreBench) readFrom(uuid [16]byte, messages int) {
	for range messages {
		b.z.inboxRead(b.now, appendIdentity(nil, uuid))
	}
}

// A second pause does not make the first one longer.
func TestInbox_graceDoesNotGrow(t *testing.T) {
	b := newZREBench(t)
	b.z.inboxPaused(b.now, 5, 0)
	b.read(1)
	before := b.z.inbox.grace
	b.z.inboxPaused(b.now, 5, 0)
	if b.z.inbox.grace != before {
		t.Errorf("grace = %d, want %d", b.z.inbox.grace, before)
	}
}

// Nobody is reported or removed while silence means nothing, but all are pinged.
func TestInbox_silenceDuringGrace(t *testing.T) {
	for _, state := range []handshakeState{helloSent, helloReturned, helloExchanged, helloConfirmed} {
		t.Run(state.String(), func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[state.String()](b)
			b.z.inboxPaused(b.now, 5, 0)
			b.port.forget()
			b.pass(10 * b.z.timeouts.expired)
			if b.peer() == nil || len(b.port.events) != 0 {
				t.Errorf("peer %v, events %q, want one, and none", b.peer(), b.port.events)
			}
			if !slices.Contains(b.port.sent, "PING") {
				t.Errorf("sent %q, want PINGs", b.port.sent)
			}
		})
	}
}

// Who was silent all along is removed as soon as silence means something again.
func TestInbox_silenceAfterGrace(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	b.z.inboxPaused(b.now, 5, 0)
	b.pass(2 * b.z.timeouts.expired)
	b.read(7)
	if b.peer() != nil {
		t.Error("a dead peer is still there after grace")
	}
}

// Who was heard in the grace is not judged by how long it took the application to come to that:
// it may have been that peer's last turn before the end, and the next is still to come.
func TestInbox_heardInGrace(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	b.port.forget()
	b.z.inboxPaused(b.now, 5, 0)
	b.pass(time.Second)
	b.hearID(PingID)
	for range 2 {
		b.pass(2 * b.z.timeouts.expired)
		if !b.isEntered() || len(b.port.events) != 0 {
			t.Fatalf("entered %t, events %q; want true, and none", b.isEntered(), b.port.events)
		}
		b.read(7)
		if b.isEntered() {
			b.z.inboxPaused(b.now, 5, 0)
		}
	}
	if b.isEntered() {
		t.Error("stays though nothing was heard in the second grace, want EXIT")
	}
}

// A peer in the middle of a large message, which it has been sending for longer than all
// timeouts while this node did not read, is not reported when the grace ends.
func TestInbox_bytesMoveDuringGrace(t *testing.T) {
	for _, ticks := range []bool{true, false} {
		for _, name := range []string{bytesCome, bytesGo} {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.flow(name)
			b.port.forget()
			b.z.inboxPaused(b.now, 5, 0)
			if ticks {
				b.pass(2 * b.z.timeouts.expired)
			} else {
				b.z.ping(b.now, b.peer())
				b.now = b.now.Add(2 * b.z.timeouts.expired)
			}
			b.read(7)
			b.pass(2 * b.z.timeouts.expired)
			if len(b.port.events) != 0 {
				t.Errorf("%s, ticks %t: events %q, want none", name, ticks, b.port.events)
			}
		}
	}
}

// Goodbyes that overtook messages are looked into once the inbox is empty, each once.
func TestInbox_goodbyes(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(b *zreBench)
		gone bool
	}{
		{"the peer says nothing", func(b *zreBench) { b.pass(b.z.timeouts.verify()) }, true},
		{"the peer says something", func(b *zreBench) { b.hearID(PingID); b.pass(time.Second) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.z.inboxBacklogged()
			for range 3 {
				b.z.goodbye(b.now, stateUUID, "")
			}
			if !b.peer().goodbyeWaits {
				t.Error("the goodbye is not kept")
			}
			b.port.forget()
			b.z.inboxDrained(b.now)
			b.z.inboxDrained(b.now)
			if got := count(b.port.sent, "PING"); got != 1 {
				t.Errorf("%d PINGs, want 1", got)
			}
			c.then(b)
			gone := b.peer() == nil
			if gone != c.gone || b.z.inbox.goodbyes || !gone && b.peer().goodbyeWaits {
				t.Errorf("gone %t, goodbyes left %t, want %t, false", gone, b.z.inbox.goodbyes, c.gone)
			}
		})
	}
}

// A goodbye beacon that waits goes with its peer: the same node heard of again is another peer.
func TestInbox_goodbyeGoesWithPeer(t *testing.T) {
	for _, state := range []handshakeState{helloHeld, helloSent, helloConfirmed} {
		b := newZREBench(t)
		handshakeStates[state.String()](b)
		b.z.inboxBacklogged()
		b.z.goodbye(b.now, stateUUID, "")
		b.z.removePeer(b.now, b.peer(), ReasonFailed)
		b.z.sighted(b.now, stateUUID, stateEndpoint)
		b.z.inboxDrained(b.now)
		if b.peer() == nil {
			t.Errorf("%s: the goodbye of before ends a peer that was sighted since", state)
		}
	}
}

// A goodbye beacon that overtakes the peer's HELLO in the inbox is not forgotten: the peer
// enters, and exits as soon as a ping shows that it is gone.
func TestInbox_goodbyeBeforeHello(t *testing.T) {
	b := newZREBench(t)
	b.z.sighted(b.now, stateUUID, stateEndpoint)
	b.z.inboxBacklogged()
	b.z.goodbye(b.now, stateUUID, "")
	b.hello(stateEndpoint)
	b.z.inboxDrained(b.now)
	b.pass(b.z.timeouts.evasive)
	if got := strings.Join(b.port.events, " "); got != "ENTER EXIT" || b.peer() != nil {
		t.Errorf("events %s, peer %v, want ENTER EXIT, and none", got, b.peer())
	}
}
