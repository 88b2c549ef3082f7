package zyre

import (
	"strings"
	"testing"
	"time"
)

// address returns where a node has a peer connected, as its last ENTER tells.
func (n *netNode) address(peer string) string {
	e := n.events(time.Time{}, "ENTER", peer)
	if len(e) == 0 {
		return ""
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(e[len(e)-1].detail, "tcp://"), ":")
	return host
}

func checkAddress(t *testing.T, n *netNode, peer, want string) {
	t.Helper()
	if got := n.address(peer); got != want {
		t.Errorf("%s has %s at %s, want %s", n.node, peer, got, want)
	}
}

// A node on all networks of its host is found on each of them, at its address there,
// and one that is on the same networks enters once.
func TestNet_allInterfaces(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	n.lan("left")
	n.lan("right")
	m, d, l, r := n.host("m"), n.host("d"), n.host("l"), n.host("r")
	m.connect("left", "eth0", "10.1.0.1/24")
	m.connect("right", "eth1", "10.2.0.1/24")
	d.connect("left", "eth0", "10.1.0.2/24")
	d.connect("right", "eth1", "10.2.0.2/24")
	l.connect("left", "eth0", "10.1.0.3/24")
	r.connect("right", "eth0", "10.2.0.3/24")
	nm, nd, nl, nr := m.node("-iface", "*"), d.node("-iface", "*"), l.node(), r.node()
	within(t, 3*time.Second, "left met", meshed(nm, nd, nl), nm, nd, nl)
	within(t, 3*time.Second, "right met", meshed(nm, nd, nr), nm, nd, nr)
	netSettled(netTimes.expired + time.Second)
	checkAddress(t, nl, "m", "10.1.0.1")
	checkAddress(t, nl, "d", "10.1.0.2")
	checkAddress(t, nr, "m", "10.2.0.1")
	checkAddress(t, nr, "d", "10.2.0.2")
	checkPairs(t, time.Time{}, 1, nm, nd, nl, nr)
	checkTalk(t, nm, nd, nl)

	// One network of m goes: who is on the other notices nothing.
	gone := time.Now()
	m.ip("link", "set", "eth0", "down")
	within(t, netTimes.expired+2*time.Second, "l and m parted", apart([]*netNode{nl}, []*netNode{nm}), nl, nm)
	within(t, 10*time.Second, "m, d and r together", meshed(nm, nd, nr), nm, nd, nr)
	netSettled(netTimes.expired + time.Second)
	checkTalk(t, nm, nd, nr)
	checkPairs(t, gone, 0, nm, nr)
	checkPairs(t, gone, 1, nm, nd)
	checkPairs(t, gone, 0, nd, nr, nl)

	back := time.Now()
	m.ip("link", "set", "eth0", "up")
	within(t, 10*time.Second, "l and m met again", meshed(nm, nd, nl), nl, nm, nd)
	netSettled(netTimes.expired + time.Second)
	checkAddress(t, nl, "m", "10.1.0.1")
	checkPairs(t, back, 0, nm, nd, nr)
	checkPairs(t, back, 1, nm, nl)
	checkTalk(t, nm, nd, nl)
}

// The address that was chosen out of several is the one that peers get to know.
func TestNet_secondAddress(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24", "10.78.0.91/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	na, nb := a.node("-iface", "10.78.0.91"), b.node()
	within(t, 3*time.Second, "meshed", meshed(na, nb), na, nb)
	netSettled(netTimes.expired + time.Second)
	checkAddress(t, nb, "a", "10.78.0.91")
	checkPairs(t, time.Time{}, 1, na, nb)
	checkTalk(t, na, nb)
	if len(na.written(`endpoints=\[?tcp://10\.78\.0\.91:`)) == 0 {
		t.Errorf("a is not bound at 10.78.0.91\n%s", transcript([]*netNode{na}))
	}
}

// Two nodes of one process, each on an interface of its own, stay apart.
func TestNet_oneProcess(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	n.lan("left")
	n.lan("right")
	m, l, r := n.host("m"), n.host("l"), n.host("r")
	m.connect("left", "eth0", "10.1.0.1/24")
	m.connect("right", "eth1", "10.2.0.1/24")
	l.connect("left", "eth0", "10.1.0.2/24")
	r.connect("right", "eth0", "10.2.0.2/24")
	nm := m.node("-count", "2", "-iface", "eth0,eth1")
	nl, nr := l.node(), r.node()
	met := func() bool { return nl.has("m0") && nr.has("m1") && nm.has("l") && nm.has("r") }
	within(t, 3*time.Second, "met", met, nm, nl, nr)
	netSettled(2 * time.Second)
	for _, e := range nm.events(time.Time{}, "ENTER", "") {
		if (e.node == "m0") != (e.peer == "l") {
			t.Errorf("%s saw %s, want each to see its own network only", e.node, e.peer)
		}
	}
	if nl.has("m1") || nr.has("m0") {
		t.Error("a node was seen on the network of the other")
	}
	checkAddress(t, nl, "m0", "10.1.0.1")
	checkAddress(t, nr, "m1", "10.2.0.1")
}

// Hosts with IPv6 only meet, whatever kind of address they use.
func TestNet_ipv6(t *testing.T) {
	tests := []struct {
		name   string
		addrs  [3][]string
		ifaces [3]string
	}{
		{"linkLocal", [3][]string{{"fe80::a/64"}, {"fe80::b/64"}, {"fe80::c/64"}},
			[3]string{"fe80::a", "fe80::b%wlan0", "fe80::c"}},
		{"linkLocalByDefault", [3][]string{}, [3]string{"", "wlan0", "*"}},
		{"global", [3][]string{{"fd00::a/64"}, {"fd00::b/64"}, {"fd00::c/64"}}, [3]string{}},
		{"mixed", [3][]string{{"fd00::a/64"}, {"fd00::b/64", "fe80::b/64"}, {"fd00::c/64"}},
			[3]string{"fd00::a", "fe80::b", "*"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNet(t)
			n.lan("lan")
			var nodes []*netNode
			for i, name := range []string{"a", "b", "c"} {
				h := n.host(name)
				h.connect("lan", []string{"eth0", "wlan0", "eth7"}[i], test.addrs[i]...)
				nodes = append(nodes, h.node("-iface", test.ifaces[i]))
			}
			within(t, 10*time.Second, "meshed", meshed(nodes...), nodes...)
			checkTalk(t, nodes...)
			netSettled(netTimes.expired + time.Second)
			checkPairs(t, time.Time{}, 1, nodes...)
			checkTalk(t, nodes...)
		})
	}
}
