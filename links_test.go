package zyre

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const (
	lanFlags      = net.FlagUp | net.FlagRunning | net.FlagBroadcast | net.FlagMulticast
	loopbackFlags = net.FlagUp | net.FlagRunning | net.FlagLoopback
	tunnelFlags   = net.FlagUp | net.FlagRunning | net.FlagPointToPoint | net.FlagMulticast
)

// testInterface invents an interface without a default route.
func testInterface(index int, name string, flags net.Flags, prefixes ...string) hostInterface {
	h := hostInterface{name: name, index: index, flags: flags, metric: noRoute}
	for _, p := range prefixes {
		h.prefixes = append(h.prefixes, netip.MustParsePrefix(p))
	}
	return h
}

func routed(h hostInterface, metric int) hostInterface {
	h.metric = metric
	return h
}

func device(h hostInterface) hostInterface {
	h.hardware = true
	return h
}

var (
	testLo      = testInterface(1, "lo", loopbackFlags, "127.0.0.1/8", "::1/128")
	testEth     = testInterface(2, "eth0", lanFlags, "192.0.2.7/24", "fe80::7/64")
	testWlan    = testInterface(3, "wlan0", lanFlags, "198.51.100.7/25", "fe80::8/64")
	testDocker  = testInterface(4, "docker0", lanFlags, "172.17.0.1/16")
	testVeth    = testInterface(5, "veth12ab", lanFlags, "fe80::5/64")
	testTun     = testInterface(6, "tun0", tunnelFlags, "10.8.0.6/24")
	testBridge  = testInterface(7, "br-0a1b2c", lanFlags, "172.18.0.1/16")
	testZeroCfg = testInterface(8, "eth1", lanFlags, "169.254.3.4/16")
	testSix     = testInterface(9, "eth6", lanFlags, "fe80::9/64", "fd00::9/64")
	testSixLL   = testInterface(10, "eth7", lanFlags, "fe80::a/64")
)

func down(h hostInterface) hostInterface {
	h.flags &^= net.FlagUp | net.FlagRunning
	return h
}

func unplugged(h hostInterface) hostInterface {
	h.flags &^= net.FlagRunning
	return h
}

func TestChooseLinks(t *testing.T) {
	twoAddrs := testInterface(2, "eth0", lanFlags, "192.0.2.7/24", "192.0.2.92/24")
	mixed := testInterface(2, "eth0", lanFlags, "fd00::7/64", "169.254.1.1/16", "192.0.2.7/24")
	tests := []struct {
		name   string
		want   string
		host   []hostInterface
		inUse  []hostInterface
		links  string // "name address broadcast" of each, joined by ", "
		reason string // part of it
		err    error
	}{
		{name: "one wire", host: []hostInterface{testLo, testEth},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "only interface"},
		{name: "crowded", host: []hostInterface{testLo, testDocker, testVeth, testTun, testBridge, testEth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "wire and wifi, route by wifi", host: []hostInterface{testLo, testEth, routed(testWlan, 600)},
			links: "wlan0 198.51.100.7 198.51.100.127", reason: "default route"},
		{name: "wire and wifi, two routes", host: []hostInterface{routed(testEth, 100), routed(testWlan, 600)},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "default route"},
		{name: "no route, hardware breaks the tie", host: []hostInterface{testEth, device(testWlan)},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "no route, first wins", host: []hostInterface{testWlan, testEth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "route by a tunnel", host: []hostInterface{testLo, routed(testTun, 50), testEth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "route by a bridge of containers", host: []hostInterface{routed(testDocker, 1), testEth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "only virtual ones", host: []hostInterface{testLo, testDocker, routed(testBridge, 0)},
			links: "br-0a1b2c 172.18.0.1 172.18.255.255", reason: "virtual"},
		{name: "link-local loses", host: []hostInterface{routed(testZeroCfg, 1), testWlan},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "link-local only", host: []hostInterface{testLo, testZeroCfg},
			links: "eth1 169.254.3.4 169.254.255.255"},
		{name: "IPv6 only", host: []hostInterface{testLo, testSix}, links: "eth6 fd00::9 -"},
		{name: "IPv6 link-local only", host: []hostInterface{testLo, testSixLL}, links: "eth7 fe80::a%eth7 -"},
		{name: "IPv4 before IPv6", host: []hostInterface{mixed}, links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "loopback only", host: []hostInterface{testLo, down(testEth)},
			links: "lo 127.0.0.1 127.255.255.255", reason: "only loopback"},
		{name: "tunnel and loopback", host: []hostInterface{testLo, testTun},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "cable out", host: []hostInterface{unplugged(testEth), testWlan},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "only cable out", host: []hostInterface{testLo, unplugged(testEth)},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "no carrier"},
		{name: "all down", host: []hostInterface{down(testLo), down(testEth)}, reason: "no interface is up"},
		{name: "no interface at all", reason: "no interface is up"},
		{name: "in use stays", host: []hostInterface{routed(testEth, 100), routed(testWlan, 600)},
			inUse: []hostInterface{testWlan}, links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "in use gives way to better", host: []hostInterface{testLo, testEth},
			inUse: []hostInterface{testLo}, links: "eth0 192.0.2.7 192.0.2.255"},

		{name: "by name", want: "docker0", host: []hostInterface{testEth, testDocker},
			links: "docker0 172.17.0.1 172.17.255.255", reason: "by name"},
		{name: "tunnel by name", want: "tun0", host: []hostInterface{testEth, testTun},
			links: "tun0 10.8.0.6 10.8.0.255"},
		{name: "loopback by name", want: "lo", host: []hostInterface{testLo, testEth},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "loopback without IPv4", want: "lo",
			host: []hostInterface{testInterface(1, "lo", loopbackFlags, "::1/128")}, links: "lo ::1 -"},
		{name: "unknown name", want: "eth9", host: []hostInterface{testEth}, err: ErrNoInterface},
		{name: "named is down", want: "eth0", host: []hostInterface{down(testEth)}, reason: "eth0 is down"},
		{name: "named has no address", want: "eth0",
			host: []hostInterface{testInterface(2, "eth0", lanFlags)}, reason: "eth0 has no address"},

		{name: "by address", want: "192.0.2.92", host: []hostInterface{testLo, twoAddrs},
			links: "eth0 192.0.2.92 192.0.2.255", reason: "by address"},
		{name: "by mapped address", want: "::ffff:192.0.2.92", host: []hostInterface{twoAddrs},
			links: "eth0 192.0.2.92 192.0.2.255"},
		{name: "by IPv6 address", want: "fe80::9", host: []hostInterface{testSix}, links: "eth6 fe80::9%eth6 -"},
		{name: "by IPv6 address and zone", want: "fe80::9%eth6", host: []hostInterface{testSix},
			links: "eth6 fe80::9%eth6 -"},
		{name: "wrong zone", want: "fe80::9%eth0", host: []hostInterface{testSix}, err: ErrNoInterface},
		{name: "unknown address", want: "192.0.2.8", host: []hostInterface{testEth}, err: ErrNoInterface},
		{name: "address is down", want: "192.0.2.7", host: []hostInterface{down(testEth)}, reason: "eth0 is down"},

		{name: "all", want: "*", host: []hostInterface{testLo, testEth, testDocker, testVeth, testTun, testWlan, testSix},
			links: "eth0 192.0.2.7 192.0.2.255, wlan0 198.51.100.7 198.51.100.127, eth6 fd00::9 -"},
		{name: "all, only virtual", want: "*", host: []hostInterface{testLo, testDocker, testTun},
			links: "docker0 172.17.0.1 172.17.255.255"},
		{name: "all, only loopback", want: "*", host: []hostInterface{testLo, down(testEth)},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "all down, all asked for", want: "*", host: []hostInterface{down(testEth)}, reason: "no interface is up"},

		{name: "/31 has no broadcast address", want: "p2p",
			host: []hostInterface{testInterface(2, "p2p", lanFlags, "192.0.2.6/31")}, links: "p2p 192.0.2.6 255.255.255.255"},
		{name: "/20", want: "eth0",
			host: []hostInterface{testInterface(2, "eth0", lanFlags, "10.1.17.2/20")}, links: "eth0 10.1.17.2 10.1.31.255"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var inUse []link
			for _, h := range test.inUse {
				l, _ := h.link()
				inUse = append(inUse, l)
			}
			got, err := chooseLinks(test.want, test.host, inUse)
			if !errors.Is(err, test.err) {
				t.Fatalf("chooseLinks(%q) error = %v, want %v", test.want, err, test.err)
			}
			if err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("chooseLinks(%q) error = %v, want one that names it", test.want, err)
			}
			if s := formatLinks(got.links); s != test.links {
				t.Errorf("chooseLinks(%q) = %q, want %q (%s)", test.want, s, test.links, got.reason)
			}
			if !strings.Contains(got.reason, test.reason) {
				t.Errorf("chooseLinks(%q) reason = %q, want %q", test.want, got.reason, test.reason)
			}
		})
	}
}

func formatLinks(links []link) string {
	var s []string
	for _, l := range links {
		broadcast := "-"
		if l.broadcast.IsValid() {
			broadcast = l.broadcast.String()
		}
		s = append(s, l.name+" "+l.addr.String()+" "+broadcast)
	}
	return strings.Join(s, ", ")
}

// What the host tells must agree with what package net tells.
func TestHostInterfaces(t *testing.T) {
	host, err := hostInterfaces()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(host, func(h hostInterface) bool { return h.flags&net.FlagLoopback != 0 })
	if i < 0 {
		t.Skip("no loopback interface")
	}
	ifi, err := net.InterfaceByIndex(host[i].index)
	if err != nil {
		t.Fatal(err)
	}
	want, err := prefixesOf(ifi)
	if err != nil {
		t.Fatal(err)
	}
	if got := host[i].prefixes; !slices.Equal(got, want) {
		t.Errorf("hostInterfaces() of %s = %v, want %v", ifi.Name, got, want)
	}
}

func BenchmarkHostInterfaces(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hostInterfaces(); err != nil {
			b.Fatal(err)
		}
	}
}
