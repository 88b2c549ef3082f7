package hosts

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

const beaconPort = 5670

// publish starts a Beacon on a host, in a process of its own.
func publish(h *netns.Host, iface, datagram string) *child.Beacon {
	return h.Start("Beacon "+datagram).Beacon(datagram, child.BeaconConfig{
		Port: beaconPort, Interface: iface, Datagram: []byte(datagram),
	})
}

// uses waits until a Beacon has said, once more than before, that it uses an interface
// with an address, or with none of both that it waits for one.
func uses(t *testing.T, b *child.Beacon, ifname, addr string, times int) {
	t.Helper()
	pattern := fmt.Sprintf(`beacons use an interface" interface=%s address="?%s"?( |$)`, ifname, addr)
	if ifname == "" {
		pattern = "no interface for beacons, waiting for one"
	}
	watch.Within(t, watch.Patience, fmt.Sprintf("%s uses %s %s", b.Name, ifname, addr), func() bool {
		return len(b.Process.Lines(pattern)) >= times
	}, output{b})
}

// output is what the process of a Beacon wrote.
type output struct{ *child.Beacon }

func (o output) String() string { return o.Process.Output() }

// checkAt fails the test unless a Beacon used an address from the start.
func checkAt(t *testing.T, b *child.Beacon, want string) {
	t.Helper()
	if b.Address != want {
		t.Errorf("%s: CONFIGURE = %q, want %q", b.Name, b.Address, want)
	}
}

// checkHeardOn fails the test unless a Beacon has heard datagrams on an interface.
func checkHeardOn(t *testing.T, b *child.Beacon, ifname string) {
	t.Helper()
	if len(b.Process.Lines(`beacon heard" interface=`+ifname+" ")) == 0 {
		t.Errorf("%s has heard nothing on %s, want something", b.Name, ifname)
	}
}

func TestNetBeacon_default(t *testing.T) {
	h := netns.NewLAN(t, "a", "b")
	a, b := h[0], h[1]
	a.Bridge("docker0", "172.17.0.1/16")
	pa, pb := publish(a, "", "ZREa"), publish(b, "", "ZREb")
	pb2 := publish(b, "", "ZREb2") // another node of the same host
	checkAt(t, pa, "10.78.0.1")
	pa.Wait(t, "ZREb", "10.78.0.2")
	pa.Wait(t, "ZREb2", "10.78.0.2")
	pb.Wait(t, "ZREa", "10.78.0.1")
	pb.Wait(t, "ZREb2", "10.78.0.2")
	pb2.Wait(t, "ZREb", "10.78.0.2")
	checkHeardOn(t, pa, "eth0")
	pa.Publish("ZREbye")
	pb.Wait(t, "ZREbye", "10.78.0.1")
}

// twoNetworks makes a host in the middle of two networks, with one other on each.
func twoNetworks(t *testing.T) (middle, left, right *netns.Host) {
	t.Helper()
	n := netns.New(t)
	n.Switch("left")
	n.Switch("right")
	m, l, r := n.Host("middle"), n.Host("l"), n.Host("r")
	m.Connect("left", "eth0", "10.1.0.1/24")
	m.Connect("right", "eth1", "10.2.0.1/24")
	l.Connect("left", "eth0", "10.1.0.2/24")
	r.Connect("right", "eth0", "10.2.0.2/24")
	return m, l, r
}

func TestNetBeacon_all(t *testing.T) {
	m, l, r := twoNetworks(t)
	pm, pl, pr := publish(m, "*", "ZREm"), publish(l, "eth0", "ZREl"), publish(r, "eth0", "ZREr")
	pl.Wait(t, "ZREm", "10.1.0.1")
	pr.Wait(t, "ZREm", "10.2.0.1")
	uses(t, pm, "eth0", "10.1.0.1", 1)
	uses(t, pm, "eth1", "10.2.0.1", 1)
	pm.Wait(t, "ZREl", "10.1.0.2")
	pm.Wait(t, "ZREr", "10.2.0.2")
	checkHeardOn(t, pm, "eth0")
	checkHeardOn(t, pm, "eth1")
}

// Two nodes of one host, each on an interface of its own, do not hear what
// belongs to the other, though all sockets have the same port.
func TestNetBeacon_apart(t *testing.T) {
	m, l, r := twoNetworks(t)
	ml, mr := publish(m, "eth0", "ZREml"), publish(m, "10.2.0.1", "ZREmr")
	pl, pr := publish(l, "", "ZREl"), publish(r, "", "ZREr")
	for range 3 { // what is heard by mistake would have been by then
		ml.Wait(t, "ZREl", "10.1.0.2")
		mr.Wait(t, "ZREr", "10.2.0.2")
		pl.Wait(t, "ZREml", "10.1.0.1")
		pr.Wait(t, "ZREmr", "10.2.0.1")
	}
	for b, foreign := range map[*child.Beacon][]string{
		ml: {"ZREr", "ZREmr"}, mr: {"ZREl", "ZREml"}, pl: {"ZREmr"}, pr: {"ZREml"},
	} {
		for _, datagram := range foreign {
			if n := b.Count(datagram, ""); n != 0 {
				t.Errorf("%s heard %s %d times, want nothing of the other network", b.Name, datagram, n)
			}
		}
	}
	checkHeardOn(t, ml, "eth0")
	checkHeardOn(t, mr, "eth1")
}

// An address chosen out of two of an interface is the source of the beacons.
func TestNetBeacon_secondAddress(t *testing.T) {
	n := netns.New(t)
	n.Switch("lan")
	a, b := n.Host("a"), n.Host("b")
	a.Connect("lan", "eth0", "10.78.0.1/24", "10.78.0.91/24", "10.79.0.1/24")
	b.Connect("lan", "eth0", "10.78.0.2/24", "10.79.0.2/24")
	pb := publish(b, "eth0", "ZREb")
	pa, pa79 := publish(a, "10.78.0.91", "ZREa"), publish(a, "10.79.0.1", "ZREa79")
	checkAt(t, pa, "10.78.0.91")
	pb.Wait(t, "ZREa", "10.78.0.91")
	pb.Wait(t, "ZREa79", "10.79.0.1")
	pa.Wait(t, "ZREb", "10.78.0.2")
	pa79.Wait(t, "ZREb", "10.78.0.2")
}

func TestNetBeacon_noNetworkAtStart(t *testing.T) {
	h := netns.NewLAN(t, "a", "b")
	a, b := h[0], h[1]
	a.Down("eth0")
	a.Down("lo")
	pb := publish(b, "eth0", "ZREb")
	named, anyone := publish(a, "eth0", "ZREnamed"), publish(a, "", "ZREany")
	for _, p := range []*child.Beacon{named, anyone} {
		checkAt(t, p, "")
		uses(t, p, "", "", 1)
	}
	a.Up("eth0")
	up := time.Now()
	for _, p := range []*child.Beacon{named, anyone} {
		uses(t, p, "eth0", "10.78.0.1", 1)
		p.Wait(t, "ZREb", "10.78.0.2")
	}
	pb.Wait(t, "ZREnamed", "10.78.0.1")
	pb.Wait(t, "ZREany", "10.78.0.1")
	t.Logf("in use %v after the link came up", time.Since(up).Round(time.Millisecond))
}

func TestNetBeacon_downAndUp(t *testing.T) {
	h := netns.NewLAN(t, "a", "b")
	a, b := h[0], h[1]
	pa, pb := publish(a, "eth0", "ZREa"), publish(b, "eth0", "ZREb")
	pa.Wait(t, "ZREb", "10.78.0.2")
	pb.Wait(t, "ZREa", "10.78.0.1")

	a.Down("eth0")
	uses(t, pa, "", "", 1)
	a.Up("eth0")
	uses(t, pa, "eth0", "10.78.0.1", 2)
	pa.Wait(t, "ZREb", "10.78.0.2")
	pb.Wait(t, "ZREa", "10.78.0.1")

	// Another address.
	a.FlushAddrs("eth0")
	a.AddAddr("eth0", "10.78.0.9/24")
	uses(t, pa, "eth0", "10.78.0.9", 1)
	pb.Wait(t, "ZREa", "10.78.0.9")

	// The interface goes, and another one of the same name comes.
	waited := len(pa.Process.Lines("waiting for one"))
	a.Disconnect("eth0")
	uses(t, pa, "", "", waited+1)
	a.Connect("lan", "eth0", "10.78.0.10/24")
	uses(t, pa, "eth0", "10.78.0.10", 1)
	pb.Wait(t, "ZREa", "10.78.0.10")
	pa.Wait(t, "ZREb", "10.78.0.2")
}

func TestNetBeacon_ipv6(t *testing.T) {
	n := netns.New(t)
	n.Switch("lan")
	a, b, c := n.Host("a"), n.Host("b"), n.Host("c")
	a.Connect("lan", "eth0", "fe80::a1/64")
	b.Connect("lan", "wlan0", "fe80::b1/64", "fd00::b1/64")
	c.Connect("lan", "eth0", "fd00::c1/64", "10.78.0.3/24")
	// On a the link-local address made by the kernel may win over ours.
	pa, pb := publish(a, "fe80::a1", "ZREa"), publish(b, "fe80::b1%wlan0", "ZREb")
	pg, pc := publish(b, "", "ZREg"), publish(c, "fd00::c1", "ZREc")
	checkAt(t, pa, "fe80::a1%eth0")
	checkAt(t, pg, "fd00::b1")
	pa.Wait(t, "ZREb", "fe80::b1%eth0")
	pa.Wait(t, "ZREg", "fd00::b1")
	pb.Wait(t, "ZREa", "fe80::a1%wlan0")
	pc.Wait(t, "ZREg", "fd00::b1")
	pc.Wait(t, "ZREa", "fe80::a1%eth0")
	pg.Wait(t, "ZREc", "fd00::c1")
	checkHeardOn(t, pg, "wlan0")
	b.Down("wlan0")
	uses(t, pb, "", "", 1)
	b.Up("wlan0")
	b.AddAddr("wlan0", "fe80::b1/64")
	uses(t, pb, "wlan0", "fe80::b1%wlan0", 2)
	pa.Wait(t, "ZREb", "fe80::b1%eth0")
}

// What a node sends on a host where sending is forbidden is tried again.
func TestNetBeacon_forbidden(t *testing.T) {
	h := netns.NewLAN(t, "a", "b")
	a, b := h[0], h[1]
	pa, pb := publish(a, "eth0", "ZREa"), publish(b, "eth0", "ZREb")
	pb.Wait(t, "ZREa", "10.78.0.1")
	a.Filter(netns.Out("drop"))
	watch.Until(t, "a send fails", func() bool { return len(pa.Process.Lines("cannot send beacons")) > 0 })
	a.Filter()
	pb.Wait(t, "ZREa", "10.78.0.1")
}
