package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// simStranger makes a node and a peer in it that is no host.
func simStranger(tb testing.TB) (*sim, *simNode, [16]byte) {
	s := newSim(tb, 1)
	a := s.node(nil)
	peer := [16]byte{1}
	a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
	return s, a, peer
}

// Any count of joins and leaves is accepted.
func TestNode_anyStatus(t *testing.T) {
	_, a, peer := simStranger(t)
	seq := uint16(1)
	for status := range 256 {
		for _, id := range []uint8{JoinID, LeaveID} {
			seq++
			a.hear(peer, seq, &ZreMsg{id: id, Group: "G", Status: byte(status)})
		}
	}
	if got := a.count(EventJoin, peer); got != 256 {
		t.Errorf("JOIN events = %d, want 256", got)
	}
	if got := a.count(EventLeave, peer); got != 256 {
		t.Errorf("LEAVE events = %d, want 256", got)
	}
	if a.count(EventExit, peer) != 0 || a.n.zre.counters.statusMismatch == 0 {
		t.Errorf("EXIT events = %d, mismatches = %d", a.count(EventExit, peer), a.n.zre.counters.statusMismatch)
	}
}

// Every command in sequence counts, known or not, well-formed or not.
func TestNode_anyCommand(t *testing.T) {
	for id := range 256 {
		if id == int(HelloID) || id == int(GoodbyeID) {
			continue
		}
		_, a, peer := simStranger(t)
		a.take(peer, appendPlain(nil, byte(id), 2), nil)
		a.hear(peer, 3, NewZreMsg(WhisperID))
		if w := a.peers[uuidString(peer)]; w.whispers != 1+btoi(id == int(WhisperID)) || !w.here {
			t.Errorf("command %d: whispers = %d, here %t", id, w.whispers, w.here)
		}
	}
}

// A shout that was on its way when its group was left is counted, and no more.
func TestNode_lateShout(t *testing.T) {
	_, a, peer := simStranger(t)
	a.join("G")
	a.hear(peer, 2, &ZreMsg{id: ShoutID, Group: "G"})
	a.leave("G")
	a.hear(peer, 3, &ZreMsg{id: ShoutID, Group: "G"})
	if got := a.n.zre.counters; got.shoutsReceived != 1 || got.lateShouts != 1 || got.gaps != 0 {
		t.Errorf("shouts = %d, late %d, gaps %d; want 1, 1, 0", got.shoutsReceived, got.lateShouts, got.gaps)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
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
		a.inbox.queue = append(a.inbox.queue, transport.Packet{From: from, Header: header})
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

// A peer joins more groups than it may.
func TestNode_floodOfJoins(t *testing.T) {
	_, a, peer := simStranger(t)
	seq, n := uint16(1), 100_000
	for i := range n {
		seq++
		m := &ZreMsg{id: JoinID, Group: fmt.Sprint(i), Status: byte(i + 1), sequence: seq}
		header, _ := m.append(nil)
		a.inbox.queue = append(a.inbox.queue, transport.Packet{From: appendIdentity(nil, peer), Header: header})
		if i%1000 == 0 {
			a.turn()
		}
	}
	a.turn()
	if got := len(a.n.zre.groups); got != maxPeerGroups {
		t.Errorf("groups = %d, want %d", got, maxPeerGroups)
	}
	if got := a.n.zre.counters.groupsRefused; got != uint64(n-maxPeerGroups) {
		t.Errorf("groups refused = %d, want %d", got, n-maxPeerGroups)
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
// peer drops us at the HELLO by which we ask it to begin anew.
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
