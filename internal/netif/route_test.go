package netif_test

import (
	"net/netip"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestLocalAddr(t *testing.T) {
	for remote, want := range map[string]string{"127.0.0.1": "127.0.0.1", "127.9.9.9": "127.0.0.1", "::ffff:127.0.0.1": "127.0.0.1"} {
		if got, ok := netif.LocalAddr(netip.MustParseAddr(remote)); !ok || got.String() != want {
			t.Errorf("LocalAddr(%s) = %s, %t, want %s", remote, got, ok, want)
		}
	}
	if got, ok := netif.LocalAddr(netip.Addr{}); ok {
		t.Errorf("LocalAddr of no address = %s, want none", got)
	}
}

func TestLinkWith(t *testing.T) {
	host := []netif.Interface{netiftest.Eth, netiftest.Tun}
	for addr, want := range map[string]string{
		"10.8.0.6": "tun0 10.8.0.6 10.8.0.255", "fe80::7": "eth0 fe80::7%eth0 -", "10.9.9.9": " 10.9.9.9 -",
	} {
		if got := netiftest.Format([]netif.Link{netif.LinkWith(netip.MustParseAddr(addr), host)}); got != want {
			t.Errorf("LinkWith(%s) = %q, want %q", addr, got, want)
		}
	}
}

func TestWithoutBroadcast(t *testing.T) {
	host := []netif.Interface{
		netiftest.Lo, netiftest.Tun, netiftest.Eth, netiftest.Docker, netiftest.Down(netiftest.Interface(11, "tun1", netiftest.TunnelFlags, "10.9.0.6/24")),
		netiftest.Interface(12, "tun2", netiftest.TunnelFlags, "fe80::1/64"),
	}
	if got, want := netiftest.Format(netif.WithoutBroadcast(host)), "tun0 10.8.0.6 10.8.0.255"; got != want {
		t.Errorf("WithoutBroadcast() = %q, want %q", got, want)
	}
}
