package zyre

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
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
			b.z.gossiped(b.now, c.uuid, c.endpoint, "", "hub")
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
			b.z.resolveAndConnect(b.now, stateUnresolved, lookup{uuid: stateUUID})
			if want := []string{stateUnresolved}; !slices.Equal(b.port.lookups, want) {
				t.Errorf("looked up %q, want %q", b.port.lookups, want)
			}
			b.z.resolved(b.now, lookupKey{stateUnresolved, false}, c.numeric, c.err)
			if !slices.Equal(b.port.sent, c.sent) {
				t.Errorf("sent = %q, want %q", b.port.sent, c.sent)
			}
		})
	}
}

// An answer that nobody waits for is no sighting.
func TestKnown_resolvedUnasked(t *testing.T) {
	b := newZREBench(t)
	b.z.resolved(b.now, lookupKey{stateUnresolved, false}, []string{stateEndpoint}, nil)
	if len(b.z.peers) != 0 {
		t.Errorf("peers = %d, want 0", len(b.z.peers))
	}
}

// lookupPort notes what is to be looked up. The test gives the answers.
type lookupPort struct {
	port
	asked []string
}

func (l *lookupPort) resolve(endpoint string, _ lookup) bool {
	l.asked = append(l.asked, endpoint)
	return true
}

// lookupNode makes a node whose look-ups a test answers.
func lookupNode(t *testing.T) (*sim, *simNode, *lookupPort) {
	s := newSim(t, 1)
	a := s.node(nil)
	l := &lookupPort{port: a.n.zre.port}
	a.n.zre.port = l
	return s, a, l
}

const somewhere = "tcp://somewhere:9"

// A node that is known by a host name is tried at each of its addresses in turn, and at
// those that the name has by then.
func TestZRE_resolved_turns(t *testing.T) {
	s, a, l := lookupNode(t)
	uuid := [16]byte{1}
	a.n.zre.addKnownNode(s.now, uuid, newKnownNode(somewhere, "", true))
	for i, want := range []string{"tcp://10.0.0.8:9", "tcp://10.0.0.9:9", "tcp://10.0.0.8:9"} {
		for start := s.now; len(l.asked) <= i; {
			s.run(time.Second)
			if s.now.Sub(start) > 10*time.Second {
				t.Fatalf("%d look-ups in 10 s, want another", len(l.asked))
			}
		}
		a.n.zre.resolved(s.now, lookupKey{somewhere, true}, []string{"tcp://10.0.0.8:9", "tcp://10.0.0.9:9"}, nil)
		if p := a.n.zre.peers[uuid]; p == nil || p.endpoint != want {
			t.Fatalf("look-up %d led to %+v, want %s", i, p, want)
		}
	}
	if want := []string{somewhere, somewhere, somewhere}; !slices.Equal(l.asked, want) {
		t.Errorf("looked up %q, want %q", l.asked, want)
	}
}

// Gossip that names another endpoint is acted on as soon as who is at the first has had
// time to answer.
func TestZRE_gossiped_correction(t *testing.T) {
	const first, second = "tcp://10.0.0.8:9", "tcp://10.0.0.9:9"
	for _, c := range []struct {
		name    string
		after   time.Duration // the first
		answers bool          // the first does
		due     time.Duration // when the second is used, after it came
	}{
		{"at once", 0, false, correctionTime},
		{"soon", correctionTime / 4, false, correctionTime * 3 / 4},
		{"in time", correctionTime, false, 0},
		{"later", 700 * time.Millisecond, false, 0},
		{"the first answers", 0, true, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a, _ := lookupNode(t)
			uuid := [16]byte{1}
			a.n.zre.gossiped(s.now, uuid, first, "", "hub")
			s.advance(c.after)
			a.n.zre.gossiped(s.now, uuid, second, "", "hub")
			if c.answers {
				a.hear(uuid, 1, simHello(first))
			}
			at := func() string {
				if p := a.n.zre.peers[uuid]; p != nil {
					return p.endpoint
				}
				return ""
			}
			if c.due > 0 {
				s.advance(c.due - time.Millisecond)
				if at() != first {
					t.Errorf("connected to %q before the first has had its time, want %s", at(), first)
				}
				s.advance(time.Millisecond)
			}
			want := second
			if c.due < 0 {
				s.advance(5 * time.Second)
				want = first
			}
			if at() != want {
				t.Errorf("connected to %q, want %s", at(), want)
			}
		})
	}
}

// A peer that has entered by its HELLO, and is not found where that said, is looked for where
// gossip says, without an EXIT: it had another address when it said HELLO. Gossip tells of it
// once, as soon as the peer knows.
func TestZRE_gossiped_whereHelloWasWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken bool
		says   bool // the application says something to the peer
		want   string
	}{
		{"not found there", true, false, "tcp://10.0.0.9:9"},
		{"connected there", false, false, stateEndpoint},
		{"something was said", true, true, stateEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			handshakeStates[helloReturned.String()](b)
			b.port.moves = func() transport.Moved { return transport.Moved{Broken: c.broken} }
			b.port.forget()
			if c.says {
				b.post(&message{peer: stateUUID, payload: []byte("hello")})
			}
			b.z.gossiped(b.now, stateUUID, "tcp://10.0.0.9:9", "", "hub")
			b.keep(b.z.timeouts.verify())
			b.z.retryKnownNodes(b.now)
			b.pass(b.z.timeouts.verify())
			if got := b.peer().endpoint; got != c.want || len(b.port.events) != 0 {
				t.Errorf("peer at %s, events %q, want %s, none", got, b.port.events, c.want)
			}
		})
	}
}

// Who tells other endpoints all the time gets no more than one connection a second by it, and
// nobody gets the place of another by telling a key of his own.
func TestZRE_gossiped_flips(t *testing.T) {
	s, a, _ := lookupNode(t)
	uuid := [16]byte{1}
	used := map[string]bool{}
	for i := range 100 {
		a.n.zre.gossiped(s.now, uuid, fmt.Sprintf("tcp://10.0.0.8:%d", 1000+i), "", "hub")
		s.advance(50 * time.Millisecond)
		if p := a.n.zre.peers[uuid]; p != nil {
			used[p.endpoint] = true
		}
	}
	if len(used) > 7 {
		t.Errorf("%d endpoints were connected to within 5 s, want at most 7", len(used))
	}

	public, secret := keyPair(t)
	its, _ := keyPair(t)
	anothers, _ := keyPair(t)
	a = s.node(func(cfg *config, _ *simSite) { cfg.curve.publicKey, cfg.curve.secretKey = public, secret })
	a.n.zre.gossiped(s.now, uuid, "tcp://10.0.0.8:9", its, "hub")
	a.n.zre.gossiped(s.now, uuid, "tcp://10.0.0.9:9", anothers, "hub")
	s.advance(2 * correctionTime)
	if p := a.n.zre.peers[uuid]; p == nil || p.key != its {
		t.Errorf("peer = %+v, want one with the key that was told first", p)
	}
}

// The host name in a HELLO is looked up again if that has failed, and leads nowhere where
// the HELLO could not have led by itself.
func TestZRE_resolved_hello(t *testing.T) {
	s, a, l := lookupNode(t)
	uuid := [16]byte{1}
	a.hear(uuid, 1, simHello(somewhere))
	a.n.zre.resolved(s.now, lookupKey{somewhere, false}, nil, errors.New("no such host"))
	s.run(3 * time.Second)
	if len(l.asked) != 2 {
		t.Fatalf("looked up %q, want twice", l.asked)
	}
	a.n.zre.resolved(s.now, lookupKey{somewhere, false}, []string{"tcp://127.0.0.1:9", "tcp://0.0.0.0:9"}, nil)
	if p := a.n.zre.peers[uuid]; p == nil || p.endpoint != "" {
		t.Errorf("a name with addresses of this host led to %+v, want nowhere", p)
	}
	s.run(3 * time.Second)
	a.n.zre.resolved(s.now, lookupKey{somewhere, false}, []string{"tcp://127.0.0.1:9", "tcp://10.0.0.9:9"}, nil)
	a.turn()
	if want := []string{"ENTER 0100"}; !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// A look-up that is put off is counted, and is not taken for one that is under way.
func TestZRE_lookupsRefused(t *testing.T) {
	b := newZREBench(t)
	b.port.busy = true
	b.hello(stateUnresolved)
	first := b.z.counters.lookupsRefused
	b.pass(2 * lookupRetry)
	if again := b.z.counters.lookupsRefused; first != 1 || again < 2 || len(b.z.lookups) != 0 {
		t.Errorf("LookupsRefused = %d, then %d, and %d under way; want 1, then more, and 0", first, again, len(b.z.lookups))
	}
}

// Everybody who asks for a host name that is being looked up gets the answer.
func TestKnown_lookedUpForAll(t *testing.T) {
	b := newZREBench(t)
	b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: stateUnresolved, Name: "other"})
	b.hello(stateUnresolved)
	if want := []string{stateUnresolved}; !slices.Equal(b.port.lookups, want) {
		t.Fatalf("looked up %q, want %q", b.port.lookups, want)
	}
	b.z.resolved(b.now, lookupKey{stateUnresolved, false}, []string{stateEndpoint}, nil)
	if !b.isEntered() || b.z.peers[otherUUID] == nil || len(b.z.lookups) != 0 {
		t.Errorf("entered %t, the other one is %+v, %d look-ups under way; want that it has entered, the other one waits, and none",
			b.isEntered(), b.z.peers[otherUUID], len(b.z.lookups))
	}
}
