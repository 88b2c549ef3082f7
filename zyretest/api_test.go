package zyretest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// Which nodes meet depends on their settings as it does between hosts.
func TestNetwork_settings(t *testing.T) {
	newCert := func() *zyre.Cert {
		cert, err := zyre.NewCert()
		if err != nil {
			t.Skip(err)
		}
		return cert
	}
	alice, bob := newCert(), newCert()
	endpoint := func(t *testing.T, z *zyre.Zyre, e string) { must(t, "SetEndpoint", z.SetEndpoint("%s", e)) }
	require := func(t *testing.T, z, other *zyre.Zyre, e string) {
		must(t, "RequirePeer", z.RequirePeer(other.UUID(), e, ""))
	}
	// b requires a, at an endpoint other than those at which they are bound.
	required := func(endpointA, endpointB, at string) func(*testing.T, *zyre.Zyre, *zyre.Zyre) {
		return func(t *testing.T, a, b *zyre.Zyre) {
			endpoint(t, a, endpointA)
			endpoint(t, b, endpointB)
			require(t, b, a, at)
		}
	}
	tests := map[string]struct {
		set  func(t *testing.T, a, b *zyre.Zyre)
		meet bool
	}{
		"defaults":                 {func(*testing.T, *zyre.Zyre, *zyre.Zyre) {}, true},
		"loopback":                 {func(_ *testing.T, a, b *zyre.Zyre) { a.SetInterface("lo"); b.SetInterface("127.0.0.1") }, true},
		"loopback and LAN":         {func(_ *testing.T, a, b *zyre.Zyre) { a.SetInterface("lo"); b.SetInterface("eth0") }, false},
		"by address":               {func(_ *testing.T, a, b *zyre.Zyre) { a.SetInterface("10.0.0.1"); b.SetInterface("*") }, true},
		"UDP port":                 {func(_ *testing.T, a, b *zyre.Zyre) { a.SetPort(1234); b.SetPort(1234) }, true},
		"other UDP port":           {func(_ *testing.T, a, b *zyre.Zyre) { a.SetPort(1234) }, false},
		"peer port":                {func(_ *testing.T, a, b *zyre.Zyre) { a.SetBeaconPeerPort(99); b.SetBeaconPeerPort(99) }, true},
		"interval":                 {func(_ *testing.T, a, b *zyre.Zyre) { a.SetInterval(time.Hour); b.SetInterval(time.Hour) }, true},
		"endpoint alone":           {func(t *testing.T, a, b *zyre.Zyre) { endpoint(t, a, "tcp://eth0:*") }, false},
		"endpoint, beacons":        {func(t *testing.T, a, b *zyre.Zyre) { endpoint(t, a, "tcp://*:*"); a.SetPort(5670) }, true},
		"required":                 {required("tcp://10.0.0.1:7000", "tcp://*:*", "tcp://10.0.0.1:7000"), true},
		"required by name":         {required("tcp://*:7000", "tcp://*:*", "tcp://a:7000"), true},
		"required by another name": {required("tcp://*:7000", "tcp://*:*", "tcp://nobody:7000"), false},
		"localhost":                {required("tcp://127.0.0.1:7000", "tcp://127.0.0.1:*", "tcp://localhost:7000"), true},
		"inproc":                   {required("inproc://a", "inproc://b", "inproc://a"), true},
		"advertised": {func(t *testing.T, a, b *zyre.Zyre) {
			endpoint(t, a, "tcp://*:7000")
			endpoint(t, b, "tcp://*:*")
			a.SetAdvertisedEndpoint("tcp://10.0.0.1:7000")
			require(t, b, a, "tcp://10.0.0.1:7000")
		}, true},
		"gossip": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.GossipBind("tcp://*:9999")
			b.GossipConnect("tcp://10.0.0.1:9999")
		}, true},
		"gossip by name": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.GossipBind("tcp://*:9999")
			b.GossipConnect("tcp://a:9999")
		}, true},
		"advertised by name": {func(t *testing.T, a, b *zyre.Zyre) {
			endpoint(t, a, "tcp://*:7000")
			a.SetAdvertisedEndpoint("tcp://a:7000").GossipBind("tcp://*:9999")
			b.GossipConnect("tcp://10.0.0.1:9999")
		}, true},
		"advertised by another name": {func(t *testing.T, a, b *zyre.Zyre) {
			endpoint(t, a, "tcp://*:7000")
			endpoint(t, b, "tcp://*:7000")
			a.SetAdvertisedEndpoint("tcp://nobody:7000").GossipBind("tcp://*:9999")
			b.SetAdvertisedEndpoint("tcp://nobody:7000").GossipConnect("tcp://10.0.0.1:9999")
		}, false},
		"gossip elsewhere": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.GossipBind("tcp://*:9999")
			b.GossipConnect("tcp://10.0.0.1:9998")
		}, false},
		"gossip by inproc": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.GossipBind("inproc://hub")
			b.GossipConnect("inproc://hub")
		}, true},
		"secure gossip": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.SetZCert(alice.PublicKey, alice.SecretKey).SetAuthorizedKeys(bob.PublicKey).GossipBind("tcp://*:9999")
			b.SetZCert(bob.PublicKey, bob.SecretKey).GossipConnectCurve(alice.PublicKey, "tcp://a:9999")
		}, true},
		"gossip with another key": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.SetZCert(alice.PublicKey, alice.SecretKey).SetAuthorizedKeys(bob.PublicKey).GossipBind("tcp://*:9999")
			b.SetZCert(bob.PublicKey, bob.SecretKey).GossipConnectCurve(bob.PublicKey, "tcp://a:9999")
		}, false},
		"secure": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.SetZCert(alice.PublicKey, alice.SecretKey)
			b.SetZCert(bob.PublicKey, bob.SecretKey)
		}, true},
		"authorized": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.SetZCert(alice.PublicKey, alice.SecretKey).SetAuthorizedKeys(bob.PublicKey)
			b.SetZCert(bob.PublicKey, bob.SecretKey).SetAuthorizedKeys(alice.PublicKey)
		}, true},
		"not authorized": {func(_ *testing.T, a, b *zyre.Zyre) {
			a.SetZCert(alice.PublicKey, alice.SecretKey).SetAuthorizedKeys()
			b.SetZCert(bob.PublicKey, bob.SecretKey)
		}, false},
		"secure and plain": {func(_ *testing.T, a, b *zyre.Zyre) { a.SetZCert(alice.PublicKey, alice.SecretKey) }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t)
				a, b := network.NewNode("a"), network.NewNode("b")
				test.set(t, a, b)
				start(t, a, b)
				bubble.Sleep(10 * time.Second)
				if met := len(a.Peers()) == 1 && len(b.Peers()) == 1; met != test.meet {
					t.Errorf("met: %t, want %t", met, test.meet)
				}
			})
		})
	}
}

// Who is required by an endpoint alone is met again within seconds after a crash, whether
// the process that takes its place has the same UUID or another.
func TestNetwork_requiredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		servers := []*zyre.Zyre{network.NewNode("first"), network.NewNode("second")}
		client := network.NewNode("client").SetLogger(nil)
		must(t, "SetEndpoint", client.SetEndpoint("tcp://*:*"))
		must(t, "RequirePeer", client.RequirePeer("", "tcp://127.0.0.1:7000", ""))
		start(t, client)
		for _, z := range servers {
			must(t, "SetEndpoint", z.SetEndpoint("tcp://127.0.0.1:7000"))
		}
		for _, i := range []int{0, 0, 1} {
			start(t, servers[i])
			bubble.Sleep(5 * time.Second)
			if got := client.PeersByName(servers[i].Name()); len(got) != 1 || len(servers[i].Peers()) != 1 {
				t.Errorf("%s has not entered 5 s after its start", servers[i].Name())
			}
			network.Kill(servers[i])
			bubble.Sleep(2 * time.Second)
		}
	})
}

// What cannot be bound makes Start fail, as between hosts.
func TestNetwork_startErrors(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://*:7000":         "address already in use",
		"tcp://127.0.0.1:7000": "address already in use",
		"tcp://10.0.0.9:7000":  "cannot assign requested address",
		"inproc://taken":       "address already in use",
	} {
		synctest.Test(t, func(t *testing.T) {
			network := zyretest.NewNetwork(t)
			for _, taken := range []string{"tcp://127.0.0.1:7000", "inproc://taken"} {
				node := network.NewNode("node")
				must(t, "SetEndpoint", node.SetEndpoint("%s", taken))
				start(t, node)
			}
			node := network.NewNode("late")
			must(t, "SetEndpoint", node.SetEndpoint("%s", endpoint))
			err := node.Start()
			if endpoint == "tcp://*:7000" { // which is its own address on the LAN, and loopback if that is free
				must(t, "Start", err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Start() at %s = %v, want an error with %q", endpoint, err, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		node := zyretest.NewNetwork(t).NewNode("node").SetInterface("eth7")
		if err := node.Start(); !errors.Is(err, zyre.ErrNoInterface) {
			t.Errorf("Start() with eth7 = %v, want ErrNoInterface", err)
		}
	})
}

// A key that is revoked ends the session, and one that is authorized again begins another.
func TestNetwork_revokedKey(t *testing.T) {
	alice, err := zyre.NewCert()
	if err != nil {
		t.Skip(err)
	}
	bob, err := zyre.NewCert()
	must(t, "NewCert", err)
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		a := network.NewNode("a").SetZCert(alice.PublicKey, alice.SecretKey).SetAuthorizedKeys(bob.PublicKey)
		b := network.NewNode("b").SetZCert(bob.PublicKey, bob.SecretKey)
		logs := start(t, a, b)
		bubble.Sleep(time.Second)
		a.SetAuthorizedKeys()
		bubble.Sleep(time.Minute)
		logs[0].expect(t, "ENTER b, EXIT b key revoked")
		if refused := a.Stats().Dropped.KeysRefused; refused == 0 {
			t.Error("no key was refused, want b's")
		}
		a.SetAuthorizedKeys(bob.PublicKey)
		bubble.Sleep(time.Minute)
		logs[0].expect(t, "ENTER b")
	})
}

// Gossip goes on when its hub was killed and started again, and when it was cut off.
func TestNetwork_gossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		hub := network.NewNode("hub").GossipBind("tcp://*:9999")
		nodes := []*zyre.Zyre{hub}
		newNode := func() *zyre.Zyre {
			node := network.NewNode(fmt.Sprint("node", len(nodes))).GossipConnect("tcp://hub:9999")
			nodes = append(nodes, node)
			start(t, node)
			return node
		}
		check := func(when string) {
			t.Helper()
			for _, node := range nodes {
				if got, want := len(node.Peers()), len(nodes)-1; got != want {
					t.Errorf("%s %s has %d peers, want %d", when, node.Name(), got, want)
				}
			}
		}
		start(t, hub)
		newNode()
		newNode()
		bubble.Sleep(5 * time.Second)
		check("at first")
		if s := hub.Stats().Gossip; s.Clients != 2 || s.Tuples != 3 {
			t.Errorf("the hub has %d clients, %d tuples, want 2, 3", s.Clients, s.Tuples)
		}
		network.Kill(hub)
		bubble.Sleep(2 * time.Second)
		if h := nodes[1].Stats().Gossip.Hubs[0]; !h.Since.IsZero() || h.LastError == "" {
			t.Errorf("without the hub its state is %+v, want an error", h)
		}
		start(t, hub)
		newNode()
		bubble.Sleep(40 * time.Second)
		check("after the hub was killed")
		network.Partition(hub)
		bubble.Sleep(3 * time.Minute)
		if got := len(hub.Peers()); got != 0 {
			t.Errorf("behind a partition the hub has %d peers, want 0", got)
		}
		late := newNode()
		bubble.Sleep(time.Minute)
		if got := len(late.Peers()); got != 0 {
			t.Errorf("without the hub a new node has %d peers, want 0", got)
		}
		network.Heal()
		bubble.Sleep(time.Minute)
		check("after a partition")
		network.Break(hub, late)
		nodes[1].Stop()
		nodes = append(nodes[:1], nodes[2:]...)
		bubble.Sleep(10 * time.Second)
		check("at the end")
	})
}

// A peer whose application takes nothing pushes back, and loses nothing.
func TestNetwork_backPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, size = 64 << 10, 1 << 10
		network := zyretest.NewNetwork(t)
		a, b := network.NewNode("a"), network.NewNode("b").SetQueueLimit(limit).SetWindow(limit)
		start(t, a)
		must(t, "Start", b.Start()) // nobody reads its events
		bubble.Sleep(time.Second)
		sent := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := a.WhisperContext(ctx, b.UUID(), []byte(fmt.Sprint(sent)), make([]byte, size))
			cancel()
			if err != nil {
				if !errors.Is(err, zyre.ErrPushedBack) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("WhisperContext = %v, want ErrPushedBack", err)
				}
				break
			}
			if sent++; sent > 100_000 {
				t.Fatal("nobody pushes back")
			}
		}
		if !b.Stats().Paused {
			t.Error("the receiver has not paused")
		}
		got := 0
		for e := range b.Events() {
			if e.Type == zyre.EventExit {
				t.Fatal("the sender has exited")
			}
			if e.Type != zyre.EventWhisper {
				continue
			}
			if want := fmt.Sprint(got); string(e.Msg) != want {
				t.Fatalf("message %q, want %s", e.Msg, want)
			}
			if got++; got == sent {
				break
			}
		}
	})
}

// The members of a group agree on a leader, and on another one when it is killed.
func TestNetwork_election(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := crowd(network, 5, "hall")
		for _, node := range nodes[:4] {
			node.SetContestInGroup("hall")
		}
		start(t, nodes...)
		leader := func(nodes []*zyre.Zyre) string {
			first, ok := nodes[0].Leader("hall")
			for _, node := range nodes {
				if l, _ := node.Leader("hall"); l != first || !ok {
					t.Errorf("%s follows %q, %s follows %q", nodes[0].Name(), first, node.Name(), l)
				}
			}
			return first
		}
		bubble.Sleep(5 * time.Second)
		first := leader(nodes)
		var others []*zyre.Zyre
		for _, node := range nodes {
			if node.UUID() == first {
				network.Kill(node)
				continue
			}
			others = append(others, node)
		}
		bubble.Sleep(time.Minute)
		if second := leader(others); second == first || len(others) != 4 {
			t.Errorf("%s leads after it was killed, %d others", first, len(others))
		}
	})
}

// Start after Stop, again and again; the log ends with the node.
func TestNetwork_startAgain(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		a.Stop()
		a.SetLogger(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
		for range 10 {
			start(t, a)
			bubble.Sleep(time.Second)
			a.Stop()
			bubble.Sleep(time.Second)
		}
		<-la.ended
		lb.expect(t, "EXIT a goodbye"+strings.Repeat(", ENTER a, EXIT a goodbye", 10))
	})
}
