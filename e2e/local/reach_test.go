package local_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestZyre_secureBeacons(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	plain := kit.NewNode(t, "plain", port)
	pa, sa := kit.KeyPair(t)
	pb, sb := kit.ZeroKeyPair(t)
	a.SetZCert(pa, sa).SetAuthorizedKeys(pb)
	b.SetZCert(pb, sb)
	for _, z := range []*zyre.Zyre{a, b, plain} {
		kit.MustStart(t, z)
	}
	ra, rb, rp := watch.Record(a), watch.Record(b), watch.Record(plain)
	e := ra.Wait(t, "ENTER bob", 1)
	if key, _ := e.Header("X-PUBLICKEY"); key != pb {
		t.Errorf("bob's key = %q, want %q", key, pb)
	}
	rb.Wait(t, "ENTER alice", 1)
	a.Whisper(b.UUID(), []byte("psst"))
	rb.Wait(t, "WHISPER alice psst", 1)

	// Mallory holds a key that alice does not know, bob lets anybody in.
	mallory := kit.NewNode(t, "mallory", port)
	pm, sm := kit.KeyPair(t)
	mallory.SetZCert(pm, sm)
	kit.MustStart(t, mallory)
	rm := watch.Record(mallory)
	rb.Wait(t, "ENTER mallory", 1)
	rm.Wait(t, "ENTER bob", 1)
	watch.Until(t, "alice refuses mallory", func() bool { return a.Stats().Dropped.KeysRefused > 0 })
	// Another whom alice knows enters after mallory has been refused, at the others too.
	late := kit.NewNode(t, "late", port)
	late.SetZCert(pb, sb)
	kit.MustStart(t, late)
	ra.Wait(t, "ENTER late", 1)
	rm.Wait(t, "ENTER late", 1)
	late.Stop()
	b.Stop()
	ra.Wait(t, "EXIT bob", 1)
	other := kit.NewNode(t, "other", port)
	kit.MustStart(t, other)
	rp.Wait(t, "ENTER other", 1)
	for _, c := range []struct {
		r       *watch.Log
		pattern string
		want    int
	}{{ra, "ENTER mallory", 0}, {rm, "ENTER alice", 0}, {rp, "ENTER", 1}} {
		if n := c.r.Count(c.pattern); n != c.want {
			t.Errorf("%s saw %q %d times, want %d", c.r.Name, c.pattern, n, c.want)
		}
	}
	for _, z := range []*zyre.Zyre{a, mallory, plain, other} {
		z.Stop()
	}
}

func TestZyre_requiredPeer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure=", secure), func(t *testing.T) {
			leak.Check(t)
			a, b := zyre.NewZyre(context.Background()).SetName("alice"), zyre.NewZyre(context.Background()).SetName("bob")
			keyA, keyB := "", ""
			if secure {
				var sa, sb string
				keyA, sa = kit.KeyPair(t)
				keyB, sb = kit.KeyPair(t)
				a.SetZCert(keyA, sa)
				b.SetZCert(keyB, sb)
			}
			for _, z := range []*zyre.Zyre{a, b} {
				if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(z.Stop)
				kit.MustStart(t, z)
			}
			ra, rb := watch.Record(a), watch.Record(b)
			if err := a.RequirePeer(b.UUID(), kit.Endpoint(t, b), keyB); err != nil {
				t.Fatal(err)
			}
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			b.Stop()
			ra.Wait(t, "EXIT bob", 1)
			a.Stop()
		})
	}
}

func TestZyre_gossip(t *testing.T) {
	for _, hub := range []string{"tcp://127.0.0.1:*", "ipc", "inproc://gossip-hub"} {
		t.Run(hub, func(t *testing.T) {
			leak.Check(t)
			if hub == "ipc" {
				hub = "ipc://" + t.TempDir() + "/hub"
			}
			var nodes []*zyre.Zyre
			var recorders []*watch.Log
			for i := range 10 {
				z := zyre.NewZyre(context.Background()).SetName(fmt.Sprint("node", i))
				t.Cleanup(z.Stop)
				if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					z.GossipBind("%s", hub)
				} else {
					z.GossipConnect("%s", nodes[0].GossipEndpoint())
				}
				kit.MustStart(t, z)
				nodes, recorders = append(nodes, z), append(recorders, watch.Record(z))
			}
			for i, r := range recorders {
				for j := range nodes {
					if i != j {
						r.Wait(t, fmt.Sprint("ENTER node", j), 1)
					}
				}
			}
			nodes[9].Stop()
			for _, r := range recorders[:9] {
				r.Wait(t, "EXIT node9", 1)
			}
			for _, z := range nodes {
				z.Stop()
			}
		})
	}
}

func TestZyre_beaconGossipAndRequiredTogether(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	a.GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, a)
	b.GossipConnect("%s", a.GossipEndpoint())
	if err := b.RequirePeer(a.UUID(), kit.Endpoint(t, a), ""); err != nil {
		t.Fatal(err)
	}
	kit.MustStart(t, b)
	ra, rb := watch.Record(a), watch.Record(b)
	ra.Wait(t, "ENTER bob", 1)
	rb.Wait(t, "ENTER alice", 1)
	// What beacons, gossip and RequirePeer tell again, they tell before a newcomer enters.
	late := kit.NewNode(t, "late", port)
	late.GossipConnect("%s", a.GossipEndpoint())
	kit.MustStart(t, late)
	for _, r := range []*watch.Log{ra, rb} {
		r.Wait(t, "ENTER late", 1)
	}
	late.Stop()
	for _, r := range []*watch.Log{ra, rb} {
		r.Wait(t, "EXIT late", 1)
	}
	for _, r := range []*watch.Log{ra, rb} {
		if enters, exits := r.Count("ENTER"), r.Count("EXIT"); enters != 2 || exits != 1 {
			t.Errorf("%s saw %d ENTER and %d EXIT, want one for each and the EXIT of late", r.Name, enters, exits)
		}
	}
	if got := a.Peers(); !slices.Equal(got, []string{b.UUID()}) {
		t.Errorf("Peers() = %v, want [%s]", got, b.UUID())
	}
	b.Stop()
	ra.Wait(t, "EXIT bob", 1)
	a.Stop()
}

func TestZyre_advertisedEndpoint(t *testing.T) {
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	a.SetAdvertisedEndpoint("tcp://127.0.0.1:65000")
	kit.MustStart(t, a, b)
	watch.Record(b).Wait(t, "ENTER alice", 1)
	if got := helloOf(t, a).Endpoint; got != "tcp://127.0.0.1:65000" {
		t.Errorf("HELLO endpoint = %q, want the advertised one", got)
	}
}

// helloOf says HELLO to a node, and returns the node's.
func helloOf(t *testing.T, z *zyre.Zyre) *zyre.ZreMsg {
	t.Helper()
	inbox, err := zmq.NewSocket(zmq.ROUTER)
	if err == nil {
		err = errors.Join(inbox.SetRcvtimeo(watch.Patience), inbox.Bind("tcp://127.0.0.1:*"))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	hello := zyre.NewZreMsg(zyre.HelloID)
	if hello.Endpoint, err = inbox.GetLastEndpoint(); err != nil {
		t.Fatal(err)
	}
	p := zyre.NewPeer(t.Context(), z.UUID())
	defer p.Destroy()
	if err := errors.Join(p.Connect([]byte("someone in a test")[:16], kit.Endpoint(t, z)), p.Send(hello)); err != nil {
		t.Fatal(err)
	}
	answer, err := zyre.Recv(inbox)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
