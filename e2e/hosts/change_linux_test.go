package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// A node that starts without a network is found as soon as there is one.
func TestNet_noNetworkAtStart(t *testing.T) {
	tests := []struct{ name, iface string }{{"default", ""}, {"named", "eth0"}, {"all", "*"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "c")
			a, b, c := h[0], h[1], h[2]
			b.Down("eth0")
			b.Down("lo")
			c.FlushAddrs("eth0") // up, without an address
			na := node(a, child.Config{})
			nb := node(b, child.Config{Interface: test.iface})
			nc := node(c, child.Config{Interface: test.iface})
			beacon(t, 4, na) // of which none is heard
			if logged(nb, "no network; waiting for one") == 0 || nb.Started.Endpoint != "" {
				t.Errorf("b starts at %q, want no network\n%s", nb.Started.Endpoint, nb)
			}
			b.Up("eth0")
			within(t, 3*time.Second, "discovered after the link came up", meshed(na, nb), na, nb)
			c.AddAddr("eth0", "10.78.0.3/24")
			within(t, 3*time.Second, "discovered after the address came", meshed(na, nb, nc), na, nb, nc)
			checkTalk(t, na, nb, nc)
			checkPairs(t, time.Time{}, 1, na, nb, nc)
		})
	}
}

// A gap lasts while the network of a host is away.
type gap func()

// changes are what can happen to the network of host a, on which a node uses an
// interface. A long gap is one in which a expires at its peers.
var changes = []struct {
	name, iface string
	change      func(h *netns.Host, long, short gap)
}{
	{"down", "", func(h *netns.Host, long, _ gap) { h.Down("eth0"); long(); h.Up("eth0") }},
	{"downBriefly", "", func(h *netns.Host, _, short gap) { h.Down("eth0"); short(); h.Up("eth0") }},
	{"downNamed", "eth0", func(h *netns.Host, long, _ gap) { h.Down("eth0"); long(); h.Up("eth0") }},
	{"downAll", "*", func(h *netns.Host, _, short gap) { h.Down("eth0"); short(); h.Up("eth0") }},
	{"address", "eth0", func(h *netns.Host, _, _ gap) {
		h.AddAddr("eth0", "10.78.0.9/24")
		h.RemoveAddr("eth0", "10.78.0.1/24")
		h.AddAddr("eth0", "10.78.0.9/24")
	}},
	{"addressGap", "", func(h *netns.Host, _, short gap) {
		h.FlushAddrs("eth0")
		short()
		h.AddAddr("eth0", "10.78.0.9/24")
	}},
	{"addressLapse", "", func(h *netns.Host, _, short gap) { // the same one comes back
		h.FlushAddrs("eth0")
		short()
		h.AddAddr("eth0", "10.78.0.1/24")
	}},
	{"replaced", "", func(h *netns.Host, _, short gap) {
		h.Disconnect("eth0")
		short()
		h.Connect("lan", "eth0", "10.78.0.1/24")
	}},
	{"replacedNamed", "eth0", func(h *netns.Host, _, _ gap) {
		h.Disconnect("eth0")
		h.Connect("lan", "eth0", "10.78.0.7/24")
	}},
	{"renamed", "", func(h *netns.Host, _, _ gap) {
		h.Disconnect("eth0")
		h.Connect("lan", "wlan0", "10.78.0.8/24")
	}},
}

// Whatever happens to the network of a host, its peers come back by themselves.
func TestNet_change(t *testing.T) {
	for _, test := range changes {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "c")
			a, b, c := node(h[0], child.Config{Interface: test.iface}), node(h[1], child.Config{}), node(h[2], child.Config{})
			within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
			changed := time.Now()
			test.change(h[0], func() { // until b and c have given a up
				within(t, times.expired+2*time.Second, "parted", lost("a", b, c), a, b, c)
			}, func() { // until b and c miss a
				within(t, times.expired, "missed", func() bool {
					return len(b.Since(changed, "SILENT a")) > 0 && len(c.Since(changed, "SILENT a")) > 0
				}, a, b, c)
			})
			done := time.Now()
			// A peer may not have missed the old address yet: it has when messages pass.
			within(t, 10*time.Second, "all back", repeated(a, b, c), a, b, c)
			expire(t, h[1], a, b, c) // what is amiss shows by now
			checkMeshed(t, a, b, c)
			checkTalk(t, a, b, c)
			checkPairs(t, changed, 1, a, b, c)
			checkPairs(t, changed, 0, b, c)
			for _, peer := range []string{"b", "c"} {
				for _, e := range a.Since(changed, "ENTER "+peer) {
					t.Logf("ENTER %s %v after the change was over", peer, e.At.Sub(done).Round(time.Millisecond))
				}
			}
		})
	}
}

// A host that goes to another network and comes back meets who is there.
func TestNet_roam(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("home")
	n.Switch("work")
	a, b, c := n.Host("a"), n.Host("b"), n.Host("c")
	a.Connect("home", "eth0", "10.1.0.1/24")
	b.Connect("home", "eth0", "10.1.0.2/24")
	c.Connect("work", "eth0", "10.2.0.2/24")
	na, nb, nc := node(a, child.Config{}), node(b, child.Config{}), node(c, child.Config{})
	within(t, 3*time.Second, "a and b met", meshed(na, nb), na, nb)
	a.Disconnect("eth0")
	a.Connect("work", "eth0", "10.2.0.1/24")
	within(t, 10*time.Second, "a and c met", meshed(na, nc), na, nc)
	within(t, times.expired+2*time.Second, "a and b parted", apart([]*child.Node{na}, []*child.Node{nb}), na, nb)
	checkTalk(t, na, nc)
	a.Disconnect("eth0")
	a.Connect("home", "eth0", "10.1.0.1/24")
	within(t, 10*time.Second, "a and b met again", meshed(na, nb), na, nb)
	within(t, times.expired+2*time.Second, "a and c parted", apart([]*child.Node{na}, []*child.Node{nc}), na, nc)
	checkTalk(t, na, nb)
	checkPairs(t, time.Time{}, 2, na, nb)
	checkPairs(t, time.Time{}, 1, na, nc)
}
