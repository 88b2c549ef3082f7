package zyre

import (
	"testing"
	"time"
)

// EXIT outweighs HELLO again, and what came first outweighs its like.
func TestProbe_outranks(t *testing.T) {
	for _, c := range []struct {
		pending *probe
		other   probeKind
		want    bool
	}{
		{nil, probeGoodbye, false},
		{nil, probeHello, false},
		{&probe{kind: probeGoodbye}, probeMoved, true},
		{&probe{kind: probeGoodbye}, probeHello, true},
		{&probe{kind: probeHello}, probeGoodbye, false},
		{&probe{kind: probeHello}, probeIdentity, true},
		{&probe{kind: scheduledRemoval}, probeGoodbye, true},
		{&probe{kind: scheduledRemoval}, probeHello, true},
	} {
		t.Run(c.pending.String()+" and "+c.other.String(), func(t *testing.T) {
			if got := c.pending.outranks(c.other); got != c.want {
				t.Errorf("outranks = %t, want %t", got, c.want)
			}
		})
	}
}

func TestProbeKind(t *testing.T) {
	for _, c := range []struct {
		kind         probeKind
		reason       string
		resendsHello bool
	}{
		{probeGoodbye, ReasonGoodbye, false},
		{probeEndpoint, ReasonReplaced, false},
		{probeMoved, ReasonMoved, false},
		{probeHello, ReasonNoHello, true},
		{probeIdentity, ReasonIdentity, true},
		{scheduledRemoval, ReasonFailed, false},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			if r, h := c.kind.exitReason(), c.kind.resendsHello(); r != c.reason || h != c.resendsHello {
				t.Errorf("exitReason, resendsHello = %q, %t, want %q, %t", r, h, c.reason, c.resendsHello)
			}
		})
	}
}

func TestProbe_shift(t *testing.T) {
	deadline := time.Unix(1e9, 0)
	pr := &probe{kind: probeGoodbye, deadline: deadline}
	if pr.shift(time.Hour); !pr.deadline.Equal(deadline.Add(time.Hour)) {
		t.Errorf("deadline = %v, want %v", pr.deadline, deadline.Add(time.Hour))
	}
	pr = nil
	pr.shift(time.Hour) // there is nothing to put off
}

// A sign of life ends every probe but one: a connection that failed stays failed.
func TestProbe_endedBySignOfLife(t *testing.T) {
	for kind := probeGoodbye; kind <= scheduledRemoval; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.peer().probe = &probe{kind: kind, deadline: b.now.Add(time.Second)}
			b.hearID(PingID)
			if got, want := b.peer().probe.isPending(), kind == scheduledRemoval; got != want {
				t.Errorf("the probe goes on: %t, want %t", got, want)
			}
		})
	}
}

// A probe that may mean HELLO again waits longer on a slow network.
func TestProbe_deadline(t *testing.T) {
	for _, c := range []struct {
		kind probeKind
		want time.Duration
	}{{probeGoodbye, time.Second}, {probeHello, 6 * time.Second}} {
		t.Run(c.kind.String(), func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.peer().handshake.roundTrip = 3 * time.Second
			b.z.startProbe(b.now, b.peer(), probe{kind: c.kind})
			if got := b.peer().probe.deadline.Sub(b.now); got != c.want {
				t.Errorf("deadline after %v, want %v", got, c.want)
			}
		})
	}
}

// A node without a network goes on asking for its peers, but they expire.
func TestProbe_cutOffPeerExpires(t *testing.T) {
	b := newZREBench(t)
	b.hello("tcp://10.0.0.9:9")
	b.z.location.links = nil
	b.z.startProbe(b.now, b.peer(), probe{kind: probeHello})
	start := b.now
	for b.peer() != nil && b.now.Sub(start) < 2*defaultExpired {
		b.now = b.z.tickAt
		b.z.advance(b.now)
	}
	if took := b.now.Sub(start); took < defaultExpired || took > defaultExpired+2*time.Second {
		t.Errorf("the peer was removed after %v, want %v", took, defaultExpired)
	}
}

// What a beacon may have caused, on a secure network, gives the peer time for three pings of its
// own, one in each second: while its application is stalled it answers none.
func TestProbe_stalledPeer(t *testing.T) {
	b, key := newSecureBench(t)
	b.z.sightedWithKey(b.now, stateUUID, stateEndpoint, key)
	b.helloWithKey(stateEndpoint, key)
	sequence := uint16(1)
	hear := func(id uint8) {
		sequence++
		packet := packetOf(t, stateUUID, sequence, NewZreMsg(id))
		packet.UserID = key
		b.z.receive(b.now, &packet)
	}
	hear(PingOkID)
	for i := range 40 {
		b.z.goodbye(b.now, stateUUID, key)
		b.pass(100 * time.Millisecond)
		if i%11 == 10 {
			hear(PingID) // late by a tenth of a second each time
		}
	}
	if p := b.peer(); p == nil || !p.isEntered() {
		t.Errorf("the peer has exited: %q", b.port.reasons)
	}
	b.pass(beaconProbeTimes * maxVerifyTime)
	if p := b.peer(); p != nil && p.isEntered() {
		t.Error("a peer that says nothing any more is still there")
	}
}
