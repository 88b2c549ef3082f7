package zyre

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// A peer that does not answer HELLO is logged, once, with both endpoints; one that answers
// is not.
func TestHello_noAnswer(t *testing.T) {
	for _, c := range []struct {
		state handshakeState
		then  func(b *zreBench, noAnswer time.Duration)
		want  int
	}{
		{helloSent, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer - 1) }, 0},
		{helloSent, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloReturned, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloExchanged, func(b *zreBench, noAnswer time.Duration) { b.pass(noAnswer); b.pass(noAnswer / 2) }, 1},
		{helloExchanged, func(b *zreBench, noAnswer time.Duration) { b.keep(2 * noAnswer) }, 0},
		{helloConfirmed, func(b *zreBench, noAnswer time.Duration) { b.pass(2 * noAnswer) }, 0},
	} {
		var log bytes.Buffer
		b := newZREBench(t)
		b.z.log = slog.New(slog.NewTextHandler(&log, nil))
		handshakeStates[c.state.String()](b)
		c.then(b, b.z.timeouts.noAnswer())
		got := strings.Count(log.String(), "no answer to HELLO")
		if got != c.want || got > 0 && !strings.Contains(log.String(), " endpoint="+stateEndpoint) {
			t.Errorf("%s: %d lines, want %d with endpoint=%s:\n%s", c.state, got, c.want, stateEndpoint, &log)
		}
	}
}

// A process that starts at the port of one that has died without a goodbye sees each
// other node once, though that may not know of the death yet, and loses no message.
func TestHello_deadProcess(t *testing.T) {
	for _, kind := range append([]simKind{"ours"}, simKinds...) {
		for dead := time.Second; dead < defaultExpired; dead += 3 * time.Second {
			s := newSim(t, 1)
			s.label = fmt.Sprint(kind, " dead for ", dead)
			a := s.node(nil)
			var old simHost
			if kind == "ours" {
				old = s.node(nil)
			} else {
				old = s.foreign(kind)
			}
			s.beacon(a)
			s.beacon(old)
			s.settle()
			s.kill(old)
			s.run(dead)
			b := s.nodeAt(old.base().endpoint)
			whispered := false
			for range 40 {
				s.beacon(a)
				s.beacon(b)
				s.settle()
				if !whispered && b.count(EventEnter, a.uuid) > 0 {
					whispered = true
					b.whisper(a.uuid)
				}
				s.advance(100 * time.Millisecond)
			}
			s.run(simHealing)
			s.checkLetters()
			if b.count(EventEnter, a.uuid) != 1 || b.exits[a.uuid] != 0 || a.count(EventEnter, b.uuid) != 1 || a.exits[b.uuid] != 0 {
				s.fatalf("%q, %q, want one ENTER of each other", a.history, b.history)
			}
			if a.got["w 3 1"] != 1 {
				s.fatalf("the whisper at ENTER came %d times", a.got["w 3 1"])
			}
		}
	}
}

// The endpoint in a HELLO under the right key takes the place of the one in a beacon,
// unless the application or gossip named that.
func TestHello_outweighsBeacon(t *testing.T) {
	for known, want := range map[bool]string{false: stateEndpoint, true: "tcp://10.0.0.66:9"} {
		b, key := newSecureBench(t)
		if known {
			b.z.known[stateUUID] = newKnownNode("tcp://10.0.0.66:9", key, true)
		}
		b.z.sightedWithKey(b.now, stateUUID, "tcp://10.0.0.66:9", key)
		b.helloWithKey(stateEndpoint, key)
		packet := packetOf(t, stateUUID, 2, NewZreMsg(PingOkID))
		packet.UserID = key
		b.z.receive(b.now, &packet)
		if p := b.peer(); p == nil || !p.isEntered() || p.endpoint != want {
			t.Errorf("named by the application %v: the node is connected to %+v, want %s", known, p, want)
		}
		if want := []string{EventEnter}; !slices.Equal(b.port.events, want) {
			t.Errorf("named by the application %v: events %q, want %q", known, b.port.events, want)
		}
	}
}

// HELLOs that no decent peer sends.
func TestNode_strangeHello(t *testing.T) {
	for _, c := range []struct {
		name     string
		from     []byte
		sequence uint16
		endpoint string
	}{
		{"sequence 0", nil, 0, "tcp://10.0.0.9:9"},
		{"sequence 2", nil, 2, "tcp://10.0.0.9:9"},
		{"our endpoint", nil, 1, "tcp://10.0.0.1:1001"},
		{"host name", nil, 1, "tcp://localhost:9"},
		{"no endpoint", nil, 1, ""},
		{"udp", nil, 1, "udp://10.0.0.9:9"},
		{"ipc", nil, 1, "ipc:///tmp/x"},
		{"port 0", nil, 1, "tcp://10.0.0.9:0"},
		{"no port", nil, 1, "tcp://10.0.0.9"},
		{"wildcard", nil, 1, "tcp://0.0.0.0:9"},
		{"multicast", nil, 1, "tcp://224.0.0.1:9"},
		{"wildcard 6", nil, 1, "tcp://[::]:9"},
		{"zone", nil, 1, "tcp://[fe80::1%lo]:9"},
		{"source address", nil, 1, "tcp://127.0.0.1;10.0.0.9:9"},
		{"empty identity", []byte{}, 1, "tcp://10.0.0.9:9"},
		{"short identity", make([]byte, 16), 1, "tcp://10.0.0.9:9"},
		{"long identity", make([]byte, 18), 1, "tcp://10.0.0.9:9"},
		{"identity of libzmq", make([]byte, 5), 1, "tcp://10.0.0.9:9"},
	} {
		s := newSim(t, 1)
		a := s.node(nil)
		from := c.from
		if from == nil {
			from = appendIdentity(nil, [16]byte{1})
		}
		m := simHello(c.endpoint, "G")
		m.sequence = c.sequence
		header, err := m.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		a.inbox.queue = append(a.inbox.queue, transport.Packet{From: from, Header: header, Address: thisHost})
		a.turn()
		if len(s.conns) > 0 || len(a.history) > 0 || len(a.n.zre.groups) > 0 {
			t.Errorf("%s: connections = %d, events = %q", c.name, len(s.conns), a.history)
		}
		s.run(40 * time.Second)
		if len(a.n.zre.peers) != 0 {
			t.Errorf("%s: peers in the end = %d, want 0", c.name, len(a.n.zre.peers))
		}
	}
}

// A HELLO with our own UUID as routing id.
func TestNode_helloFromOurselves(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(nil)
	a.hear(a.uuid, 1, simHello("tcp://10.0.0.9:9"))
	if a.n.zre.counters.badIdentity != 1 || len(a.n.zre.peers) != 0 {
		t.Errorf("bad identities = %d, peers = %d", a.n.zre.counters.badIdentity, len(a.n.zre.peers))
	}
}

// A HELLO whose endpoint cannot be used waits for the beacon, then enters.
func TestNode_helloBeforeBeacon(t *testing.T) {
	for _, c := range []struct{ name, hello, beacon string }{
		{"host name", "tcp://somewhere:9", "tcp://10.0.0.9:9"},
		{"link-local address on one of two links", "tcp://[fe80::9]:9", "tcp://[fe80::9%eth1]:9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newSim(t, 1).node(nil)
			a.n.zre.location.links = []netif.Link{{Name: "eth0"}, {Name: "eth1"}}
			peer := [16]byte{1}
			a.hear(peer, 1, simHello(c.hello, "G"))
			if len(a.history) != 0 {
				t.Errorf("history before the beacon = %q, want none", a.history)
			}
			a.sight(peer, c.beacon)
			if want := []string{"ENTER 0100", "JOIN 0100 G"}; !slices.Equal(a.history, want) {
				t.Errorf("history = %q, want %q", a.history, want)
			}
			if got := a.n.zre.peers[peer].endpoint; got != c.beacon {
				t.Errorf("endpoint = %s, want %s", got, c.beacon)
			}
		})
	}
}

// Where packets were held up, HELLOs come in twos: one is enough for the application, if
// nothing has happened in between.
func TestNode_helloTwice(t *testing.T) {
	peer := [16]byte{1}
	for _, c := range []struct {
		name    string
		between func(s *sim, a *simNode)
		second  string // name in it
		want    []string
	}{
		{name: "at once", second: "stranger", want: []string{"ENTER 0100"}},
		{name: "later", second: "stranger", between: func(s *sim, a *simNode) {
			a.n.zre.ping(s.now, a.n.zre.peers[peer])
			a.hear(peer, 2, NewZreMsg(PingOkID))
			s.now = s.now.Add(2 * maxVerifyTime)
		}, want: []string{"ENTER 0100", "EXIT 0100", "ENTER 0100"}},
		{name: "under another name", second: "other",
			want: []string{"ENTER 0100", "EXIT 0100", "ENTER 0100"}},
		{name: "after a join", second: "stranger", between: func(_ *sim, a *simNode) {
			a.hear(peer, 2, &ZreMsg{id: JoinID, Group: "G", Status: 1})
		}, want: []string{"ENTER 0100", "JOIN 0100 G", "EXIT 0100", "ENTER 0100"}},
		{name: "after a message to it", second: "stranger", between: func(_ *sim, a *simNode) { a.whisper(peer) },
			want: []string{"ENTER 0100", "EXIT 0100", "ENTER 0100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, 1)
			a := s.node(nil)
			a.sight(peer, "tcp://10.0.0.9:9")
			s.now = s.now.Add(2 * maxVerifyTime) // so that no HELLO is the answer to ours
			a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
			if c.between != nil {
				c.between(s, a)
			}
			again := simHello("tcp://10.0.0.9:9")
			again.Name = c.second
			s.now = s.now.Add(50 * time.Millisecond)
			a.hear(peer, 1, again)
			if !slices.Equal(a.history, c.want) {
				t.Errorf("history = %q, want %q", a.history, c.want)
			}
			if got := a.n.zre.peers[peer].out.last; got != 1 {
				t.Errorf("messages on its connection = %d, want a fresh one with our HELLO", got)
			}
		})
	}
}

// HELLO a thousand times a second: few events, then none for a while; when it
// stops, the peer comes back.
func TestNode_floodOfHellos(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	for range 10_000 {
		s.now = s.now.Add(time.Millisecond)
		a.hear(b.uuid, 1, simHello(b.endpoint))
		a.turn()
	}
	if got := len(a.history); got > 100 {
		t.Errorf("events = %d, want at most 100", got)
	}
	if a.n.zre.counters.throttled == 0 {
		t.Error("peer was never shut out")
	}
	for _, c := range s.conns {
		if c.from == &b.simSite {
			c.lose(len(c.queue))
		}
	}
	s.run(simHealing)
	simConnected(s)
}

// confirmBoth has the peer and the other one show that they have our HELLO.
func (b *zreBench) confirmBoth() {
	b.z.ping(b.now, b.peer())
	b.hearID(PingOkID)
	b.z.ping(b.now, b.z.peers[otherUUID])
	b.hearOther(2, &ZreMsg{id: PingOkID})
	b.pass(2 * time.Second)
	b.port.forget()
}

// Two peers that have restarted, each at the endpoint of the other, are met where they are
// now.
func TestHello_swappedEndpoints(t *testing.T) {
	b := newZREBench(t)
	otherHello := func(endpoint string) { b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: endpoint, Name: "other"}) }
	b.hello(stateEndpoint)
	otherHello(stateElsewhere)
	b.confirmBoth()

	b.hello(stateElsewhere)
	if b.isEntered() || slices.Contains(b.port.sent, "HELLO") {
		t.Fatalf("entered %t, sent %q; want that it waits, and no HELLO to where it is no more", b.isEntered(), b.port.sent)
	}
	otherHello(stateEndpoint)
	other := b.z.peers[otherUUID]
	if !b.isEntered() || b.peer().endpoint != stateElsewhere || other == nil || !other.isEntered() || other.endpoint != stateEndpoint {
		t.Errorf("peers %+v and %+v, want that both have entered where they are", b.peer(), other)
	}
	if b.z.addressed[stateEndpoint] != other || b.z.addressed[stateElsewhere] != b.peer() {
		t.Error("the endpoints do not lead to the peers")
	}
}

// A peer that has restarted at the endpoint of one that is dead is met there once that has not
// answered, and never where it was.
func TestHello_restartsAtDeadEndpoint(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.hearOther(1, &ZreMsg{id: HelloID, Endpoint: stateElsewhere, Name: "other"})
	b.confirmBoth()
	b.hello(stateElsewhere)
	b.pass(2 * time.Second)
	if !b.isEntered() || b.peer().endpoint != stateElsewhere || b.z.peers[otherUUID] != nil {
		t.Errorf("peer %+v, other %+v; want one that has entered, and no other", b.peer(), b.z.peers[otherUUID])
	}
	if slices.Contains(b.port.sent, "HELLO") {
		t.Errorf("sent %q, want no HELLO to where it was", b.port.sent)
	}
}
