package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// Gossip joins nodes of two networks that a router connects, where no broadcast passes.
func TestNet_gossip(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("left")
	n.Switch("right")
	router := n.Host("router")
	router.Connect("left", "eth0", "10.1.0.254/24")
	router.Connect("right", "eth1", "10.2.0.254/24")
	router.Forward()
	host := func(name, lan, addr, via string) *netns.Host {
		h := n.Host(name)
		h.Connect(lan, "eth0", addr)
		h.DefaultRoute(via)
		return h
	}
	const at = "tcp://10.1.0.1:9999"
	binds, connects := child.Config{GossipBind: at}, child.Config{GossipConnect: at}
	hub := host("a", "left", "10.1.0.1/24", "10.1.0.254")
	a := node(hub, binds)
	b := node(host("b", "right", "10.2.0.2/24", "10.2.0.254"), connects)
	c := node(host("c", "right", "10.2.0.3/24", "10.2.0.254"), connects)
	within(t, 5*time.Second, "meshed", meshed(a, b, c), a, b, c)
	checkAddress(t, a, "b", "10.2.0.2")
	checkAddress(t, c, "a", "10.1.0.1")
	checkTalk(t, a, b, c)
	checkPairs(t, time.Time{}, 1, a, b, c)

	// The hub's host is cut off for a while: the others keep each other.
	cut := time.Now()
	hub.Down("eth0")
	within(t, times.expired+2*time.Second, "a is gone", apart([]*child.Node{a}, []*child.Node{b, c}), a, b, c)
	hub.Up("eth0")
	hub.DefaultRoute("10.1.0.254")
	within(t, 10*time.Second, "a is back", meshed(a, b, c), a, b, c)
	checkPairs(t, cut, 0, b, c)
	checkPairs(t, cut, 1, a, b)
	checkPairs(t, cut, 1, a, c)

	// It dies, and starts again: who comes later finds all by it.
	a.Process.Kill()
	binds.Name = "fresh"
	fresh := node(hub, binds)
	d := node(host("d", "left", "10.1.0.4/24", "10.1.0.254"), connects)
	within(t, 5*time.Second, "all found again", meshed(fresh, b, c, d), fresh, b, c, d)
	checkTalk(t, fresh, b, c, d)
	b.Stop()
	within(t, time.Second, "b is gone", lost("b", fresh, c, d), fresh, c, d)
}
