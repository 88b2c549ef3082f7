package zyre

import (
	"strings"
	"testing"
)

// Whether two nodes connect by inproc makes no difference to what they see.
func TestInproc_nodes(t *testing.T) {
	ways := map[string]func() (seams, error){
		"inproc": zmqSeams,
		"tcp":    tcpSeams,
	}
	for nameA, a := range ways {
		for nameB, b := range ways {
			t.Run(nameA+"/"+nameB, func(t *testing.T) {
				checkLeaks(t)
				port := freeUDPPort(t)
				alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
				alice.seams, bob.seams = a, b
				alice.Join("g")
				bob.Join("g")
				for range 3 {
					mustStart(t, alice)
					mustStart(t, bob)
					ra, rb := record(alice), record(bob)
					ra.wait(t, "JOIN bob g", 1)
					rb.wait(t, "JOIN alice g", 1)
					if got := alice.PeerAddress(bob.UUID()); !strings.HasPrefix(got, "tcp://127.0.0.1:") {
						t.Errorf("PeerAddress() = %q, want an address of TCP", got)
					}
					alice.Whisper(bob.UUID(), []byte("to bob"))
					bob.Shout("g", []byte("to all"))
					rb.wait(t, "WHISPER alice to bob", 1)
					ra.wait(t, "SHOUT bob g to all", 1)
					bob.Stop()
					ra.wait(t, "EXIT bob", 1)
					alice.Stop()
				}
			})
		}
	}
}

// A peer that goes without a goodbye holds up nobody before it expires: inproc takes
// no messages for it, but TCP does, as long as there is room.
func TestInproc_vanishedPeer(t *testing.T) {
	port := freeUDPPort(t)
	alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	for _, z := range []*Zyre{alice, bob} {
		z.seams = zmqSeams
		z.Join("g")
		mustStart(t, z)
	}
	ra, rb := record(alice), record(bob)
	rb.wait(t, "JOIN alice g", 1)
	ra.wait(t, "JOIN bob g", 1)
	raw := newRawPeer(t, "raw", bob.PeerAddress(alice.UUID()))
	raw.hello()
	raw.send(&ZreMsg{id: JoinID, Group: "g", Status: 1})
	ra.wait(t, "JOIN raw g", 1)
	if err := raw.inbox.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		alice.Shout("g", []byte("hello"))
		rb.wait(t, "SHOUT alice g hello", i+1)
		sent := alice.Stats().Beacon.Sent // libzmq looks for the end of a pipe once a millisecond
		eventually(t, "alice beacons", func() bool { return alice.Stats().Beacon.Sent > sent })
	}
	if ra.count("EXIT raw") != 0 {
		t.Error("the shouts came only after EXIT")
	}
}
