package transport

import (
	"net/netip"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestEndpointRule_Allows(t *testing.T) {
	link := func(name, addr string) netif.Link { return netif.Link{Name: name, Addr: netip.MustParseAddr(addr)} }
	rule := EndpointRule{
		Links: []netif.Link{link("eth0", "10.0.0.1"), link("eth1", "fe80::1%eth1")}, Port: 7,
		Endpoints: []string{"tcp://10.9.0.1:7"}, Advertised: "tcp://203.0.113.5:8",
		Host: []netif.Interface{netiftest.Interface(7, "docker0", netiftest.LANFlags, "172.17.0.1/16", "2001:db8::1/64")}, Namer: NamedHere,
	}
	local, onLo, one6 := rule, rule, rule
	local.Local = true
	by := func(r EndpointRule, n Namer) EndpointRule { r.Namer = n; return r }
	onLo.Links = []netif.Link{link("lo", "127.0.0.1")}
	one6.Links = rule.Links[1:]
	for _, c := range []struct {
		what     string
		rule     EndpointRule
		endpoint string
		want     bool
	}{
		{"another's", rule, "tcp://10.0.0.2:7", true},
		{"another's at our address", rule, "tcp://10.0.0.1:8", true},
		{"the same, in gossip", by(rule, NamedInGossip), "tcp://10.0.0.1:8", true},
		{"the same, mapped, in gossip", by(rule, NamedInGossip), "tcp://[::ffff:10.0.0.1]:8", true},
		{"the same, by another host", by(rule, NamedElsewhere), "tcp://10.0.0.1:8", false},
		{"the same, mapped, by another host", by(rule, NamedElsewhere), "tcp://[::ffff:10.0.0.1]:8", false},
		{"where we are bound, by another host", by(rule, NamedElsewhere), "tcp://10.9.0.1:8", false},
		{"our link-local address, by another host", by(one6, NamedElsewhere), "tcp://[fe80::1]:8", false},
		{"another's, by another host", by(rule, NamedElsewhere), "tcp://10.0.0.2:8", true},
		{"an interface that is not used", rule, "tcp://172.17.0.1:8", true},
		{"the same, in gossip", by(rule, NamedInGossip), "tcp://172.17.0.1:8", false},
		{"the same, in gossip, if the application uses loopback", by(local, NamedInGossip), "tcp://172.17.0.1:8", true},
		{"the same, by another host", by(rule, NamedElsewhere), "tcp://172.17.0.1:8", false},
		{"an address of IPv6 that is not used, by another host", by(rule, NamedElsewhere), "tcp://[2001:db8::1]:8", false},
		{"another of its subnet", by(rule, NamedElsewhere), "tcp://[2001:db8::2]:8", true},
		{"loopback, used by the application, by another host", by(local, NamedElsewhere), "tcp://127.0.0.1:9", false},
		{"the same, in gossip", by(local, NamedInGossip), "tcp://127.0.0.1:9", true},
		{"loopback, on loopback, in gossip", by(onLo, NamedInGossip), "tcp://127.0.0.2:9", true},
		{"a file, used by the application, by another host", by(local, NamedElsewhere), "ipc:///tmp/x", false},
		{"ours on a link", rule, "tcp://10.0.0.1:7", false},
		{"ours where it is bound", rule, "tcp://10.9.0.1:7", false},
		{"ours that is advertised", rule, "tcp://203.0.113.5:8", false},
		{"a host name", rule, "tcp://ann.example:7", false},
		{"no endpoint", rule, "", false},
		{"loopback", rule, "tcp://127.0.0.1:9", false},
		{"loopback, used by the application", local, "tcp://127.0.0.1:9", true},
		{"loopback, on loopback", onLo, "tcp://127.0.0.1:9", true},
		{"ours on loopback", onLo, "tcp://127.0.0.1:7", false},
		{"a file", rule, "ipc:///tmp/x", false},
		{"a file, used by the application", local, "ipc:///tmp/x", true},
		{"all addresses", rule, "tcp://0.0.0.0:9", false},
		{"link-local on one of two links", rule, "tcp://[fe80::2]:9", false},
		{"link-local on one link", one6, "tcp://[fe80::2]:9", true},
		{"another's zone", one6, "tcp://[fe80::2%eth1]:9", false},
		{"knows nothing of itself", EndpointRule{}, "tcp://10.0.0.2:7", true},
	} {
		if got := c.rule.Allows(c.endpoint); got != c.want {
			t.Errorf("%s: Allows(%q) = %t, want %t", c.what, c.endpoint, got, c.want)
		}
	}
}
