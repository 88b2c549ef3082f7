package netif

import (
	"net/netip"
	"testing"
)

func TestHostOf(t *testing.T) {
	for _, c := range []struct {
		what, a, b string
		same       bool
	}{
		{"two addresses of IPv4", "10.0.0.1", "10.0.0.2", false},
		{"one, mapped into IPv6", "10.0.0.1", "::ffff:10.0.0.1", true},
		{"two that are mapped", "::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
		{"a subnet of IPv6", "2001:db8::1", "2001:db8::ffff:2:3:4", true},
		{"two subnets", "2001:db8::1", "2001:db8:0:1::1", false},
		{"unique local addresses", "fd00::1", "fd00::2", true},
		{"two of a link", "fe80::1%eth0", "fe80::2%eth0", false},
		{"one of a link", "fe80::1%eth0", "fe80::1%eth0", true},
		{"the same on two links", "fe80::1%eth0", "fe80::1%eth1", false},
		{"loopback of both kinds", "127.0.0.1", "::1", false},
	} {
		a, b := HostOf(netip.MustParseAddr(c.a)), HostOf(netip.MustParseAddr(c.b))
		if got := a == b; got != c.same {
			t.Errorf("%s: HostOf(%s) = %v, HostOf(%s) = %v: same = %t, want %t", c.what, c.a, a, c.b, b, got, c.same)
		}
	}
	if got := HostOf(netip.Addr{}); got.IsValid() {
		t.Errorf("HostOf of no address = %v, want none", got)
	}
}
