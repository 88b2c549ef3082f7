package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// Two hosts are joined by a VPN, on which nothing can be broadcast. What others are told is
// the address on the way to the hub or the required peer, whatever other networks there are.
func TestNet_tunnel(t *testing.T) {
	t.Parallel()
	const at = "tcp://10.8.0.1:9999"
	for _, test := range []struct {
		name          string
		bits          string // of the prefix on the tunnel
		lans          bool   // each host is on a LAN of its own
		wild          bool   // the hub is bound to all addresses
		gossip        bool
		connectByName bool
		port          int // to have beacons as well
	}{
		{name: "tunnel alone", bits: "/24", gossip: true},
		{name: "tunnel alone, any address", bits: "/24", gossip: true, wild: true},
		{name: "beside a LAN", bits: "/24", gossip: true, lans: true},
		{name: "beside a LAN, by name", bits: "/24", gossip: true, lans: true, connectByName: true},
		{name: "beside a LAN, without a subnet", bits: "/32", gossip: true, lans: true},
		{name: "beside a LAN with beacons", bits: "/24", gossip: true, lans: true, port: 5670},
		{name: "required peer, beside a LAN", bits: "/24", lans: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := netns.New(t)
			a, b := n.Host("a"), n.Host("b")
			if test.lans {
				n.Switch("left")
				n.Switch("right")
				a.Connect("left", "eth0", "192.168.5.1/24")
				b.Connect("right", "eth0", "192.168.7.2/24")
			}
			n.Tunnel("tun0", a, "10.8.0.1"+test.bits, b, "10.8.0.2"+test.bits)
			if test.bits == "/32" {
				a.Route("10.8.0.2/32", "tun0")
				b.Route("10.8.0.1/32", "tun0")
			}
			var na, nb *child.Node
			if test.gossip {
				bind, connect := at, at
				if test.wild {
					bind = "tcp://*:9999"
				}
				if test.connectByName {
					hostNames(t, b, "10.8.0.1 hub.test\n")
					connect = "tcp://hub.test:9999"
				}
				na = node(a, child.Config{GossipBind: bind, Port: test.port})
				nb = node(b, child.Config{GossipConnect: connect, Port: test.port})
			} else {
				na = node(a, child.Config{Endpoint: "tcp://*:7000"})
				nb = node(b, child.Config{Required: []child.Required{{UUID: na.UUID, Endpoint: "tcp://10.8.0.1:7000"}}})
			}
			within(t, 10*time.Second, "met", meshed(na, nb), na, nb)
			checkAddress(t, na, "b", "10.8.0.2")
			checkAddress(t, nb, "a", "10.8.0.1")
			checkTalk(t, na, nb)
			checkPairs(t, time.Time{}, 1, na, nb)
		})
	}
}

// A node that announces a loopback address, and has a hub elsewhere, says so.
func TestNet_loopbackAnnounced(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b")
	const warning = "this node announces a loopback address"
	hub := node(h[0], child.Config{Name: "hub", GossipBind: "tcp://10.78.0.1:9999"})
	wrong := node(h[1], child.Config{Name: "wrong", GossipConnect: "tcp://10.78.0.1:9999", Interface: "lo"})
	fixed := node(h[1], child.Config{Name: "fixed", GossipConnect: "tcp://10.78.0.1:9999", Endpoint: "tcp://127.0.0.1:*"})
	required := node(h[1], child.Config{Name: "required", Endpoint: "tcp://127.0.0.1:*", Required: []child.Required{{Endpoint: "tcp://10.78.0.1:7000"}}})
	inside := node(h[1], child.Config{Name: "inside", GossipBind: "tcp://127.0.0.1:9998", Interface: "lo"})
	for n, want := range map[*child.Node]int{hub: 0, wrong: 1, fixed: 1, required: 1, inside: 0} {
		within(t, reasonTime, n.Name+" warns", func() bool { return logged(n, warning) >= want }, n)
		if got := logged(n, warning); got != want {
			t.Errorf("%s: %d warnings, want %d\n%s", n.Name, got, want, n)
		}
	}
}
