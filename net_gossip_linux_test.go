package zyre

import (
	"testing"
	"time"
)

// Gossip joins nodes of two networks that a router connects, where no broadcast passes.
func TestNet_gossip(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	n.lan("left")
	n.lan("right")
	router := n.host("router")
	router.connect("left", "eth0", "10.1.0.254/24")
	router.connect("right", "eth1", "10.2.0.254/24")
	router.do("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	host := func(name, lan, addr, via string, flags ...string) (*testHost, *netNode) {
		h := n.host(name)
		h.connect(lan, "eth0", addr)
		h.ip("route", "add", "default", "via", via)
		return h, h.node(flags...)
	}
	const at = "tcp://10.1.0.1:9999"
	hub, a := host("a", "left", "10.1.0.1/24", "10.1.0.254", "-gossipbind", at)
	_, b := host("b", "right", "10.2.0.2/24", "10.2.0.254", "-gossipconnect", at)
	_, c := host("c", "right", "10.2.0.3/24", "10.2.0.254", "-gossipconnect", at)
	within(t, 5*time.Second, "meshed", meshed(a, b, c), a, b, c)
	checkAddress(t, a, "b", "10.2.0.2")
	checkAddress(t, c, "a", "10.1.0.1")
	checkTalk(t, a, b, c)
	checkPairs(t, time.Time{}, 1, a, b, c)

	// The hub's host is cut off for a while: the others keep each other.
	cut := time.Now()
	hub.ip("link", "set", "eth0", "down")
	within(t, netTimes.expired+2*time.Second, "a is gone", apart([]*netNode{a}, []*netNode{b, c}), a, b, c)
	hub.ip("link", "set", "eth0", "up")
	hub.ip("route", "replace", "default", "via", "10.1.0.254")
	within(t, 10*time.Second, "a is back", meshed(a, b, c), a, b, c)
	checkPairs(t, cut, 0, b, c)
	checkPairs(t, cut, 1, a, b)
	checkPairs(t, cut, 1, a, c)

	// It dies, and starts anew: who comes later finds all by it.
	a.kill()
	fresh := hub.nodeNamed("fresh", "-gossipbind", at)
	_, d := host("d", "left", "10.1.0.4/24", "10.1.0.254", "-gossipconnect", at)
	within(t, 5*time.Second, "all found again", meshed(fresh, b, c, d), fresh, b, c, d)
	checkTalk(t, fresh, b, c, d)
	b.send("stop")
	within(t, time.Second, "b is gone", func() bool { return !fresh.has("b") && !c.has("b") && !d.has("b") }, fresh, c, d)
}
