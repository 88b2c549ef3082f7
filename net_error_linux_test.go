package zyre

import (
	"testing"
	"time"
)

// A beacon that the system refuses to send is tried again, ever more slowly; that
// shows in Stats, and once in the log. Peers stay, and are still found.
func TestNet_beaconRefused(t *testing.T) {
	tests := []struct {
		name          string
		refuse, allow func(h *testHost)
	}{
		{"EPERM",
			func(h *testHost) { h.nft(nftOut + "add rule inet zyre out udp dport 5670 drop") },
			func(h *testHost) { h.nft("") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, h := lan1(t, "a", "b", "c")
			a, b := h[0].node("-interval", "500ms"), h[1].node()
			within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
			test.refuse(h[0])
			netSettled(4 * time.Second)
			sent, errs := a.stat("Sent"), a.stat("SendErrors")
			if errs < 2 || errs > 6 {
				t.Errorf("SendErrors = %d after 4 s at an interval of 500 ms, want 2 to 6\n%s", errs, transcript([]*netNode{a}))
			}
			c := h[2].node() // a hears it, though it does not hear a
			within(t, 3*time.Second, "c found", meshed(a, b, c), a, b, c)
			if got := a.stat("Sent"); got != sent {
				t.Errorf("Sent = %d, then %d, want no change", sent, got)
			}
			test.allow(h[0])
			within(t, beaconMaxBackoff+time.Second, "sent again", func() bool {
				return a.stat("Sent") > sent && len(a.written("beacons are sent again")) == 1
			}, a)
			if got := len(a.written("cannot send beacons")); got != 1 {
				t.Errorf("logged %d times that beacons cannot be sent, want once", got)
			}
			checkTalk(t, a, b, c)
			checkPairs(t, time.Time{}, 1, a, b, c)
			if exits := a.events(time.Time{}, "EXIT", ""); len(exits) > 0 {
				t.Errorf("a saw %v, want no EXIT", exits)
			}
		})
	}
}

// An interface that goes down and up without end gives ENETUNREACH and ENETDOWN in
// passing, which is no reason to give up.
func TestNet_flapping(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	a, b, c := h[0].node("-interval", "20ms"), h[1].node("-iface", "eth0", "-interval", "20ms"), h[2].node()
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	start := time.Now()
	for i := range 10 {
		for _, host := range h[:2] {
			host.ip("link", "set", "eth0", "down")
			netSettled(time.Duration(20+30*i) * time.Millisecond)
			host.ip("link", "set", "eth0", "up")
		}
	}
	if a.stat("SendErrors")+b.stat("SendErrors") == 0 {
		t.Log("no send has failed")
	}
	within(t, 10*time.Second, "all there", meshed(a, b, c), a, b, c)
	netSettled(netTimes.expired + time.Second)
	if !meshed(a, b, c)() {
		t.Errorf("not all there any more\n%s", transcript([]*netNode{a, b, c}))
	}
	checkTalk(t, a, b, c)
	for _, e := range []int{len(a.events(start, "EXIT", "")), len(b.events(start, "EXIT", ""))} {
		t.Logf("EXITs: %d", e)
	}
}
