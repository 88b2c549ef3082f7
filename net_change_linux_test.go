package zyre

import (
	"testing"
	"time"
)

// A node that starts without a network is found as soon as there is one.
func TestNet_noNetworkAtStart(t *testing.T) {
	tests := []struct{ name, iface string }{{"default", ""}, {"named", "eth0"}, {"all", "*"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, h := lan1(t, "a", "b", "c")
			a, b, c := h[0], h[1], h[2]
			b.ip("link", "set", "eth0", "down")
			b.ip("link", "set", "lo", "down")
			c.ip("addr", "flush", "dev", "eth0") // up, without an address
			na := a.node()
			nb := b.node("-iface", test.iface)
			nc := c.node("-iface", test.iface)
			netSettled(time.Second)
			b.ip("link", "set", "eth0", "up")
			within(t, 3*time.Second, "discovered after the link came up", meshed(na, nb), na, nb)
			c.addAddr("eth0", "10.78.0.3/24")
			within(t, 3*time.Second, "discovered after the address came", meshed(na, nb, nc), na, nb, nc)
			checkTalk(t, na, nb, nc)
			checkPairs(t, time.Time{}, 1, na, nb, nc)
		})
	}
}

// Whatever happens to the network of a host, its peers come back by themselves.
func TestNet_change(t *testing.T) {
	long := netTimes.down
	short := netTimes.expired / 3
	down := func(d time.Duration) func(*testing.T, *testHost) {
		return func(t *testing.T, h *testHost) {
			h.ip("link", "set", "eth0", "down")
			netSettled(d)
			h.ip("link", "set", "eth0", "up")
		}
	}
	tests := []struct {
		name, iface string
		change      func(t *testing.T, h *testHost)
	}{
		{"down", "", down(long)},
		{"downBriefly", "", down(short)},
		{"downNamed", "eth0", down(long)},
		{"downAll", "*", down(short)},
		{"address", "eth0", func(t *testing.T, h *testHost) {
			h.addAddr("eth0", "10.78.0.9/24")
			h.ip("addr", "del", "10.78.0.1/24", "dev", "eth0")
			h.addAddr("eth0", "10.78.0.9/24")
		}},
		{"addressGap", "", func(t *testing.T, h *testHost) {
			h.ip("addr", "flush", "dev", "eth0")
			netSettled(2 * time.Second)
			h.addAddr("eth0", "10.78.0.9/24")
		}},
		{"addressLapse", "", func(t *testing.T, h *testHost) { // the same one comes back
			h.ip("addr", "flush", "dev", "eth0")
			netSettled(2 * time.Second)
			h.addAddr("eth0", "10.78.0.1/24")
		}},
		{"replaced", "", func(t *testing.T, h *testHost) {
			h.ip("link", "del", "eth0")
			netSettled(2 * time.Second)
			h.connect("lan", "eth0", "10.78.0.1/24")
		}},
		{"replacedNamed", "eth0", func(t *testing.T, h *testHost) {
			h.ip("link", "del", "eth0")
			h.connect("lan", "eth0", "10.78.0.7/24")
		}},
		{"renamed", "", func(t *testing.T, h *testHost) {
			h.ip("link", "del", "eth0")
			h.connect("lan", "wlan0", "10.78.0.8/24")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, h := lan1(t, "a", "b", "c")
			a, b, c := h[0].node("-iface", test.iface), h[1].node(), h[2].node()
			within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
			changed := time.Now()
			test.change(t, h[0])
			fresh := meshed(a, b, c)
			done := time.Now()
			// Before that a peer may not have missed the old address yet.
			settled := max(5*time.Second, netTimes.evasive+3*time.Second)
			within(t, 10*time.Second, "all back", func() bool {
				return time.Since(done) > settled && fresh()
			}, a, b, c)
			checkTalk(t, a, b, c)
			netSettled(netTimes.expired + time.Second) // what is amiss shows by now
			if !fresh() {
				t.Errorf("not all there any more\n%s", transcript([]*netNode{a, b, c}))
			}
			checkTalk(t, a, b, c)
			checkPairs(t, changed, 1, a, b, c)
			checkPairs(t, changed, 0, b, c)
			if back := a.events(changed, "ENTER", ""); len(back) > 0 {
				t.Logf("last ENTER %v after the change was over", back[len(back)-1].at.Sub(done).Round(time.Millisecond))
			}
		})
	}
}

// A host that goes to another network and comes back meets who is there.
func TestNet_roam(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	n.lan("home")
	n.lan("work")
	a, b, c := n.host("a"), n.host("b"), n.host("c")
	a.connect("home", "eth0", "10.1.0.1/24")
	b.connect("home", "eth0", "10.1.0.2/24")
	c.connect("work", "eth0", "10.2.0.2/24")
	na, nb, nc := a.node(), b.node(), c.node()
	within(t, 3*time.Second, "a and b met", meshed(na, nb), na, nb)
	a.ip("link", "del", "eth0")
	a.connect("work", "eth0", "10.2.0.1/24")
	within(t, 10*time.Second, "a and c met", meshed(na, nc), na, nc)
	within(t, netTimes.expired+2*time.Second, "a and b parted", apart([]*netNode{na}, []*netNode{nb}), na, nb)
	checkTalk(t, na, nc)
	a.ip("link", "del", "eth0")
	a.connect("home", "eth0", "10.1.0.1/24")
	within(t, 10*time.Second, "a and b met again", meshed(na, nb), na, nb)
	within(t, netTimes.expired+2*time.Second, "a and c parted", apart([]*netNode{na}, []*netNode{nc}), na, nc)
	checkTalk(t, na, nb)
	checkPairs(t, time.Time{}, 2, na, nb)
	checkPairs(t, time.Time{}, 1, na, nc)
}
