package zyre

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestZyre_secureBeacons(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	plain := newLoopbackNode(t, "plain", port)
	pa, sa := keyPair(t)
	pb, sb := zeroKeyPair(t)
	a.SetZCert(pa, sa).SetAuthorizedKeys(pb)
	b.SetZCert(pb, sb)
	for _, z := range []*Zyre{a, b, plain} {
		mustStart(t, z)
	}
	ra, rb, rp := record(a), record(b), record(plain)
	e := ra.wait(t, "ENTER bob", 1)
	if key, _ := e.Header(publicKeyHeader); key != pb {
		t.Errorf("bob's key = %q, want %q", key, pb)
	}
	rb.wait(t, "ENTER alice", 1)
	a.Whisper(b.UUID(), []byte("psst"))
	rb.wait(t, "WHISPER alice psst", 1)

	// Mallory holds a key that alice does not know, bob lets anybody in.
	mallory := newLoopbackNode(t, "mallory", port)
	pm, sm := keyPair(t)
	mallory.SetZCert(pm, sm)
	mustStart(t, mallory)
	rm := record(mallory)
	rb.wait(t, "ENTER mallory", 1)
	rm.wait(t, "ENTER bob", 1)
	eventually(t, "alice refuses mallory", func() bool { return a.Stats().Dropped.KeysRefused > 0 })
	b.Stop()
	ra.wait(t, "EXIT bob", 1)
	for r, unwanted := range map[*recorder]string{ra: "ENTER mallory", rm: "ENTER alice", rp: "ENTER"} {
		if n := r.count(unwanted); n != 0 {
			t.Errorf("%s saw %q %d times, want 0", r.name, unwanted, n)
		}
	}
	for _, z := range []*Zyre{a, mallory, plain} {
		z.Stop()
	}
}

func TestZyre_requiredPeer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure=", secure), func(t *testing.T) {
			checkLeaks(t)
			a, b := NewZyre(context.Background()).SetName("alice"), NewZyre(context.Background()).SetName("bob")
			keyA, keyB := "", ""
			if secure {
				var sa, sb string
				keyA, sa = keyPair(t)
				keyB, sb = keyPair(t)
				a.SetZCert(keyA, sa)
				b.SetZCert(keyB, sb)
			}
			for _, z := range []*Zyre{a, b} {
				if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(z.Stop)
				mustStart(t, z)
			}
			ra, rb := record(a), record(b)
			if err := a.RequirePeer(b.UUID(), firstEndpoint(b), keyB); err != nil {
				t.Fatal(err)
			}
			ra.wait(t, "ENTER bob", 1)
			rb.wait(t, "ENTER alice", 1)
			b.Stop()
			ra.wait(t, "EXIT bob", 1)
			a.Stop()
		})
	}
}

func TestZyre_gossip(t *testing.T) {
	for _, hub := range []string{"tcp://127.0.0.1:*", "ipc", "inproc://gossip-hub"} {
		t.Run(hub, func(t *testing.T) {
			checkLeaks(t)
			if hub == "ipc" {
				hub = "ipc://" + t.TempDir() + "/hub"
			}
			var nodes []*Zyre
			var recorders []*recorder
			for i := range 10 {
				z := NewZyre(context.Background()).SetName(fmt.Sprint("node", i))
				t.Cleanup(z.Stop)
				if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					z.GossipBind("%s", hub)
				} else {
					z.GossipConnect("%s", nodes[0].GossipEndpoint())
				}
				mustStart(t, z)
				nodes, recorders = append(nodes, z), append(recorders, record(z))
			}
			for i, r := range recorders {
				for j := range nodes {
					if i != j {
						r.wait(t, fmt.Sprint("ENTER node", j), 1)
					}
				}
			}
			nodes[9].Stop()
			for _, r := range recorders[:9] {
				r.wait(t, "EXIT node9", 1)
			}
			for _, z := range nodes {
				z.Stop()
			}
		})
	}
}

func TestZyre_beaconGossipAndRequiredTogether(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	a.GossipBind("tcp://127.0.0.1:*")
	mustStart(t, a)
	b.GossipConnect("%s", a.GossipEndpoint())
	if err := b.RequirePeer(a.UUID(), firstEndpoint(a), ""); err != nil {
		t.Fatal(err)
	}
	mustStart(t, b)
	ra, rb := record(a), record(b)
	ra.wait(t, "ENTER bob", 1)
	rb.wait(t, "ENTER alice", 1)
	pause(500 * time.Millisecond) // for anything that should not come
	for _, r := range []*recorder{ra, rb} {
		if enters, exits := r.count("ENTER"), r.count("EXIT"); enters != 1 || exits != 0 {
			t.Errorf("%s saw %d ENTER and %d EXIT, want 1 and 0", r.name, enters, exits)
		}
	}
	if got := a.Peers(); !slices.Equal(got, []string{b.UUID()}) {
		t.Errorf("Peers() = %v, want [%s]", got, b.UUID())
	}
	b.Stop()
	ra.wait(t, "EXIT bob", 1)
	a.Stop()
}

func TestZyre_advertisedEndpoint(t *testing.T) {
	port := freeUDPPort(t)
	a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	a.SetAdvertisedEndpoint("tcp://127.0.0.1:65000")
	mustStart(t, a)
	if got := ask(a, func(n *node, _ time.Time) string { return n.helloTo(&Peer{}).Endpoint }); got != "tcp://127.0.0.1:65000" {
		t.Errorf("HELLO endpoint = %q, want the advertised one", got)
	}
	mustStart(t, b)
	record(b).wait(t, "ENTER alice", 1)
}
