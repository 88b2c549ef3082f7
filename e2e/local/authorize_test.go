package local_test

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// secureNode makes a node with a certificate, on a UDP port.
func secureNode(t *testing.T, name string, port int) (z *zyre.Zyre, public string) {
	t.Helper()
	public, secret := kit.KeyPair(t)
	return kit.NewNode(t, name, port).SetZCert(public, secret), public
}

// A key that is revoked on a running node makes its peer exit within 2 s, and nothing of
// it comes in any more, by the old connections or by new ones. A key that is added lets
// its node in.
func TestSetAuthorizedKeys_running(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	alice, pa := secureNode(t, "alice", port)
	bob, pb := secureNode(t, "bob", port)
	carol, pc := secureNode(t, "carol", port)
	alice.SetAuthorizedKeys(pb)
	bob.SetAuthorizedKeys(pa)
	carol.SetAuthorizedKeys(pa)
	for _, z := range []*zyre.Zyre{alice, bob, carol} {
		z.Join("hall")
	}
	kit.MustStart(t, alice, bob, carol)
	ra, rb, rc := watch.Record(alice), watch.Record(bob), watch.Record(carol)
	ra.Wait(t, "JOIN bob hall", 1)
	rb.Wait(t, "JOIN alice hall", 1)
	watch.Until(t, "alice refuses carol", func() bool { return alice.Stats().Dropped.KeysRefused > 0 })

	start := time.Now()
	alice.SetAuthorizedKeys(pc) // bob goes, carol comes
	if e := ra.Wait(t, "EXIT bob", 1); e.Reason != zyre.ReasonRevoked {
		t.Errorf("EXIT of a revoked peer because %q, want %q", e.Reason, zyre.ReasonRevoked)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("EXIT of a revoked peer after %v, want at most 2s", took)
	}
	bob.Whisper(alice.UUID(), []byte("after"))
	ra.Wait(t, "ENTER carol", 1)
	rc.Wait(t, "ENTER alice", 1)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("ENTER of a peer with a new key after %v, want at most 10s", took)
	}
	rb.Wait(t, "EXIT alice", 1) // it was told
	carol.Whisper(alice.UUID(), []byte("hello"))
	ra.Wait(t, "WHISPER carol hello", 1)
	watch.Until(t, "alice refuses bob", func() bool { return alice.Stats().Dropped.KeysRefused > 1 })
	if n := ra.Count("ENTER bob") + ra.Count("WHISPER bob"); n != 1 {
		t.Errorf("alice saw %d events of bob, want ENTER alone:\n%s", n, ra)
	}

	alice.SetAuthorizedKeys(pb, pc)
	ra.Wait(t, "ENTER bob", 2)
	rb.Wait(t, "ENTER alice", 2)
	alice.SetAuthorizedKeys()
	ra.Wait(t, "EXIT bob", 2)
	ra.Wait(t, "EXIT carol", 1)
	for _, z := range []*zyre.Zyre{alice, bob, carol} {
		z.Stop()
	}
}

// A secure node that let everybody in can be restricted while it runs.
func TestSetAuthorizedKeys_runningOpen(t *testing.T) {
	port := kit.FreeUDPPort(t)
	alice, _ := secureNode(t, "alice", port)
	bob, pb := secureNode(t, "bob", port)
	carol, _ := secureNode(t, "carol", port)
	kit.MustStart(t, alice, bob, carol)
	ra := watch.Record(alice)
	ra.Wait(t, "ENTER bob", 1)
	ra.Wait(t, "ENTER carol", 1)
	alice.SetAuthorizedKeys(pb)
	ra.Wait(t, "EXIT carol", 1)
	if n := ra.Count("EXIT bob"); n != 0 {
		t.Errorf("alice saw %d EXIT of bob, whose key is authorized, want 0", n)
	}
}

// A peer whose key was revoked, and that keeps its connection, is not heard on it.
func TestSetAuthorizedKeys_oldConnection(t *testing.T) {
	alice, pa := secureNode(t, "alice", kit.FreeUDPPort(t))
	pm, sm := kit.KeyPair(t)
	alice.SetAuthorizedKeys(pm)
	kit.MustStart(t, alice)
	ra := watch.Record(alice)
	mallory := newStranger(t, foreignnet.Options{Name: "mallory", Headers: []foreign.Header{{Key: publicKeyHeader, Value: pm}}})
	mallory.dial(kit.Endpoint(t, alice), foreignnet.ConnOptions{ServerKey: pa, PublicKey: pm, SecretKey: sm})
	mallory.say(mallory.Hello())
	mallory.whisper("before")
	ra.Wait(t, "WHISPER mallory before", 1)
	alice.SetAuthorizedKeys()
	ra.Wait(t, "EXIT mallory", 1)
	mallory.whisper("after")
	watch.Until(t, "alice drops the whisper", func() bool { return alice.Stats().Dropped.BeforeHello > 0 })
	mallory.must(mallory.conn.SayHello("hall"))
	watch.Until(t, "alice refuses the HELLO", func() bool { return alice.Stats().Dropped.KeysRefused > 0 })
	if n := ra.Count("ENTER") + ra.Count("WHISPER"); n != 2 {
		t.Errorf("alice saw %d events of mallory, want ENTER and WHISPER before:\n%s", n, ra)
	}
}

// The hub of a running node forgets a client whose key is revoked, and tells it nothing
// more.
func TestSetAuthorizedKeys_hub(t *testing.T) {
	hub, bob := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "bob")
	ph, sh := kit.KeyPair(t)
	pb, sb := kit.KeyPair(t)
	hub.SetZCert(ph, sh).SetAuthorizedKeys(pb).GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, hub)
	bob.SetZCert(pb, sb).GossipConnectCurve(ph, "%s", hub.GossipEndpoint())
	kit.MustStart(t, bob)
	rh := watch.Record(hub)
	rh.Wait(t, "ENTER bob", 1)
	watch.Until(t, "bob is a client", func() bool { return hub.Stats().Gossip.Clients == 1 && bob.Stats().Gossip.Tuples == 2 })
	hub.SetAuthorizedKeys()
	rh.Wait(t, "EXIT bob", 1)
	if s := hub.Stats().Gossip; s.Clients != 0 || s.Tuples != 1 {
		t.Errorf("after a key was revoked: %d clients, %d tuples, want none and the hub's own", s.Clients, s.Tuples)
	}
	watch.Until(t, "bob has lost the hub", func() bool { return bob.Stats().Gossip.Hubs[0].Since.IsZero() })
	if n := hub.Stats().Gossip.Clients; n != 0 {
		t.Errorf("%d clients after all, want 0", n)
	}
}
