package zyre

import (
	"os/exec"
	"testing"
	"time"
)

const beaconPort = "5670"

// heard is a pattern for what beaconHelper says about a datagram.
func heard(data, from, on string) string {
	return `^HEARD "` + data + `" from ` + from + " on " + on + "$"
}

func TestNetBeacon_default(t *testing.T) {
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	a.ip("link", "add", "docker0", "type", "bridge")
	a.addAddr("docker0", "172.17.0.1/16")
	a.ip("link", "set", "docker0", "up")
	pa := a.start("beacon", beaconPort, "", "ZREa")
	pb := b.start("beacon", beaconPort, "", "ZREb")
	pb2 := b.start("beacon", beaconPort, "", "ZREb2") // another node of the same host
	pa.expect(`^ADDRESS 10\.78\.0\.1$`)
	pa.expect(heard("ZREb", "10.78.0.2", "eth0"))
	pa.expect(heard("ZREb2", "10.78.0.2", "eth0"))
	pb.expect(heard("ZREa", "10.78.0.1", "eth0"))
	pb.expect(heard("ZREb2", "10.78.0.2", "eth0"))
	pb2.expect(heard("ZREb", "10.78.0.2", "eth0"))
	pa.send("bye ZREbye")
	pb.expect(heard("ZREbye", "10.78.0.1", "eth0"))
}

func TestNetBeacon_all(t *testing.T) {
	n := newNet(t)
	n.lan("left")
	n.lan("right")
	m, l, r := n.host("middle"), n.host("l"), n.host("r")
	m.connect("left", "eth0", "10.1.0.1/24")
	m.connect("right", "eth1", "10.2.0.1/24")
	l.connect("left", "eth0", "10.1.0.2/24")
	r.connect("right", "eth0", "10.2.0.2/24")
	pm := m.start("beacon", beaconPort, "*", "ZREm")
	pl := l.start("beacon", beaconPort, "eth0", "ZREl")
	pr := r.start("beacon", beaconPort, "eth0", "ZREr")
	pl.expect(heard("ZREm", `10\.1\.0\.1`, "eth0"))
	pr.expect(heard("ZREm", `10\.2\.0\.1`, "eth0"))
	pm.expect("^LINKS eth0 10.1.0.1 10.1.0.255, eth1 10.2.0.1 10.2.0.255$")
	pm.expect(heard("ZREl", `10\.1\.0\.2`, "eth0"))
	pm.expect(heard("ZREr", `10\.2\.0\.2`, "eth1"))
}

// Two nodes of one host, each on an interface of its own, do not hear what
// belongs to the other, though all sockets have the same port.
func TestNetBeacon_apart(t *testing.T) {
	n := newNet(t)
	n.lan("left")
	n.lan("right")
	m, l, r := n.host("middle"), n.host("l"), n.host("r")
	m.connect("left", "eth0", "10.1.0.1/24")
	m.connect("right", "eth1", "10.2.0.1/24")
	l.connect("left", "eth0", "10.1.0.2/24")
	r.connect("right", "eth0", "10.2.0.2/24")
	ml := m.start("beacon", beaconPort, "eth0", "ZREml")
	mr := m.start("beacon", beaconPort, "10.2.0.1", "ZREmr")
	pl := l.start("beacon", beaconPort, "", "ZREl")
	pr := r.start("beacon", beaconPort, "", "ZREr")
	ml.expect(heard("ZREl", `10\.1\.0\.2`, "eth0"))
	mr.expect(heard("ZREr", `10\.2\.0\.2`, "eth1"))
	pl.expect(heard("ZREml", `10\.1\.0\.1`, "eth0"))
	pr.expect(heard("ZREmr", `10\.2\.0\.1`, "eth0"))
	for p, foreign := range map[*testProc]string{ml: "ZREr|ZREmr", mr: "ZREl|ZREml", pl: "ZREmr", pr: "ZREml"} {
		if line, ok := p.find(`^HEARD "(`+foreign+`)"`, 300*time.Millisecond); ok {
			t.Errorf("%s: %s, want nothing of the other network", p.name, line)
		}
	}
}

// An address chosen out of two of an interface is the source of the beacons.
func TestNetBeacon_secondAddress(t *testing.T) {
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24", "10.78.0.91/24", "10.79.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24", "10.79.0.2/24")
	pb := b.start("beacon", beaconPort, "eth0", "ZREb")
	pa := a.start("beacon", beaconPort, "10.78.0.91", "ZREa")
	pa79 := a.start("beacon", beaconPort, "10.79.0.1", "ZREa79")
	pa.expect(`^ADDRESS 10\.78\.0\.91$`)
	pb.expect(heard("ZREa", `10\.78\.0\.91`, "eth0"))
	pb.expect(heard("ZREa79", `10\.79\.0\.1`, "eth0"))
	pa.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
	pa79.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
}

func TestNetBeacon_noNetworkAtStart(t *testing.T) {
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	a.ip("link", "set", "eth0", "down")
	a.ip("link", "set", "lo", "down")
	pb := b.start("beacon", beaconPort, "eth0", "ZREb")
	named := a.start("beacon", beaconPort, "eth0", "ZREnamed")
	any := a.start("beacon", beaconPort, "", "ZREany")
	for _, p := range []*testProc{named, any} {
		p.expect("^ADDRESS $")
		p.expect("^LINKS $")
	}
	a.ip("link", "set", "eth0", "up")
	up := time.Now()
	for _, p := range []*testProc{named, any} {
		p.expect(`^LINKS eth0 10\.78\.0\.1`)
		p.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
	}
	pb.expect("ZREnamed|ZREany")
	t.Logf("in use %v after the link came up", time.Since(up).Round(time.Millisecond))
}

func TestNetBeacon_downAndUp(t *testing.T) {
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	pa := a.start("beacon", beaconPort, "eth0", "ZREa")
	pb := b.start("beacon", beaconPort, "eth0", "ZREb")
	pa.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
	pb.expect(heard("ZREa", `10\.78\.0\.1`, "eth0"))

	a.ip("link", "set", "eth0", "down")
	pa.expect("^LINKS $")
	a.ip("link", "set", "eth0", "up")
	pa.expect(`^LINKS eth0 10\.78\.0\.1 `)
	pb.skip()
	pa.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
	pb.expect(heard("ZREa", `10\.78\.0\.1`, "eth0"))

	// Another address.
	a.ip("addr", "flush", "dev", "eth0", "scope", "global")
	a.addAddr("eth0", "10.78.0.9/24")
	pa.expect(`^LINKS eth0 10\.78\.0\.9 `)
	pb.expect(heard("ZREa", `10\.78\.0\.9`, "eth0"))

	// The interface goes, and another one of the same name comes.
	a.ip("link", "del", "eth0")
	pa.expect("^LINKS $")
	a.connect("lan", "eth0", "10.78.0.10/24")
	pa.expect(`^LINKS eth0 10\.78\.0\.10 `)
	pb.expect(heard("ZREa", `10\.78\.0\.10`, "eth0"))
	pa.skip()
	pa.expect(heard("ZREb", `10\.78\.0\.2`, "eth0"))
}

func TestNetBeacon_ipv6(t *testing.T) {
	n := newNet(t)
	n.lan("lan")
	a, b, c := n.host("a"), n.host("b"), n.host("c")
	a.connect("lan", "eth0", "fe80::a1/64")
	b.connect("lan", "wlan0", "fe80::b1/64", "fd00::b1/64")
	c.connect("lan", "eth0", "fd00::c1/64", "10.78.0.3/24")
	// On a the link-local address made by the kernel may win over ours.
	pa := a.start("beacon", beaconPort, "fe80::a1", "ZREa")
	pb := b.start("beacon", beaconPort, "fe80::b1%wlan0", "ZREb")
	pg := b.start("beacon", beaconPort, "", "ZREg")
	pc := c.start("beacon", beaconPort, "fd00::c1", "ZREc")
	pa.expect("^ADDRESS fe80::a1%eth0$")
	pg.expect("^ADDRESS fd00::b1$")
	pa.expect(heard("ZREb", "fe80::b1%eth0", "eth0"))
	pa.expect(heard("ZREg", "fd00::b1", "eth0"))
	pb.expect(heard("ZREa", "fe80::a1%wlan0", "wlan0"))
	pc.expect(heard("ZREg", "fd00::b1", "eth0"))
	pc.expect(heard("ZREa", "fe80::a1%eth0", "eth0"))
	pg.expect(heard("ZREc", "fd00::c1", "wlan0"))
	b.ip("link", "set", "wlan0", "down")
	pb.expect("^LINKS $")
	b.ip("link", "set", "wlan0", "up")
	b.ip("-6", "addr", "replace", "fe80::b1/64", "dev", "wlan0", "nodad")
	pb.expect("^LINKS wlan0 fe80::b1%wlan0 -$")
	pa.skip()
	pa.expect(heard("ZREb", "fe80::b1%eth0", "eth0"))
}

// What a node sends on a host where sending is forbidden is tried again.
func TestNetBeacon_forbidden(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skipf("no nft command: %v", err)
	}
	n := newNet(t)
	n.lan("lan")
	a, b := n.host("a"), n.host("b")
	a.connect("lan", "eth0", "10.78.0.1/24")
	b.connect("lan", "eth0", "10.78.0.2/24")
	pa := a.start("beacon", beaconPort, "eth0", "ZREa")
	pb := b.start("beacon", beaconPort, "eth0", "ZREb")
	pb.expect(heard("ZREa", `10\.78\.0\.1`, "eth0"))
	a.do("nft", "add table inet zyre; add chain inet zyre out { type filter hook output priority 0; policy drop; }")
	deadline := time.Now().Add(patience)
	for failed := false; !failed; {
		if time.Now().After(deadline) {
			t.Fatal("no send has failed")
		}
		pa.send("stats")
		_, failed = pa.find("^STATS .* errors [1-9]", 100*time.Millisecond)
	}
	a.do("nft", "delete table inet zyre")
	pb.skip()
	pb.expect(heard("ZREa", `10\.78\.0\.1`, "eth0"))
}
