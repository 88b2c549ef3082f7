package zyre

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
)

// What one peer can have the node keep is bounded in bytes, whether it comes in HELLO or in
// JOINs. A HELLO beyond it is refused whole, and counted.
func TestZRE_peerBytes(t *testing.T) {
	long := strings.Repeat("x", maxString)
	manyGroups := func(count, size int) (groups []string) {
		for i := range count {
			groups = append(groups, fmt.Sprintf("%0*d", size, i))
		}
		return groups
	}
	for _, c := range []struct {
		name    string
		hello   ZreMsg
		entered bool
	}{
		{"nothing", ZreMsg{}, true},
		{"a group of 255 bytes", ZreMsg{Groups: []string{long}}, true},
		{"a group of 256 bytes", ZreMsg{Groups: []string{long + "x"}}, false},
		{"a group of 1 MiB", ZreMsg{Groups: []string{strings.Repeat("x", maxPeerBytes)}}, false},
		{"a header of 1 MiB", ZreMsg{Headers: map[string]string{"x": strings.Repeat("x", maxPeerBytes)}}, false},
		{"a header of nearly 1 MiB", ZreMsg{Headers: map[string]string{"x": strings.Repeat("x", maxPeerBytes-1000)}}, true},
		{"10,000 groups of 90 bytes", ZreMsg{Groups: manyGroups(maxPeerGroups, 90)}, true},
		{"10,000 groups of 255 bytes", ZreMsg{Groups: manyGroups(maxPeerGroups, maxString)}, false},
	} {
		b := newZREBench(t)
		c.hello.id, c.hello.Endpoint = HelloID, stateEndpoint
		packet := packetOf(t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
		packet.Header = rawHello(&c.hello)
		b.z.receive(b.now, &packet)
		if b.isEntered() != c.entered {
			t.Errorf("a HELLO with %s: entered %v, want %v", c.name, b.isEntered(), c.entered)
		}
		d := b.z.counters.dropped()
		if got := d.Malformed + d.GroupsRefused + d.HelloRefused; (got == 1) != !c.entered {
			t.Errorf("a HELLO with %s: counted %d times", c.name, got)
		}
	}
	b := newZREBench(t)
	b.hello(stateEndpoint)
	for _, group := range manyGroups(maxPeerGroups, maxString) {
		b.hear(&ZreMsg{id: JoinID, Group: group})
	}
	p := b.peer()
	if p.groupBytes > maxPeerBytes || len(p.groups) != maxPeerBytes/maxString {
		t.Errorf("JOINs: %d groups with %d bytes, want %d", len(p.groups), p.groupBytes, maxPeerBytes/maxString)
	}
	for _, group := range manyGroups(maxPeerGroups, maxString) {
		b.hear(&ZreMsg{id: LeaveID, Group: group})
	}
	if p.groupBytes != 0 {
		t.Errorf("%d bytes of groups after all LEAVEs, want 0", p.groupBytes)
	}
}

// rawHello encodes a HELLO whatever the lengths in it.
func rawHello(m *ZreMsg) []byte {
	long := func(b []byte, s string) []byte {
		return append(append(b, byte(len(s)>>24), byte(len(s)>>16), byte(len(s)>>8), byte(len(s))), s...)
	}
	b := append(appendPlain(nil, HelloID, 1), byte(len(m.Endpoint)))
	b = append(b, m.Endpoint...)
	b = append(b, 0, 0, byte(len(m.Groups)>>8), byte(len(m.Groups)))
	for _, g := range m.Groups {
		b = long(b, g)
	}
	b = append(b, 0, 0, 0, 0, 0, byte(len(m.Headers)))
	for key, value := range m.Headers {
		b = long(append(append(b, byte(len(key))), key...), value)
	}
	return b
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

// Only peers that have our HELLO count; the others are asked.
func TestZRE_confirmPeers(t *testing.T) {
	b := newZREBench(t)
	b.z.sighted(b.now, stateUUID, stateEndpoint)
	if n := b.z.confirmPeers(b.now, ""); n != 0 {
		t.Errorf("before ENTER: confirmPeers() = %d, want 0", n)
	}
	b.hello(stateEndpoint)
	b.hearID(JoinID)
	b.port.forget()
	for range 2 {
		if n := b.z.confirmPeers(b.now, "G"); n != 0 {
			t.Errorf("after ENTER: confirmPeers(G) = %d, want 0", n)
		}
	}
	if got := strings.Join(b.port.sent, " "); got != "PING" {
		t.Errorf("sent %s, want PING", got)
	}
	b.hearID(PingOkID)
	for _, group := range []string{"", "G"} {
		if n := b.z.confirmPeers(b.now, group); n != 1 {
			t.Errorf("after PING-OK: confirmPeers(%q) = %d, want 1", group, n)
		}
	}
	if n := b.z.confirmPeers(b.now, "H"); n != 0 {
		t.Errorf("confirmPeers(H) = %d, want 0", n)
	}
}
