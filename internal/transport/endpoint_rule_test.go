package transport

import (
	"net/netip"
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
)

func TestEndpointRule_Allows(t *testing.T) {
	link := func(name, addr string) netif.Link { return netif.Link{Name: name, Addr: netip.MustParseAddr(addr)} }
	rule := EndpointRule{
		Links: []netif.Link{link("eth0", "10.0.0.1"), link("eth1", "fe80::1%eth1")}, Port: 7,
		Endpoints: []string{"tcp://10.9.0.1:7"}, Advertised: "tcp://203.0.113.5:8",
	}
	local, onLo, one6 := rule, rule, rule
	local.Local = true
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
