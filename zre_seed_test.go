package zyre

import (
	"slices"
	"testing"
	"time"
)

// addSeed has the application require whoever is at an endpoint.
func (b *zreBench) addSeed(endpoint string) *knownNode {
	r := requiredPeer{uuid: seedUUID(endpoint), endpoint: endpoint, seed: true}
	b.z.addKnownNode(b.now, r.uuid, r.known())
	return b.z.known[r.uuid]
}

// Whoever answers at a seed's endpoint enters, on the connection that HELLO went out on.
func TestSeed_answered(t *testing.T) {
	for _, c := range []struct {
		name string
		tell func(b *zreBench)
		sent []string // HELLOs
	}{
		{"by HELLO", func(b *zreBench) { b.hello(stateEndpoint) }, []string{"HELLO"}},
		{"by a beacon, and HELLO", func(b *zreBench) {
			b.z.sighted(b.now, stateUUID, stateEndpoint)
			b.hello(stateEndpoint)
		}, []string{"HELLO"}},
		{"after a beacon", func(b *zreBench) {
			b.hello(stateEndpoint)
			b.z.sighted(b.now, stateUUID, stateEndpoint)
		}, []string{"HELLO"}},
		{"from elsewhere", func(b *zreBench) { b.hello(stateElsewhere) }, []string{"HELLO", "HELLO elsewhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.addSeed(stateEndpoint)
			c.tell(b)
			if !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("sent %q, want %q", b.port.sent, c.sent)
			}
			if want := []string{"ENTER"}; !slices.Equal(b.port.events, want) || !b.isEntered() {
				t.Errorf("events %q, entered %t, want %q, true", b.port.events, b.isEntered(), want)
			}
		})
	}
}

// Nobody is met a second time at an endpoint at which a peer is already.
func TestSeed_peerIsThere(t *testing.T) {
	for _, entered := range []bool{false, true} {
		b := newZREBench(t)
		b.z.sighted(b.now, stateUUID, stateEndpoint)
		if entered {
			b.hello(stateEndpoint)
		}
		b.addSeed(stateEndpoint)
		for range 40 { // it answers every ping
			b.pass(time.Second)
			if entered {
				b.hearID(PingOkID)
			}
			if n := count(b.port.sent, "HELLO"); n > 1 && b.now.Sub(time.Unix(1e9, 0)) < defaultExpired {
				t.Fatalf("entered %t: %d HELLOs after %v, want 1", entered, n, b.now.Sub(time.Unix(1e9, 0)))
			}
		}
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// When the peer has gone, the next one at the endpoint is met: it has another UUID.
func TestSeed_nextOne(t *testing.T) {
	b := newZREBench(t)
	k := b.addSeed(stateEndpoint)
	b.hello(stateEndpoint)
	b.pass(2 * time.Second)
	b.hearID(GoodbyeID)
	b.port.forget()
	b.pass(2 * time.Second)
	if want := []string{"HELLO"}; !slices.Equal(b.port.sent, want) {
		t.Fatalf("sent after EXIT: %q, want %q", b.port.sent, want)
	}
	next := [16]byte{8}
	packet := packetOf(t, next, 1, simHello(stateEndpoint))
	b.z.receive(b.now, &packet)
	if p := b.z.peers[next]; p == nil || !p.isEntered() || k.holder != next {
		t.Errorf("the next node at the endpoint has not entered")
	}
}

// A node of its own process, or one that uses the UUID that stands for the seed, in a HELLO or
// in a beacon, does no harm: whoever is there is found all the same.
func TestSeed_oddAnswers(t *testing.T) {
	b := newZREBench(t)
	b.addSeed("tcp://10.0.0.1:1000") // our own
	if len(b.port.sent) != 0 {
		t.Errorf("sent %q to our own endpoint, want nothing", b.port.sent)
	}
	k := b.addSeed(stateEndpoint)
	packet := packetOf(t, seedUUID(stateEndpoint), 1, simHello(stateEndpoint))
	b.z.receive(b.now, &packet)
	b.z.sightedByBeacon(b.now, seedUUID(stateEndpoint), "tcp://10.0.0.66:1", "")
	if p := b.z.peers[seedUUID(stateEndpoint)]; p == nil || p.isEntered() || p.endpoint != stateEndpoint {
		t.Errorf("the peer that stands for the seed is %+v, want it as it was", p)
	}
	b.hello(stateEndpoint)
	if p := b.z.seedPeer(seedUUID(stateEndpoint), k); p == nil || p.uuid != stateUUID || !p.isEntered() {
		t.Errorf("at the seed is %+v, want the node that is there", p)
	}
}

// Whoever is at a seed enters once and stays, with beacons and without, and so do two nodes
// that name each other.
func TestSeed_simulated(t *testing.T) {
	for _, both := range []bool{false, true} {
		s := newSim(t, 1)
		require := func(endpoint string) func(cfg *config, site *simSite) {
			return func(cfg *config, site *simSite) {
				site.silent = true
				if endpoint != "" {
					cfg.require(requiredPeer{uuid: seedUUID(endpoint), endpoint: endpoint, seed: true})
				}
			}
		}
		a := s.node(require(""))
		b := s.node(require(a.endpoint))
		if both {
			a.do(command{kind: cmdTake, news: func(now time.Time) {
				r := requiredPeer{uuid: seedUUID(b.endpoint), endpoint: b.endpoint, seed: true}
				a.n.zre.addKnownNode(now, r.uuid, r.known())
			}})
		}
		s.run(2 * time.Minute)
		for _, h := range []*simNode{a, b} {
			if len(h.history) != 1 || len(h.sees()) != 1 {
				t.Errorf("both %t: history %q, want one ENTER", both, h.history)
			}
		}
	}
}
