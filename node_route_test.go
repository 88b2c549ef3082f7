package zyre

import (
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

// What a peer is told is our address on the way to it.
func TestLocation_announcedOnRoutes(t *testing.T) {
	addr := netip.MustParseAddr
	link := func(name, prefix string) netif.Link {
		l, _ := netiftest.Interface(1, name, netiftest.LANFlags, prefix).Link()
		return l
	}
	lan, tun := link("eth0", "192.168.7.2/24"), link("tun0", "10.8.0.2/32")
	routes := map[netip.Addr]netip.Addr{addr("10.8.0.1"): addr("10.8.0.2"), addr("203.0.113.1"): addr("192.168.7.2")}
	any4 := []string{"tcp://0.0.0.0:7"}
	for _, test := range []struct {
		name string
		at   location
		peer string
		want string
	}{
		{"subnet", location{links: []netif.Link{lan, tun}}, "tcp://192.168.7.9:1", "192.168.7.2"},
		{"neither subnet nor route", location{links: []netif.Link{lan, tun}}, "tcp://10.8.0.1:1", "192.168.7.2"},
		{"route", location{links: []netif.Link{lan, tun}, routes: routes}, "tcp://10.8.0.1:1", "10.8.0.2"},
		{"route of another", location{links: []netif.Link{lan, tun}, routes: routes, via: addr("10.8.0.2")}, "tcp://203.0.113.1:1", "192.168.7.2"},
		{"nobody, on the way to the hub", location{links: []netif.Link{lan, tun}, routes: routes, via: addr("10.8.0.2")}, "", "10.8.0.2"},
		{"unknown, on the way to the hub", location{links: []netif.Link{lan, tun}, via: addr("10.8.0.2")}, "tcp://10.8.0.77:1", "10.8.0.2"},
		{"route that the application does not want", location{links: []netif.Link{lan}, routes: routes, via: addr("10.8.0.2")}, "tcp://10.8.0.1:1", "192.168.7.2"},
		{"any address", location{fixed: "tcp://*:7", endpoints: any4, routes: routes, via: addr("10.8.0.2")}, "tcp://10.8.0.1:1", "10.8.0.2"},
		{"any address, nothing known", location{fixed: "tcp://*:7", endpoints: any4}, "tcp://10.8.0.1:1", ""},
		{"fixed address", location{fixed: "tcp://192.168.7.2:7", endpoints: []string{"tcp://192.168.7.2:7"}, routes: routes}, "tcp://10.8.0.1:1", "192.168.7.2"},
	} {
		test.at.port = 7
		want := ""
		if test.want != "" {
			want = "tcp://" + test.want + ":7"
		}
		if got := test.at.announced(test.peer); got != want {
			t.Errorf("%s: announced(%q) = %q, want %q", test.name, test.peer, got, want)
		}
	}
}

// The routes are looked up again when the interfaces, the targets or what their names
// stand for have changed, and after a while.
func TestRouting_refresh(t *testing.T) {
	looks := 0
	r := routing{localAddr: func(remote netip.Addr) (netip.Addr, bool) {
		looks++
		if remote.Is4() && remote.As4()[0] == 10 {
			return netip.MustParseAddr("10.8.0.6"), true
		}
		return netip.Addr{}, false
	}}
	cfg := config{gossip: gossipConfig{
		hubs:  []gossipHub{{endpoint: "tcp://hub.test:9"}, {endpoint: "tcp://10.0.0.7:0;10.8.0.1:9"}},
		binds: []string{"tcp://*:9", "tcp://10.8.0.6:*", "ipc:///tmp/x"},
	}}
	r.setTargets(&cfg)
	now := time.Unix(1e9, 0)
	host := []netif.Interface{netiftest.Tun}
	expect := func(what string, want int) {
		t.Helper()
		looks = 0
		r.refresh(now, host)
		if looks != want {
			t.Errorf("%s: looked up %d routes, want %d", what, looks, want)
		}
	}
	expect("at first", 2)
	if !r.isPending() || r.via.String() != "10.8.0.6" || netiftest.Format(r.links) != "tun0 10.8.0.6 10.8.0.255" {
		t.Errorf("pending %t, via %s, links %v", r.isPending(), r.via, r.links)
	}
	expect("at once again", 0)
	host = []netif.Interface{netiftest.Tun, netiftest.Eth}
	expect("after a change of the interfaces", 2)
	r.startLookups(now, func(string) bool { return true })
	r.resolved(now, "tcp://hub.test:9", []string{"tcp://127.0.0.1:9", "tcp://10.8.0.3:9"})
	expect("after a look-up", 4)
	if r.isPending() {
		t.Error("a look-up is pending after its answer")
	}
	r.resolved(now, "tcp://hub.test:9", []string{"tcp://127.0.0.1:9", "tcp://10.8.0.3:9"})
	r.resolved(now, "tcp://other.test:9", []string{"tcp://10.8.0.4:9"})
	expect("after an answer that says the same", 0)
	cfg.require(requiredPeer{endpoint: "tcp://10.8.0.5:9"})
	r.setTargets(&cfg)
	expect("after RequirePeer", 5)
	now = now.Add(routeMaxAge)
	expect("after a while", 5)
}

// The address of a hub is waited for until its name has been looked up, for some time.
func TestRouting_isPending(t *testing.T) {
	const hub = "tcp://hub.test:9"
	cfg := config{gossip: gossipConfig{hubs: []gossipHub{{endpoint: hub}}}}
	for _, test := range []struct {
		name    string
		starts  bool
		wait    time.Duration // between two attempts to look it up
		want    int           // look-ups that were started
		pending bool
	}{
		{name: "under way", starts: true, wait: routeNameWait - 1, want: 1, pending: true},
		{name: "it takes long", starts: true, wait: 2 * routeNameRetry, want: 1},
		{name: "too many are under way", wait: routeNameRetry, want: 2},
		{name: "too early", wait: routeNameRetry - 1, want: 1},
	} {
		r, now, started := routing{}, time.Unix(1e9, 0), 0
		start := func(string) bool {
			started++
			return test.starts
		}
		r.setTargets(&cfg)
		r.startLookups(now, start)
		r.startLookups(now.Add(test.wait), start)
		if started != test.want || r.isPending() != test.pending {
			t.Errorf("%s: %d look-ups, pending %t; want %d, %t", test.name, started, r.isPending(), test.want, test.pending)
		}
		r.resolved(now, hub, nil)
		if r.isPending() {
			t.Errorf("%s: pending after the answer", test.name)
		}
	}
}
