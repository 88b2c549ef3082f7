package netif_test

import (
	"net"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestLink_IsPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8/24": true, "51.15.0.1/32": true, "10.0.0.1/8": false, "172.20.0.1/16": false, "192.168.1.7/24": false,
		"100.64.0.1/10": false, "169.254.1.1/16": false, "127.0.0.1/8": false, "192.0.2.7/24": false, "2001:4860::1/64": false,
	} {
		l, _ := netiftest.Interface(1, "eth0", netiftest.LANFlags, addr).Link()
		if got := l.IsPublic(); got != want {
			t.Errorf("IsPublic() of %s = %t, want %t", addr, got, want)
		}
	}
}

// The best address of an interface: IPv4 before IPv6, and both before what is link-local.
func TestInterface_Link(t *testing.T) {
	for _, c := range []struct{ name, prefixes, want string }{
		{"IPv4", "192.0.2.7/24", "eth0 192.0.2.7 192.0.2.255"},
		{"the first of two", "192.0.2.7/24 10.0.0.7/8", "eth0 192.0.2.7 192.0.2.255"},
		{"IPv4 before IPv6", "fd00::7/64 192.0.2.7/24", "eth0 192.0.2.7 192.0.2.255"},
		{"link-local IPv4 before IPv6", "fd00::7/64 169.254.1.7/16", "eth0 169.254.1.7 169.254.255.255"},
		{"link-local IPv4 last of IPv4", "169.254.1.7/16 192.0.2.7/24", "eth0 192.0.2.7 192.0.2.255"},
		{"link-local IPv6 last, and with its zone", "fe80::7/64 fd00::7/64", "eth0 fd00::7 -"},
		{"link-local IPv6 alone", "fe80::7/64", "eth0 fe80::7%eth0 -"},
		{"broadcast within an octet", "10.1.17.2/20", "eth0 10.1.17.2 10.1.31.255"},
		{"no broadcast address of its own", "192.0.2.7/31", "eth0 192.0.2.7 255.255.255.255"},
		{"a whole network", "10.0.0.7/0", "eth0 10.0.0.7 255.255.255.255"},
		{"what is no host's", "0.0.0.0/24 224.0.0.1/24 ::/64 ff02::1/64", ""},
		{"nothing", "", ""},
	} {
		l, ok := netiftest.Interface(2, "eth0", netiftest.LANFlags, strings.Fields(c.prefixes)...).Link()
		got := ""
		if ok {
			got = netiftest.Format([]netif.Link{l})
		}
		if got != c.want {
			t.Errorf("%s: Link() = %q, want %q", c.name, got, c.want)
		}
		if ok && (l.Index != 2 || l.Prefix != l.Prefix.Masked() || !l.Prefix.Contains(l.Addr.WithZone(""))) {
			t.Errorf("%s: Link() = %+v, want index 2, and a prefix that holds the address", c.name, l)
		}
	}
}

// Beside the best address an interface has a link in each further IPv4 subnet.
func TestInterface_Links(t *testing.T) {
	for _, c := range []struct{ name, prefixes, want string }{
		{"one subnet", "192.0.2.7/24 192.0.2.8/24", "192.0.2.7"},
		{"two", "192.0.2.7/24 10.0.0.7/24", "192.0.2.7 10.0.0.7"},
		{"one within the other", "192.0.2.7/24 192.0.2.130/25", "192.0.2.7"},
		{"addresses alone", "192.0.2.7/24 10.0.0.7/31 10.0.1.7/32", "192.0.2.7"},
		{"link-local beside it", "192.0.2.7/24 169.254.1.7/16", "192.0.2.7"},
		{"what is no host's", "192.0.2.7/24 224.0.0.1/24", "192.0.2.7"},
		{"IPv6 beside it", "192.0.2.7/24 fd00::7/64", "192.0.2.7"},
		{"IPv6 only", "fd00::7/64 fd01::7/64", "fd00::7"},
		{"nothing", "", ""},
	} {
		var got []string
		for _, l := range netiftest.Interface(2, "eth0", netiftest.LANFlags, strings.Fields(c.prefixes)...).Links() {
			got = append(got, l.Addr.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: Links() are at %q, want %q", c.name, got, c.want)
		}
	}
}

func TestInterface_Reaches(t *testing.T) {
	const multicastOnly = net.FlagUp | net.FlagMulticast
	for _, c := range []struct {
		name, prefix string
		flags        net.Flags
		want         bool
	}{
		{"a LAN", "192.0.2.7/24", netiftest.LANFlags, true},
		{"a LAN of IPv6", "fd00::7/64", netiftest.LANFlags, true},
		{"no broadcasts", "192.0.2.7/24", multicastOnly, false},
		{"no broadcasts, IPv6", "fd00::7/64", multicastOnly, true},
		{"no multicast, IPv6", "fd00::7/64", net.FlagUp | net.FlagBroadcast, false},
		{"a tunnel", "10.8.0.6/24", netiftest.TunnelFlags | net.FlagBroadcast, false},
		{"a tunnel of IPv6", "fd00::7/64", netiftest.TunnelFlags, false},
	} {
		h := netiftest.Interface(2, "eth0", c.flags, c.prefix)
		l, _ := h.Link()
		if got := h.Reaches(l); got != c.want {
			t.Errorf("%s: Reaches() = %t, want %t", c.name, got, c.want)
		}
	}
}
