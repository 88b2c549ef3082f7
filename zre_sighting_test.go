package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// A newcomer that claims the endpoint of a peer waits until the peer has shown whether it
// lives.
func TestSighting_claim(t *testing.T) {
	newcomer := [16]byte{8}
	byBeacon := func(b *zreBench) { b.z.sighted(b.now, newcomer, stateEndpoint) }
	byHello := func(b *zreBench) {
		packet := packetOf(b.t, newcomer, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
		b.z.receive(b.now, &packet)
	}
	silence := func(b *zreBench) { b.pass(b.z.timeouts.verify()) }
	answer := func(b *zreBench) { b.hearID(PingOkID); b.pass(b.z.timeouts.verify()) }
	for _, c := range []struct {
		name       string
		claim      func(b *zreBench)
		holderDoes func(b *zreBench)
		events     []string
		sent       []string
		state      handshakeState // of the newcomer
	}{
		{"by HELLO, the holder is dead", byHello, silence, []string{EventExit, EventEnter}, []string{"PING", "HELLO"}, helloReturned},
		{"by HELLO, the holder lives", byHello, answer, nil, []string{"PING"}, helloHeld},
		{"by beacon, the holder is dead", byBeacon, silence, []string{EventExit}, []string{"PING", "HELLO"}, helloSent},
		{"by beacon, the holder lives", byBeacon, answer, nil, []string{"PING"}, helloHeld},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloConfirmed.String()](b)
			b.port.forget()
			c.claim(b)
			c.holderDoes(b)
			if !slices.Equal(b.port.events, c.events) || !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("events %q, sent %q, want %q, %q", b.port.events, b.port.sent, c.events, c.sent)
			}
			if p := b.z.peers[newcomer]; p == nil || p.handshake.state != c.state {
				t.Errorf("newcomer: %v, want state %s", p, c.state)
			}
		})
	}
}

// A claimant that speaks behind its HELLO has a HELLO of ours, which it can only have got in
// the place of the holder. If the holder never took that, the claimant enters at once, and
// what it says is not lost.
func TestSighting_claimantSpeaks(t *testing.T) {
	newcomer := [16]byte{8}
	for _, c := range []struct {
		name     string
		holder   handshakeState
		sequence uint16
		answers  bool // the holder answers the probe
		events   []string
	}{
		{"the holder has answered our HELLO", helloConfirmed, 2, false, nil},
		{"the holder said HELLO first", helloReturned, 2, false, []string{EventExit, EventEnter, EventWhisper}},
		{"the holder's HELLO came after ours", helloExchanged, 2, false, []string{EventExit, EventEnter, EventWhisper}},
		{"the holder answers", helloExchanged, 2, true, nil},
		{"messages of the claimant are missing", helloReturned, 3, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[c.holder.String()](b)
			b.port.forget()
			hello := packetOf(b.t, newcomer, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
			b.z.receive(b.now, &hello)
			if c.answers {
				b.hearID(PingOkID)
			}
			whisper := packetOf(b.t, newcomer, c.sequence, NewZreMsg(WhisperID))
			b.z.receive(b.now, &whisper)
			if !slices.Equal(b.port.events, c.events) {
				t.Errorf("events %q, want %q", b.port.events, c.events)
			}
		})
	}
}

// A claimant that says nothing for long may be gone as well.
func TestSighting_oldClaim(t *testing.T) {
	b := newZREBench(t)
	handshakeStates[helloConfirmed.String()](b)
	newcomer := [16]byte{8}
	b.z.sighted(b.now, newcomer, stateEndpoint)
	b.hearID(PingOkID)
	b.pass(b.z.timeouts.expired - time.Second)
	b.hearID(GoodbyeID)
	if b.z.peers[newcomer] != nil {
		t.Error("the claimant is still there, want it forgotten")
	}
}

// Sightings of ourselves are counted, and no more.
func TestSighting_own(t *testing.T) {
	for _, c := range []struct {
		name     string
		uuid     [16]byte
		endpoint string
	}{
		{"our UUID", [16]byte{1}, stateEndpoint},
		{"our endpoint", stateUUID, "tcp://10.0.0.1:1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.sighted(b.now, c.uuid, c.endpoint)
			if len(b.z.peers) != 0 || b.z.counters.ownBeacons != 1 {
				t.Errorf("peers = %d, own beacons = %d, want 0, 1", len(b.z.peers), b.z.counters.ownBeacons)
			}
		})
	}
}

// Forged beacons with the UUID and key of a secure node, from whatever port of another host,
// do not keep the true ones from being acted on at once.
func TestSighting_forgedSecureBeacons(t *testing.T) {
	const forger, honest = "tcp://10.0.0.66:%d", stateEndpoint
	b, key := newSecureBench(t)
	for i := range 3000 {
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf(forger, 1000+i), key)
		b.pass(time.Millisecond / 3)
	}
	dialled := len(b.port.sent)
	if dialled > 3 {
		t.Errorf("a second of forged beacons from one host: %d HELLOs, want at most 3", dialled)
	}
	b.port.forget()
	b.z.sightedWithKey(b.now, stateUUID, honest, key)
	if want := []string{"HELLO"}; !slices.Equal(b.port.sent, want) {
		t.Fatalf("a true beacon among forged ones: sent %q, want %q", b.port.sent, want)
	}
	turns := 0 // of the true endpoint, of a second each
	for i := range 30_000 {
		if i%3000 == 1500 {
			b.z.sightedWithKey(b.now, stateUUID, honest, key)
		}
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf(forger, 1000+i), key)
		b.pass(time.Millisecond / 3)
		p := b.peer()
		if i == 1000 && p.endpoint != honest {
			t.Errorf("a third of a second later the node is connected to %s, want %s: the peer has a second to answer", p.endpoint, honest)
		}
		if p.endpoint == honest && b.now.Sub(p.handshake.sentAt) >= 990*time.Millisecond && b.now.Sub(p.handshake.sentAt) < 990*time.Millisecond+time.Second/3000 {
			turns++
		}
	}
	if turns < 3 {
		t.Errorf("%d turns of the true endpoint in 10 s, want at least 3", turns)
	}
	for i := range 100 { // however many hosts are forged, what is remembered is bounded
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf("tcp://10.0.0.%d:9", i), key)
		b.pass(2 * time.Second)
		if p := b.peer(); p != nil && len(p.triedAt) > maxTriedHosts {
			t.Fatalf("%d hosts are remembered, want at most %d", len(p.triedAt), maxTriedHosts)
		}
	}
}

// Beacons that name one node after the other at an endpoint have this node connect there once in a
// second, but to one that has a HELLO to say, or that the application requires, at once.
func TestSighted_endpointStay(t *testing.T) {
	b := newZREBench(t)
	for i := range 100 {
		b.z.sighted(b.now, numberedUUID(i), stateElsewhere)
	}
	if len(b.z.peers) != 1 || b.z.peers[numberedUUID(0)] == nil || b.z.counters.sightingsRefused != 99 {
		t.Errorf("%d peers, %d sightings refused; want the first, 99", len(b.z.peers), b.z.counters.sightingsRefused)
	}
	b.z.known[numberedUUID(100)] = newKnownNode(stateElsewhere, "", true)
	if b.z.sighted(b.now, numberedUUID(100), stateElsewhere); b.z.peers[numberedUUID(100)] == nil {
		t.Error("a required peer is not met")
	}
	b.pass(endpointStay)
	if b.z.sighted(b.now, numberedUUID(101), stateElsewhere); b.z.peers[numberedUUID(101)] == nil {
		t.Errorf("another node is not met %v later", endpointStay)
	}
}

// Under CURVE a forged beacon does not keep the true one waiting: nobody there has the key in it.
func TestSighted_endpointStay_otherKey(t *testing.T) {
	b, key := newSecureBench(t)
	b.z.sightedWithKey(b.now, numberedUUID(1), stateElsewhere, transport.Z85FromRaw([32]byte{8}))
	b.z.sightedWithKey(b.now, numberedUUID(2), stateElsewhere, key)
	if b.z.peers[numberedUUID(2)] == nil {
		t.Error("the second node, under another key, is not met")
	}
	if b.z.sightedWithKey(b.now, numberedUUID(3), stateElsewhere, key); b.z.peers[numberedUUID(3)] != nil {
		t.Error("a third under the key of the second is met at once")
	}
}

// A node that only beacons have named, and that is not there, is tried for a time after the last of
// them. One that is there, or that gossip or the application names, or that was heard, has as long
// as others to say HELLO.
func TestSighted_sightingTime(t *testing.T) {
	beacon := func(b *zreBench) { b.z.sighted(b.now, stateUUID, stateEndpoint) }
	for name, c := range map[string]struct {
		interval  time.Duration
		connected bool
		meet      func(b *zreBench)
		want      time.Duration // for how long it is tried
	}{
		"one beacon": {meet: beacon, want: minSightingTime},
		"three beacons": {meet: func(b *zreBench) {
			for range 2 {
				beacon(b)
				b.pass(time.Second)
			}
			beacon(b)
		}, want: 2*time.Second + minSightingTime},
		"a beacon that names another endpoint": {meet: func(b *zreBench) {
			beacon(b)
			b.pass(2 * time.Second)
			b.z.sighted(b.now, stateUUID, stateElsewhere)
		}, want: 2*time.Second + minSightingTime},
		"one beacon, where beacons are rare": {interval: 4 * time.Second, meet: beacon, want: sightingIntervals * 4 * time.Second},
		"one beacon, and it is there":        {connected: true, meet: beacon, want: defaultExpired},
		"gossip":                             {meet: func(b *zreBench) { b.z.gossiped(b.now, stateUUID, stateEndpoint, "", "hub") }, want: defaultExpired},
		"gossip after a beacon": {meet: func(b *zreBench) {
			beacon(b)
			b.z.gossiped(b.now, stateUUID, stateEndpoint, "", "hub")
		}, want: defaultExpired},
		"a beacon at a seed": {meet: func(b *zreBench) {
			b.addSeed(stateEndpoint)
			beacon(b)
		}, want: defaultExpired},
		"a beacon of another node at a seed": {meet: func(b *zreBench) {
			b.addSeed(stateEndpoint)
			b.z.sighted(b.now, otherUUID, stateEndpoint)
			b.pass(endpointStay)
			beacon(b)
		}, want: endpointStay + defaultExpired},
		"a message of one that is not known": {meet: func(b *zreBench) {
			b.hello(stateEndpoint)
			b.hearAfterGap(NewZreMsg(WhisperID), 1)
		}, want: defaultExpired},
	} {
		t.Run(name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.sightingTime = max(minSightingTime, sightingIntervals*c.interval)
			b.port.moves = func() transport.Moved { return transport.Moved{Broken: !c.connected} }
			start := b.now
			c.meet(b)
			p := b.peer()
			for p != nil && b.peer() == p && b.now.Sub(start) < 2*defaultExpired {
				b.pass(time.Second)
			}
			if took := b.now.Sub(start); took != c.want {
				t.Errorf("tried for %v, want %v", took, c.want)
			}
		})
	}
}

// No sighting takes the place of a peer that has said HELLO with the proof of its key.
func TestSighted_proofHolds(t *testing.T) {
	for name, sight := range map[string]func(b *zreBench, key string){
		"under another key": func(b *zreBench, _ string) {
			b.z.sightedByBeacon(b.now, numberedUUID(9), stateEndpoint, transport.Z85FromRaw([32]byte{9}))
		},
		"under its key": func(b *zreBench, key string) { b.z.sightedByBeacon(b.now, numberedUUID(9), stateEndpoint, key) },
		"of one that was not found elsewhere": func(b *zreBench, key string) {
			b.z.peers[numberedUUID(9)] = b.z.newPeer(numberedUUID(9), "", b.now)
			b.z.peers[numberedUUID(9)].key = key
			b.z.sightedByBeacon(b.now, numberedUUID(9), stateEndpoint, key)
		},
	} {
		b, key := newSecureBench(t)
		b.z.sightedWithKey(b.now, stateUUID, stateEndpoint, key)
		b.helloWithKey(stateEndpoint, key)
		if p := b.peer(); p.handshake.state != helloUnconfirmed {
			t.Fatalf("the peer is in %v, want unconfirmed", p.handshake.state)
		}
		b.pass(2 * endpointStay)
		if sight(b, key); b.peer() == nil {
			t.Errorf("a sighting %s has taken the place of a peer that has proven its key", name)
		}
	}
}
