package zyre

import (
	"fmt"
	"testing"
	"time"
)

// A node that is killed exits when it has been silent for the expired timeout.
func TestNet_killed(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	a, b, c := h[0].node(), h[1].node(), h[2].node()
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	netSettled(netTimes.evasive)
	a.kill()
	parted := within(t, netTimes.expired+time.Second, "parted", apart([]*netNode{a}, nil), b, c)
	parted += within(t, netTimes.expired+time.Second, "parted",
		func() bool { return !b.has("a") && !c.has("a") }, b, c)
	if parted < netTimes.expired-netTimes.evasive-200*time.Millisecond {
		t.Errorf("parted after %v, want not before %v", parted, netTimes.expired)
	}
	checkPairs(t, time.Time{}, 1, b, c)
	checkTalk(t, b, c)
}

// A node that is killed and started again at the same port takes the place of the old.
func TestNet_restarted(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	// With short timeouts b would greet the old one again, and reach the new one.
	calm := []string{"-evasive", "5s", "-silent", "10s", "-expired", "30s"}
	port := append([]string{"-peerport", "49152"}, calm...)
	old, b, c := h[0].nodeNamed("old", port...), h[1].node(calm...), h[2].node(calm...)
	within(t, 3*time.Second, "meshed", meshed(old, b, c), old, b, c)
	old.kill()
	fresh := h[0].nodeNamed("fresh", port...)
	within(t, 2*time.Second, "the new one in the place of the old", func() bool {
		return meshed(fresh, b, c)() && !b.has("old") && !c.has("old")
	}, fresh, b, c)
	checkTalk(t, fresh, b, c)
	netSettled(netTimes.expired + time.Second)
	checkPairs(t, time.Time{}, 1, old, fresh, b, c)
	if !meshed(fresh, b, c)() {
		t.Errorf("not all there any more\n%s", transcript([]*netNode{fresh, b, c}))
	}
}

// With gossip a node says goodbye over TCP as well, in case the beacon is lost.
func TestNet_goodbye(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	a := h[0].node("-gossipbind", "tcp://10.78.0.1:9999", "-port", "5670")
	b := h[1].node("-gossipconnect", "tcp://10.78.0.1:9999", "-port", "5670")
	c := h[2].node("-gossipconnect", "tcp://10.78.0.1:9999", "-port", "5670")
	h[2].nft(nftOut + "add rule inet zyre out meta l4proto udp drop")
	within(t, 5*time.Second, "meshed", meshed(a, b, c), a, b, c)
	c.send("stop")
	within(t, time.Second, "c is gone", func() bool { return !a.has("c") && !b.has("c") }, a, b)
	netSettled(netTimes.expired)
	checkPairs(t, time.Time{}, 1, a, b, c)
	c.send("start")
	within(t, 10*time.Second, "c is back", meshed(a, b, c), a, b, c)
}

// A goodbye that is lost is made up for by the expired timeout.
func TestNet_goodbyeLost(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	a, b, c := h[0].node(), h[1].node(), h[2].node()
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	h[2].nft(nftOut + "add rule inet zyre out meta l4proto udp drop")
	c.send("stop")
	c.expect("^DONE stop")
	parted := within(t, netTimes.expired+time.Second, "c is gone", func() bool { return !a.has("c") && !b.has("c") }, a, b)
	if parted < netTimes.expired-netTimes.evasive-time.Second {
		t.Errorf("c is gone after %v, want not before %v", parted, netTimes.expired)
	}
	checkPairs(t, time.Time{}, 1, a, b)
	checkTalk(t, a, b)
}

// Many nodes that stop and start at once are all there again soon, each with one EXIT
// and one ENTER.
func TestNet_storm(t *testing.T) {
	hosts, each, rounds := 5, 4, 3
	if netLong {
		hosts, each, rounds = 11, 5, 20 // those of the first host look on
	}
	n := newNet(t)
	n.lan("lan")
	var procs []*netNode
	var names []string
	for i := range hosts {
		h := n.host(fmt.Sprintf("h%d", i))
		h.connect("lan", "eth0", fmt.Sprintf("10.78.0.%d/24", i+1))
		p := h.node("-count", fmt.Sprint(each), "-interval", "1s", "-evasive", "5s", "-silent", "10s", "-expired", "30s")
		procs = append(procs, p)
		for j := range each {
			names = append(names, fmt.Sprintf("h%d%d", i, j))
		}
	}
	type pair struct{ node, peer string }
	// tell counts the events of a kind, for each pair, since a moment.
	tell := func(since time.Time, kind string) map[pair]int {
		counts := map[pair]int{}
		for _, p := range procs {
			for _, e := range p.events(since, kind, "") {
				counts[pair{e.node, e.peer}]++
			}
		}
		return counts
	}
	all := len(names) * (len(names) - 1)
	within(t, 10*time.Second, "meshed", func() bool { return len(tell(time.Time{}, "ENTER")) == all })
	for round := range rounds {
		netSettled(500 * time.Millisecond)
		start := time.Now()
		for _, p := range procs[1:] {
			p.skip()
			p.send("stop")
		}
		for _, p := range procs[1:] {
			p.expect("^DONE stop")
		}
		stopped := time.Now()
		for _, p := range procs[1:] {
			p.send("start")
		}
		complete := func() bool { return len(tell(stopped, "ENTER")) >= all-each*(each-1) }
		for deadline := time.Now().Add(15 * time.Second); !complete() && time.Now().Before(deadline); {
			pause(10 * time.Millisecond)
		}
		if took := time.Since(stopped); took > 5*time.Second {
			t.Errorf("round %d: after %v, want at most 5 s", round, took)
		} else {
			t.Logf("round %d: after %v", round, took)
		}
		entered := tell(stopped, "ENTER")
		for i, a := range names {
			for j, b := range names {
				if entered[pair{a, b}] == 0 && i != j && (i >= each || j >= each) {
					t.Fatalf("round %d: %s never saw %s\n%s", round, a, b, transcript([]*netNode{procs[i/each], procs[j/each]}))
				}
			}
		}
		netSettled(time.Second)
		enters, exits := tell(stopped, "ENTER"), tell(stopped, "EXIT")
		for p, count := range enters {
			if count != 1 {
				t.Errorf("round %d: %s saw %d ENTER of %s, want 1", round, p.node, count, p.peer)
			}
		}
		for p, count := range exits {
			if count != 1 || p.node[:2] != "h0" {
				t.Errorf("round %d: %s saw %d EXIT of %s after the start, want none", round, p.node, count, p.peer)
			}
		}
		exits = tell(start, "EXIT")
		for i := range each {
			for _, peer := range names[each:] {
				if got := exits[pair{fmt.Sprintf("h0%d", i), peer}]; got != 1 {
					t.Errorf("round %d: h0%d saw %d EXIT of %s, want 1", round, i, got, peer)
				}
			}
		}
	}
}
