package hosts

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A beacon that the system refuses to send is tried again, ever more slowly; that
// shows in Stats, and once in the log. Peers stay, and are still found.
func TestNet_beaconRefused(t *testing.T) {
	tests := []struct {
		name          string
		refuse, allow func(h *netns.Host)
	}{
		{"EPERM",
			func(h *netns.Host) { h.Filter(netns.Out("udp dport 5670 drop")) },
			func(h *netns.Host) { h.Filter() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "c")
			a, b := node(h[0], child.Config{Interval: 500 * time.Millisecond}), node(h[1], child.Config{})
			within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
			test.refuse(h[0])
			const tries = 4 // 0.5, 1 and 2 s apart
			start := time.Now()
			watch.Until(t, "sends fail", func() bool { return a.Stats().Beacon.SendErrors >= tries })
			if took := time.Since(start); took < 3*time.Second {
				t.Errorf("%d sends failed within %v at an interval of 500 ms, want 3.5 s\n%s", tries, took, a)
			}
			sent := a.Stats().Beacon.Sent
			c := node(h[2], child.Config{}) // a hears it, though it does not hear a
			within(t, 3*time.Second, "c found", meshed(a, b, c), a, b, c)
			if got := a.Stats().Beacon.Sent; got != sent {
				t.Errorf("Sent = %d, then %d, want no change", sent, got)
			}
			test.allow(h[0])
			const longest = 5 * time.Second // between two tries
			within(t, longest+time.Second, "sent again", func() bool {
				return a.Stats().Beacon.Sent > sent && logged(a, "beacons are sent again") == 1
			}, a)
			if got := logged(a, "cannot send beacons"); got != 1 {
				t.Errorf("logged %d times that beacons cannot be sent, want once", got)
			}
			checkTalk(t, a, b, c)
			checkPairs(t, time.Time{}, 1, a, b, c)
			a.CheckCount(t, "EXIT", 0)
		})
	}
}

// A host can refuse a connection in many ways, for one of which libzmq ends the process. Whoever
// has a node connect there, and be it by a forged beacon, does no harm to it.
func TestNet_connectionsRefused(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "x", "third")
	var rules []netns.Rule
	how := []string{
		"icmp prot-unreachable", "icmp port-unreachable", "icmp host-unreachable", "icmp net-unreachable",
		"icmp net-prohibited", "icmp host-prohibited", "icmp admin-prohibited", "tcp reset",
	}
	const port = 7000
	for i, with := range how {
		rules = append(rules, netns.In(fmt.Sprintf("tcp dport %d counter reject with %s", port+i, with)))
	}
	h[3].Filter(rules...)
	a, b := node(h[0], child.Config{}), node(h[1], child.Config{})
	within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
	x := h[2].Start("stranger")
	for i := range how {
		told := namings{Beacon: forgery{
			From: "10.78.0.4:5670", To: "10.78.0.1:5670", Beacon: child.ForgedBeacon(uint64(i+1), uint16(port+i)), Count: 1,
		}}
		if err := x.Try("name", "", told, &struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, with := range how {
		watch.Until(t, "a was refused with "+with, func() bool { return h[3].CountedBy(i) > 1 })
	}
	checkTalk(t, a, b)
}

// An interface that goes down and up without end gives ENETUNREACH and ENETDOWN in
// passing, which is no reason to give up.
func TestNet_flapping(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "c")
	const interval = 20 * time.Millisecond
	a := node(h[0], child.Config{Interval: interval})
	b := node(h[1], child.Config{Interval: interval, Interface: "eth0"})
	c := node(h[2], child.Config{Interval: interval})
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	start := time.Now()
	for i := range 10 {
		for _, host := range h[:2] {
			host.Down("eth0")
			beacon(t, 1+3*i/2, c)
			host.Up("eth0")
		}
	}
	if a.Stats().Beacon.SendErrors+b.Stats().Beacon.SendErrors == 0 {
		t.Log("no send has failed")
	}
	within(t, 10*time.Second, "all there", meshed(a, b, c), a, b, c)
	expire(t, h[2], a, b, c)
	checkMeshed(t, a, b, c)
	checkTalk(t, a, b, c)
	t.Logf("EXITs: %d, %d", len(a.Since(start, "EXIT")), len(b.Since(start, "EXIT")))
}
