package netif_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestChoose(t *testing.T) {
	twoAddrs := netiftest.Interface(2, "eth0", netiftest.LANFlags, "192.0.2.7/24", "192.0.2.92/24")
	mixed := netiftest.Interface(2, "eth0", netiftest.LANFlags, "fd00::7/64", "169.254.1.1/16", "192.0.2.7/24")
	twoSubnets := netiftest.Interface(2, "eth0", netiftest.LANFlags, "192.0.2.7/24", "192.0.2.9/32", "10.0.0.7/24", "10.0.0.8/24", "fe80::7/64")
	tests := []struct {
		name   string
		want   string
		host   []netif.Interface
		inUse  []netif.Interface
		links  string // "name address broadcast" of each, joined by ", "
		reason string // part of it
		err    error
	}{
		{name: "one wire", host: []netif.Interface{netiftest.Lo, netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "only interface"},
		{name: "crowded", host: []netif.Interface{netiftest.Lo, netiftest.Docker, netiftest.Veth, netiftest.Tun, netiftest.Bridge, netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "wire and wifi, route by wifi", host: []netif.Interface{netiftest.Lo, netiftest.Eth, netiftest.Routed(netiftest.Wlan, 600)},
			links: "wlan0 198.51.100.7 198.51.100.127", reason: "default route"},
		{name: "wire and wifi, two routes", host: []netif.Interface{netiftest.Routed(netiftest.Eth, 100), netiftest.Routed(netiftest.Wlan, 600)},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "default route"},
		{name: "no route, hardware breaks the tie", host: []netif.Interface{netiftest.Eth, netiftest.Device(netiftest.Wlan)},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "no route, first wins", host: []netif.Interface{netiftest.Wlan, netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "route by a tunnel", host: []netif.Interface{netiftest.Lo, netiftest.Routed(netiftest.Tun, 50), netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "route by a bridge of containers", host: []netif.Interface{netiftest.Routed(netiftest.Docker, 1), netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "only virtual ones", host: []netif.Interface{netiftest.Lo, netiftest.Docker, netiftest.Routed(netiftest.Bridge, 0)},
			links: "br-0a1b2c 172.18.0.1 172.18.255.255", reason: "virtual"},
		{name: "link-local loses", host: []netif.Interface{netiftest.Routed(netiftest.ZeroConf, 1), netiftest.Wlan},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "link-local only", host: []netif.Interface{netiftest.Lo, netiftest.ZeroConf},
			links: "eth1 169.254.3.4 169.254.255.255"},
		{name: "IPv6 only", host: []netif.Interface{netiftest.Lo, netiftest.IPv6}, links: "eth6 fd00::9 -"},
		{name: "IPv6 link-local only", host: []netif.Interface{netiftest.Lo, netiftest.IPv6LinkLocal}, links: "eth7 fe80::a%eth7 -"},
		{name: "IPv4 before IPv6", host: []netif.Interface{mixed}, links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "loopback only", host: []netif.Interface{netiftest.Lo, netiftest.Down(netiftest.Eth)},
			links: "lo 127.0.0.1 127.255.255.255", reason: "only loopback"},
		{name: "tunnel and loopback", host: []netif.Interface{netiftest.Lo, netiftest.Tun},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "cable out", host: []netif.Interface{netiftest.Unplugged(netiftest.Eth), netiftest.Wlan},
			links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "only cable out", host: []netif.Interface{netiftest.Lo, netiftest.Unplugged(netiftest.Eth)},
			links: "eth0 192.0.2.7 192.0.2.255", reason: "no carrier"},
		{name: "all down", host: []netif.Interface{netiftest.Down(netiftest.Lo), netiftest.Down(netiftest.Eth)}, reason: "no interface is up"},
		{name: "no interface at all", reason: "no interface is up"},
		{name: "in use stays", host: []netif.Interface{netiftest.Routed(netiftest.Eth, 100), netiftest.Routed(netiftest.Wlan, 600)},
			inUse: []netif.Interface{netiftest.Wlan}, links: "wlan0 198.51.100.7 198.51.100.127"},
		{name: "in use gives way to better", host: []netif.Interface{netiftest.Lo, netiftest.Eth},
			inUse: []netif.Interface{netiftest.Lo}, links: "eth0 192.0.2.7 192.0.2.255"},

		{name: "by name", want: "docker0", host: []netif.Interface{netiftest.Eth, netiftest.Docker},
			links: "docker0 172.17.0.1 172.17.255.255", reason: "by name"},
		{name: "tunnel by name", want: "tun0", host: []netif.Interface{netiftest.Eth, netiftest.Tun},
			links: "tun0 10.8.0.6 10.8.0.255"},
		{name: "loopback by name", want: "lo", host: []netif.Interface{netiftest.Lo, netiftest.Eth},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "loopback without IPv4", want: "lo",
			host: []netif.Interface{netiftest.Interface(1, "lo", netiftest.LoopbackFlags, "::1/128")}, links: "lo ::1 -"},
		{name: "unknown name", want: "eth9", host: []netif.Interface{netiftest.Eth}, err: netif.ErrNoInterface},
		{name: "named is down", want: "eth0", host: []netif.Interface{netiftest.Down(netiftest.Eth)}, reason: "eth0 is down"},
		{name: "named has no address", want: "eth0",
			host: []netif.Interface{netiftest.Interface(2, "eth0", netiftest.LANFlags)}, reason: "eth0 has no address"},

		{name: "by address", want: "192.0.2.92", host: []netif.Interface{netiftest.Lo, twoAddrs},
			links: "eth0 192.0.2.92 192.0.2.255", reason: "by address"},
		{name: "by mapped address", want: "::ffff:192.0.2.92", host: []netif.Interface{twoAddrs},
			links: "eth0 192.0.2.92 192.0.2.255"},
		{name: "by IPv6 address", want: "fe80::9", host: []netif.Interface{netiftest.IPv6}, links: "eth6 fe80::9%eth6 -"},
		{name: "by IPv6 address and zone", want: "fe80::9%eth6", host: []netif.Interface{netiftest.IPv6},
			links: "eth6 fe80::9%eth6 -"},
		{name: "wrong zone", want: "fe80::9%eth0", host: []netif.Interface{netiftest.IPv6}, err: netif.ErrNoInterface},
		{name: "unknown address", want: "192.0.2.8", host: []netif.Interface{netiftest.Eth}, err: netif.ErrNoInterface},
		{name: "address is down", want: "192.0.2.7", host: []netif.Interface{netiftest.Down(netiftest.Eth)}, reason: "eth0 is down"},

		{name: "all", want: "*", host: []netif.Interface{netiftest.Lo, netiftest.Eth, netiftest.Docker, netiftest.Veth, netiftest.Tun, netiftest.Wlan, netiftest.IPv6},
			links: "eth0 192.0.2.7 192.0.2.255, wlan0 198.51.100.7 198.51.100.127, eth6 fd00::9 -"},
		{name: "all, only virtual", want: "*", host: []netif.Interface{netiftest.Lo, netiftest.Docker, netiftest.Tun},
			links: "docker0 172.17.0.1 172.17.255.255"},
		{name: "all, only loopback", want: "*", host: []netif.Interface{netiftest.Lo, netiftest.Down(netiftest.Eth)},
			links: "lo 127.0.0.1 127.255.255.255"},
		{name: "all down, all asked for", want: "*", host: []netif.Interface{netiftest.Down(netiftest.Eth)}, reason: "no interface is up"},

		{name: "LAN bridge of a router", host: []netif.Interface{netiftest.Lo, netiftest.Routed(netiftest.Eth, 0), netiftest.Device(netiftest.Bridge)},
			inUse: []netif.Interface{netiftest.Bridge}, links: "br-0a1b2c 172.18.0.1 172.18.255.255"},
		{name: "bridge of containers beside a LAN bridge", host: []netif.Interface{netiftest.Docker, netiftest.Device(netiftest.Bridge)},
			links: "br-0a1b2c 172.18.0.1 172.18.255.255"},
		{name: "port of a bridge", host: []netif.Interface{netiftest.Port(netiftest.Device(netiftest.Eth)), netiftest.Device(netiftest.Bridge)},
			links: "br-0a1b2c 172.18.0.1 172.18.255.255", reason: "only interface"},
		{name: "all, with ports", want: "*", host: []netif.Interface{netiftest.Port(netiftest.Device(netiftest.IPv6LinkLocal)), netiftest.Device(netiftest.Bridge), netiftest.Wlan, netiftest.Docker},
			links: "br-0a1b2c 172.18.0.1 172.18.255.255, wlan0 198.51.100.7 198.51.100.127"},
		{name: "port by name", want: "eth0", host: []netif.Interface{netiftest.Port(netiftest.Eth)}, links: "eth0 192.0.2.7 192.0.2.255"},

		{name: "two subnets", host: []netif.Interface{twoSubnets}, links: "eth0 192.0.2.7 192.0.2.255, eth0 10.0.0.7 10.0.0.255"},
		{name: "two subnets, by name", want: "eth0", host: []netif.Interface{twoSubnets}, links: "eth0 192.0.2.7 192.0.2.255, eth0 10.0.0.7 10.0.0.255"},
		{name: "two subnets, all", want: "*", host: []netif.Interface{twoSubnets, netiftest.Wlan},
			links: "eth0 192.0.2.7 192.0.2.255, eth0 10.0.0.7 10.0.0.255, wlan0 198.51.100.7 198.51.100.127"},
		{name: "two subnets, by address", want: "10.0.0.7", host: []netif.Interface{twoSubnets}, links: "eth0 10.0.0.7 10.0.0.255"},
		{name: "two subnets, by both addresses", want: "10.0.0.7,192.0.2.7", host: []netif.Interface{twoSubnets},
			links: "eth0 10.0.0.7 10.0.0.255, eth0 192.0.2.7 192.0.2.255"},

		{name: "two names", want: "wlan0,eth0", host: []netif.Interface{netiftest.Lo, netiftest.Eth, netiftest.Docker, netiftest.Wlan},
			links: "wlan0 198.51.100.7 198.51.100.127, eth0 192.0.2.7 192.0.2.255", reason: "by name"},
		{name: "name and address", want: "eth0, 198.51.100.7", host: []netif.Interface{netiftest.Eth, netiftest.Wlan},
			links: "eth0 192.0.2.7 192.0.2.255, wlan0 198.51.100.7 198.51.100.127", reason: "by name, asked for by address"},
		{name: "name and its address", want: "eth0,192.0.2.7", host: []netif.Interface{netiftest.Eth}, links: "eth0 192.0.2.7 192.0.2.255"},
		{name: "two names, one down", want: "eth0,wlan0", host: []netif.Interface{netiftest.Down(netiftest.Eth), netiftest.Wlan},
			links: "wlan0 198.51.100.7 198.51.100.127", reason: "eth0 is down"},
		{name: "two names, one unknown", want: "eth0,eth9", host: []netif.Interface{netiftest.Eth},
			links: "eth0 192.0.2.7 192.0.2.255", err: netif.ErrNoInterface},

		{name: "/31 has no broadcast address", want: "p2p",
			host: []netif.Interface{netiftest.Interface(2, "p2p", netiftest.LANFlags, "192.0.2.6/31")}, links: "p2p 192.0.2.6 255.255.255.255"},
		{name: "/20", want: "eth0",
			host: []netif.Interface{netiftest.Interface(2, "eth0", netiftest.LANFlags, "10.1.17.2/20")}, links: "eth0 10.1.17.2 10.1.31.255"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var inUse []netif.Link
			for _, h := range test.inUse {
				l, _ := h.Link()
				inUse = append(inUse, l)
			}
			got, err := netif.Choose(test.want, test.host, inUse)
			if !errors.Is(err, test.err) {
				t.Fatalf("Choose(%q) error = %v, want %v", test.want, err, test.err)
			}
			if last := test.want[strings.LastIndexByte(test.want, ',')+1:]; err != nil && !strings.Contains(err.Error(), last) {
				t.Errorf("Choose(%q) error = %v, want one that names %s", test.want, err, last)
			}
			if s := netiftest.Format(got.Links); s != test.links {
				t.Errorf("Choose(%q) = %q, want %q (%s)", test.want, s, test.links, got.Reason)
			}
			if !strings.Contains(got.Reason, test.reason) {
				t.Errorf("Choose(%q) reason = %q, want %q", test.want, got.Reason, test.reason)
			}
		})
	}
}

func TestIPv6Subnets(t *testing.T) {
	host := []netif.Interface{
		netiftest.Eth,
		netiftest.Interface(3, "eth1", netiftest.LANFlags, "10.0.1.7/24", "fe80::7/64", "fd00::7/64"),
	}
	for want, subnets := range map[string]string{
		"10.0.1.7": "map[3:[fe80::/64 fd00::/64]]",
		"fd00::7":  "map[3:[fe80::/64 fd00::/64]]",
	} {
		chosen, err := netif.Choose(want, host, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(netif.IPv6Subnets(host, chosen.Links)); got != subnets {
			t.Errorf("IPv6Subnets(links of %s) = %s, want %s", want, got, subnets)
		}
	}
}
