package zyre

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A node that restarts on the same port under another UUID leaves an old tuple behind
// when it was killed. Nobody loops because of it.
func TestZyre_gossipRestartOnSameEndpoint(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) {
			hub, b := newStaticNode(t, "hub"), newStaticNode(t, "bob")
			hub.GossipBind("tcp://127.0.0.1:*")
			mustStart(t, hub)
			b.GossipConnect("%s", hub.GossipEndpoint())
			mustStart(t, b)
			rh := record(hub)
			rh.wait(t, "ENTER bob", 1)
			at, old := firstEndpoint(b), b.UUID()
			b.Stop()
			again := newStaticNode(t, "bob")
			again.GossipConnect("%s", hub.GossipEndpoint())
			if err := again.SetEndpoint("%s", at); err != nil {
				t.Fatal(err)
			}
			if killed { // what a node leaves that had no time to take it back
				_ = hub.node.Load().gossip.actor.Publish(old, at)
			}
			eventually(t, "bob starts again", func() bool { return again.Start() == nil })
			rh.wait(t, "ENTER bob", 2)
			late := newStaticNode(t, "late")
			late.GossipConnect("%s", hub.GossipEndpoint())
			mustStart(t, late)
			rl := record(late)
			rl.wait(t, "ENTER bob", 1)
			rl.wait(t, "ENTER hub", 1)
			pause(2500 * time.Millisecond) // the old tuple is tried again meanwhile
			if n, m := rh.count("ENTER bob"), rh.count("EXIT bob"); n != 2 || m != 1 {
				t.Errorf("the hub saw %d ENTER and %d EXIT of bob, want 2 and 1:\n%s", n, m, rh)
			}
			if n, m := rl.count("ENTER"), rl.count("EXIT"); n != 2 || m != 0 {
				t.Errorf("a newcomer saw %d ENTER and %d EXIT, want 2 and 0:\n%s", n, m, rl)
			}
		})
	}
}

// Wildcards are resolved before they are announced, and no UDP socket is open.
func TestZyre_gossipAnnouncesRealAddress(t *testing.T) {
	before := udpSockets(t)
	hub, a := newStaticNode(t, "hub"), newStaticNode(t, "alice")
	hub.GossipBind("tcp://127.0.0.1:*")
	for _, z := range []*Zyre{hub, a} {
		if err := z.SetEndpoint("tcp://*:*"); err != nil {
			t.Fatal(err)
		}
	}
	mustStart(t, hub)
	a.GossipConnect("%s", hub.GossipEndpoint())
	mustStart(t, a)
	rh := record(hub)
	rh.wait(t, "ENTER alice", 1)
	if got := hub.PeerAddress(a.UUID()); !strings.HasPrefix(got, "tcp://127.0.0.1:") || strings.HasSuffix(got, "*") {
		t.Errorf("PeerAddress(alice) = %q, want an address of lo and a port", got)
	}
	if strings.Contains(hub.GossipEndpoint(), "*") {
		t.Errorf("GossipEndpoint() = %q, want a port", hub.GossipEndpoint())
	}
	if after := udpSockets(t); after > before {
		t.Errorf("%d UDP sockets with gossip, %d before; want no more", after, before)
	}
}

// udpSockets counts the UDP sockets of this process.
func udpSockets(t *testing.T) (n int) {
	t.Helper()
	inodes := map[string]bool{}
	for _, path := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		f, err := os.Open(path)
		if err != nil {
			t.Skip("cannot list sockets: ", err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Fields(s.Text()); len(fields) > 9 {
				inodes["socket:["+fields[9]+"]"] = true
			}
		}
		f.Close()
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("cannot list descriptors: ", err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && inodes[target] {
			n++
		}
	}
	return n
}

// While the node is busy, news of gossip wait where they do not grow.
func TestZyre_gossipFlood(t *testing.T) {
	a, hub := newStaticNode(t, "alice"), newStaticNode(t, "hub")
	hub.GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	a.GossipConnect("%s", hub.GossipEndpoint())
	mustStart(t, a)
	record(a).wait(t, "ENTER hub", 1)
	busy, n := make(chan struct{}), a.node.Load()
	go a.configure(func(*node, time.Time) { <-busy })
	const tuples = 3000
	actor := hub.node.Load().gossip.actor
	for i := range tuples {
		if err := actor.Publish(fmt.Sprintf("%032X", i+1), "tcp://127.0.0.1:1"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "alice's actor has all", func() bool { return n.gossip.actor.Stats().Tuples >= tuples })
	n.outbox.mu.Lock()
	waiting := len(n.outbox.calls)
	n.outbox.mu.Unlock()
	close(busy)
	if waiting > 2 {
		t.Errorf("%d calls wait for the node, want at most 2", waiting)
	}
	a.Stop() // in the midst of it
	hub.Stop()
}

// A node takes its own tuple back everywhere; another's is forgotten by that node alone.
func TestZyre_gossipUnpublish(t *testing.T) {
	hub, a := newStaticNode(t, "hub"), newStaticNode(t, "alice")
	hub.GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	a.GossipConnect("%s", hub.GossipEndpoint())
	mustStart(t, a)
	ra := record(a)
	ra.wait(t, "ENTER hub", 1)
	tuples := func(z *Zyre) int { return z.node.Load().gossip.actor.Stats().Tuples }
	eventually(t, "both know both", func() bool { return tuples(hub) == 2 && tuples(a) == 2 })
	a.GossipUnpublish(hub.UUID())
	if own, others := tuples(a), tuples(hub); own != 1 || others != 2 {
		t.Errorf("alice knows %d tuples, the hub %d, want 1 and 2", own, others)
	}
	a.GossipUnpublish(strings.ToLower(a.UUID())).GossipUnpublish("nonsense")
	eventually(t, "the hub knows only itself", func() bool { return tuples(hub) == 1 && tuples(a) == 0 })
	if n := ra.count("EXIT"); n != 0 {
		t.Errorf("alice saw %d EXIT, want 0", n)
	}
}
