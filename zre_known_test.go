package zyre

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// A known node is tried after longer and longer pauses, and soon again once it was here.
func TestKnownNode_retry(t *testing.T) {
	start := time.Unix(1e9, 0)
	k := newKnownNode(stateEndpoint, "", false)
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		if k.tried(start); k.next.Sub(start) != want {
			t.Errorf("next try after %v, want %v", k.next.Sub(start), want)
		}
	}
	k.entered(start)
	if k.tried(start); k.next.Sub(start) != knownNodeShortest {
		t.Errorf("next try after it was here: %v, want %v", k.next.Sub(start), knownNodeShortest)
	}
}

func TestKnown_add(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   *knownNode
		after    *knownNode
		endpoint string // that is known then
	}{
		{"new", nil, newKnownNode(stateEndpoint, "", false), stateEndpoint},
		{"elsewhere now", newKnownNode(stateEndpoint, "", false), newKnownNode(stateElsewhere, "", false), stateElsewhere},
		{"required after gossip", newKnownNode(stateEndpoint, "", false), newKnownNode(stateElsewhere, "", true), stateElsewhere},
		{"gossip after required", newKnownNode(stateEndpoint, "", true), newKnownNode(stateElsewhere, "", false), stateEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			if c.before != nil {
				b.z.addKnownNode(b.now, stateUUID, c.before)
			}
			b.z.addKnownNode(b.now, stateUUID, c.after)
			if got := b.z.known[stateUUID].endpoint; got != c.endpoint {
				t.Errorf("known at %s, want %s", got, c.endpoint)
			}
		})
	}
}

func TestKnown_limit(t *testing.T) {
	b := newZREBench(t)
	for i := range maxKnownNodes {
		b.z.known[numberedUUID(i)] = newKnownNode(stateEndpoint, "", false)
	}
	b.z.addKnownNode(b.now, stateUUID, newKnownNode(stateElsewhere, "", false))
	if len(b.z.known) != maxKnownNodes || b.z.counters.sightingsRefused != 1 {
		t.Errorf("known nodes = %d, refused %d, want %d, 1", len(b.z.known), b.z.counters.sightingsRefused, maxKnownNodes)
	}
}

// A known node whose peer was forgotten is tried again.
func TestKnown_triedAgain(t *testing.T) {
	b := newZREBench(t)
	b.z.addKnownNode(b.now, stateUUID, newKnownNode(stateEndpoint, "", true))
	b.pass(b.z.timeouts.expired - time.Second)
	b.port.forget()
	b.pass(2 * time.Second)
	if want := []string{"HELLO"}; !slices.Equal(b.port.sent, want) {
		t.Errorf("sent after the node did not answer: %q, want %q", b.port.sent, want)
	}
}

func TestKnown_ungossiped(t *testing.T) {
	for _, c := range []struct {
		name     string
		required bool
		entered  bool
		known    bool
		peer     bool
	}{
		{name: "of gossip"},
		{name: "of gossip, entered", entered: true, peer: true},
		{name: "required", required: true, known: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.addKnownNode(b.now, stateUUID, newKnownNode(stateEndpoint, "", c.required))
			if c.entered {
				b.hello(stateEndpoint)
			}
			b.z.ungossiped(stateUUID)
			if known, peer := b.z.known[stateUUID] != nil, b.peer() != nil; known != c.known || peer != c.peer {
				t.Errorf("known %t, peer %t, want %t, %t", known, peer, c.known, c.peer)
			}
		})
	}
}

func TestKnown_gossiped(t *testing.T) {
	for _, c := range []struct {
		name, endpoint string
		uuid           [16]byte
		known          int
	}{
		{"an address", stateEndpoint, stateUUID, 1},
		{"a host name", stateUnresolved, stateUUID, 1},
		{"this host", "tcp://127.0.0.1:9", stateUUID, 0},
		{"no endpoint", "", stateUUID, 0},
		{"ourselves", stateEndpoint, [16]byte{1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.gossiped(b.now, c.uuid, c.endpoint, "")
			if got := len(b.z.known); got != c.known {
				t.Errorf("known nodes = %d, want %d", got, c.known)
			}
		})
	}
}

// A host name is looked up elsewhere; the answer is a sighting.
func TestKnown_resolved(t *testing.T) {
	for _, c := range []struct {
		name    string
		numeric []string
		err     error
		sent    []string
	}{
		{"found", []string{stateEndpoint, stateElsewhere}, nil, []string{"HELLO"}},
		{"not found", nil, errors.New("no such host"), nil},
		{"no address", nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.resolveAndConnect(b.now, stateUUID, stateUnresolved, "")
			if want := []string{stateUnresolved}; !slices.Equal(b.port.lookups, want) {
				t.Errorf("looked up %q, want %q", b.port.lookups, want)
			}
			b.z.resolved(b.now, stateUnresolved, c.numeric, c.err)
			if !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("sent = %q, want %q", b.port.sent, c.sent)
			}
		})
	}
}

// An answer that nobody waits for is no sighting.
func TestKnown_resolvedUnasked(t *testing.T) {
	b := newZREBench(t)
	b.z.resolved(b.now, stateUnresolved, []string{stateEndpoint}, nil)
	if len(b.z.peers) != 0 {
		t.Errorf("peers = %d, want 0", len(b.z.peers))
	}
}
