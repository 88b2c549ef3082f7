package zyre

import (
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// A peer that goes without a goodbye holds up nobody before it expires: inproc takes
// no messages for it, but TCP does, as long as there is room.
func TestInproc_vanishedPeer(t *testing.T) {
	alice := newLoopbackNode(t, "alice", freeUDPPort(t))
	alice.seams = zmqSeams
	mustStart(t, alice)
	ra := record(alice)
	bob, raw := newRawPeer(t, "bob", alice.Endpoint()), newRawPeer(t, "raw", alice.Endpoint())
	for _, p := range []*rawPeer{bob, raw} {
		p.hello()
		p.send(&ZreMsg{id: JoinID, Group: "g", Status: 1})
		ra.wait(t, "JOIN "+p.name+" g", 1)
	}
	if err := raw.inbox.Close(); err != nil {
		t.Fatal(err)
	}
	var p transport.Packet
	for range 4 {
		alice.Shout("g", []byte("hello"))
		for last := byte(0); last != ShoutID; last = p.Header[2] {
			transporttest.MustRecv(t, bob.inbox, &p)
		}
		sent := alice.Stats().Beacon.Sent // libzmq looks for the end of a pipe once a millisecond
		eventually(t, "alice beacons", func() bool { return alice.Stats().Beacon.Sent > sent })
	}
	if n := alice.Stats().PushedBack; n != 0 || ra.count("EXIT raw") != 0 {
		t.Errorf("alice was pushed back %d times, want 0, and no EXIT:\n%s", n, ra)
	}
}
