package hosts

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// A node on all networks of its host is found on each of them, at its address there,
// and one that is on the same networks enters once.
func TestNet_allInterfaces(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("left")
	n.Switch("right")
	m, d, l, r := n.Host("m"), n.Host("d"), n.Host("l"), n.Host("r")
	m.Connect("left", "eth0", "10.1.0.1/24")
	m.Connect("right", "eth1", "10.2.0.1/24")
	d.Connect("left", "eth0", "10.1.0.2/24")
	d.Connect("right", "eth1", "10.2.0.2/24")
	l.Connect("left", "eth0", "10.1.0.3/24")
	r.Connect("right", "eth0", "10.2.0.3/24")
	all := child.Config{Interface: "*"}
	nm, nd, nl, nr := node(m, all), node(d, all), node(l, child.Config{}), node(r, child.Config{})
	within(t, 3*time.Second, "left met", meshed(nm, nd, nl), nm, nd, nl)
	within(t, 3*time.Second, "right met", meshed(nm, nd, nr), nm, nd, nr)
	expire(t, d, nm, nd, nl, nr)
	checkAddress(t, nl, "m", "10.1.0.1")
	checkAddress(t, nl, "d", "10.1.0.2")
	checkAddress(t, nr, "m", "10.2.0.1")
	checkAddress(t, nr, "d", "10.2.0.2")
	checkPairs(t, time.Time{}, 1, nm, nd, nl, nr)
	checkTalk(t, nm, nd, nl)

	// One network of m goes: who is on the other notices nothing.
	gone := time.Now()
	m.Down("eth0")
	within(t, times.expired+2*time.Second, "l and m parted", apart([]*child.Node{nl}, []*child.Node{nm}), nl, nm)
	within(t, 10*time.Second, "m, d and r together", meshed(nm, nd, nr), nm, nd, nr)
	expire(t, d, nm, nd, nl, nr)
	checkTalk(t, nm, nd, nr)
	checkPairs(t, gone, 0, nm, nr)
	checkPairs(t, gone, 1, nm, nd)
	checkPairs(t, gone, 0, nd, nr, nl)

	back := time.Now()
	m.Up("eth0")
	within(t, 10*time.Second, "l and m met again", meshed(nm, nd, nl), nl, nm, nd)
	expire(t, d, nm, nd, nl, nr)
	checkAddress(t, nl, "m", "10.1.0.1")
	checkPairs(t, back, 0, nm, nd, nr)
	checkPairs(t, back, 1, nm, nl)
	checkTalk(t, nm, nd, nl)
}

// The port of a node is taken on one of its two networks, which comes up later: the node stays on
// the other, where it still meets newcomers, and is on both once the port is free.
func TestNet_portTakenOnOneLink(t *testing.T) {
	t.Parallel()
	const port = 5671
	n := netns.New(t)
	n.Switch("left")
	n.Switch("right")
	m, l, late, r := n.Host("m"), n.Host("l"), n.Host("late"), n.Host("r")
	m.Connect("left", "eth0", "10.1.0.1/24")
	m.Connect("right", "eth1", "10.2.0.1/24")
	l.Connect("left", "eth0", "10.1.0.2/24")
	r.Connect("right", "eth0", "10.2.0.2/24")
	late.Connect("left", "eth0", "10.1.0.3/24")
	m.Down("eth1")
	holder := holdPort(t, m, "10.2.0.1", port)
	nm, nl, nr := node(m, child.Config{Interface: "*", PeerPort: port}), node(l, child.Config{}), node(r, child.Config{})
	within(t, 3*time.Second, "left met", meshed(nm, nl), nm, nl)

	m.Up("eth1")
	const failure = "cannot bind on an interface"
	within(t, 10*time.Second, "m's failure", func() bool { return logged(nm, failure) > 0 }, nm)
	beacon(t, 12, nl) // the bind is tried again meanwhile
	nlate := node(late, child.Config{})
	within(t, 3*time.Second, "m met by a newcomer", meshed(nm, nl, nlate), nm, nl, nlate)
	checkTalk(t, nm, nl, nlate)
	checkPairs(t, time.Time{}, 1, nm, nl, nlate)
	if n := logged(nm, failure); n != 1 {
		t.Errorf("m has logged its failure %d times, want once", n)
	}

	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second+times.expired, "right met", meshed(nm, nr), nm, nr)
	checkTalk(t, nm, nr)
	checkAddress(t, nr, "m", "10.2.0.1")
	checkPairs(t, time.Time{}, 1, nm, nl, nlate)
}

// holdPort listens on a host at an address that need not be there yet.
func holdPort(t *testing.T, h *netns.Host, addr string, port int) (holder net.Listener) {
	t.Helper()
	free := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var refused error
		err := c.Control(func(fd uintptr) {
			refused = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_FREEBIND, 1)
		})
		return errors.Join(err, refused)
	}}
	h.Within(func() {
		var err error
		if holder, err = free.Listen(t.Context(), "tcp4", net.JoinHostPort(addr, strconv.Itoa(port))); err != nil {
			t.Error(err)
		}
	})
	if holder == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = holder.Close() })
	return holder
}

// The address that was chosen out of several is the one that peers get to know.
func TestNet_secondAddress(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("lan")
	a, b := n.Host("a"), n.Host("b")
	a.Connect("lan", "eth0", "10.78.0.1/24", "10.78.0.91/24")
	b.Connect("lan", "eth0", "10.78.0.2/24")
	na, nb := node(a, child.Config{Interface: "10.78.0.91"}), node(b, child.Config{})
	within(t, 3*time.Second, "meshed", meshed(na, nb), na, nb)
	expire(t, b, na, nb)
	checkAddress(t, nb, "a", "10.78.0.91")
	checkPairs(t, time.Time{}, 1, na, nb)
	checkTalk(t, na, nb)
	if at := na.Started.Endpoint; !strings.HasPrefix(at, "tcp://10.78.0.91:") {
		t.Errorf("a is bound at %s, want 10.78.0.91", at)
	}
}

// Two nodes of one process, each on an interface of its own, stay apart.
func TestNet_oneProcess(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("left")
	n.Switch("right")
	m, l, r := n.Host("m"), n.Host("l"), n.Host("r")
	m.Connect("left", "eth0", "10.1.0.1/24")
	m.Connect("right", "eth1", "10.2.0.1/24")
	l.Connect("left", "eth0", "10.1.0.2/24")
	r.Connect("right", "eth0", "10.2.0.2/24")
	p := m.Start("two nodes")
	m0 := p.Node(configure(child.Config{Interface: "eth0"}, "m0"))
	m1 := p.Node(configure(child.Config{Interface: "eth1"}, "m1"))
	p.StartAll()
	nl, nr := node(l, child.Config{}), node(r, child.Config{})
	within(t, 3*time.Second, "left met", meshed(m0, nl), m0, nl)
	within(t, 3*time.Second, "right met", meshed(m1, nr), m1, nr)
	beacon(t, 8, m0, m1, nl, nr)
	for _, pair := range [][2]*child.Node{{m0, nl}, {m1, nr}} {
		checkTalk(t, pair[0], pair[1])
		for i, n := range pair {
			if other := pair[1-i].Name; n.Count("ENTER") != 1 || !n.Has(other) {
				t.Errorf("%s saw more than %s, want only its own network\n%s", n.Name, other, n)
			}
		}
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
			n := netns.New(t)
			n.Switch("lan")
			var nodes []*child.Node
			var last *netns.Host
			for i, name := range []string{"a", "b", "c"} {
				last = n.Host(name)
				last.Connect("lan", []string{"eth0", "wlan0", "eth7"}[i], test.addrs[i]...)
				nodes = append(nodes, node(last, child.Config{Interface: test.ifaces[i]}))
			}
			within(t, 10*time.Second, "meshed", meshed(nodes...), nodes...)
			checkTalk(t, nodes...)
			expire(t, last, nodes...)
			checkPairs(t, time.Time{}, 1, nodes...)
			checkTalk(t, nodes...)
		})
	}
}

// A card is in two subnets: whoever enters at a node there also sees that node.
func TestNet_twoSubnets(t *testing.T) {
	t.Parallel()
	for iface, both := range map[string]bool{"*": true, "": true, "eth0": true, "10.1.0.1,10.2.0.1": true, "10.1.0.1": false} {
		t.Run(iface, func(t *testing.T) {
			t.Parallel()
			n := netns.New(t)
			n.Switch("lan")
			m, l, r := n.Host("m"), n.Host("l"), n.Host("r")
			m.Connect("lan", "eth0", "10.1.0.1/24", "10.2.0.1/24")
			l.Connect("lan", "eth0", "10.1.0.3/24")
			r.Connect("lan", "eth0", "10.2.0.3/24")
			nm, nl, nr := node(m, child.Config{Interface: iface}), node(l, child.Config{}), node(r, child.Config{})
			within(t, 3*time.Second, "l met", meshed(nm, nl), nm, nl, nr)
			checkAddress(t, nl, "m", "10.1.0.1")
			if both {
				within(t, 3*time.Second, "r met", meshed(nm, nr), nm, nl, nr)
				checkAddress(t, nr, "m", "10.2.0.1")
				checkTalk(t, nm, nr)
			}
			expire(t, l, nm, nl)
			checkPairs(t, time.Time{}, 1, nm, nl, nr)
			if got := nr.Count("ENTER m"); !both && got != 0 {
				t.Errorf("r saw %d ENTER of m, which it cannot reach\n%s", got, nr)
			}
			checkMeshed(t, nm, nl)
			checkTalk(t, nm, nl)
		})
	}
}

// A node on two named interfaces of three is found on those, also when one goes and comes
// back.
func TestNet_namedInterfaces(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	m := n.Host("m")
	var nodes []*child.Node
	for i, name := range []string{"x", "y", "z"} {
		n.Switch(name)
		m.Connect(name, fmt.Sprintf("eth%d", i), fmt.Sprintf("10.%d.0.1/24", i+1))
		h := n.Host(name)
		h.Connect(name, "eth0", fmt.Sprintf("10.%d.0.2/24", i+1))
		nodes = append(nodes, node(h, child.Config{}))
	}
	nx, ny, nz := nodes[0], nodes[1], nodes[2]
	nm := node(m, child.Config{Interface: "eth0,10.2.0.1"})
	within(t, 3*time.Second, "x and y met", func() bool { return meshed(nm, nx)() && meshed(nm, ny)() }, nm, nx, ny, nz)
	m.Disconnect("eth0")
	within(t, times.expired+2*time.Second, "x is gone", apart([]*child.Node{nm}, []*child.Node{nx}), nm, nx)
	checkMeshed(t, nm, ny)
	m.Connect("x", "eth0", "10.1.0.1/24")
	within(t, 10*time.Second, "x is back", meshed(nm, nx), nm, nx)
	checkTalk(t, nm, ny)
	if got := nm.Count("ENTER z") + nz.Count("ENTER m"); got != 0 {
		t.Errorf("m and z saw %d ENTER of each other, want none", got)
	}
}

// A node that only the internet can reach says so, once.
func TestNet_publicAddress(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("lan")
	h := n.Host("h")
	h.Connect("lan", "eth0", "8.8.1.1/24")
	const warning = "the only address is public"
	public := node(h, child.Config{Name: "public"})
	within(t, 5*time.Second, "the warning", func() bool { return logged(public, warning) > 0 }, public)
	if got := logged(public, warning); got != 1 {
		t.Errorf("%d warnings, want 1\n%s", got, public)
	}
	h.Connect("lan", "eth1", "10.1.0.1/24")
	if private := node(h, child.Config{Name: "private", Interface: "*"}); logged(private, warning) != 0 {
		t.Errorf("a warning though there is a private address\n%s", private)
	}
}
