package zyre

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A hub that a test can kill: gossipHub GOSSIP-ENDPOINT.
var _ = registerHelper("gossipHub", func(args []string, in io.Reader, out io.Writer) error {
	z := NewZyre(context.Background()).SetName("hub").SetInterface("lo").GossipBind("%s", args[0])
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		return err
	}
	if err := z.Start(); err != nil {
		return err
	}
	fmt.Fprintln(out, "HUB", z.GossipEndpoint())
	go func() {
		for range z.Events() {
		}
	}()
	_, _ = io.Copy(io.Discard, in)
	z.Stop()
	return nil
})

func TestZyre_gossipHubKilled(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://" + t.TempDir() + "/hub"} {
		t.Run(endpoint[:3], func(t *testing.T) { gossipHubKilled(t, endpoint) })
	}
}

func gossipHubKilled(t *testing.T, endpoint string) {
	hub := startHelper(t, nil, "gossipHub", endpoint)
	at := strings.Fields(hub.expect("^HUB "))[1]
	a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
	for _, z := range []*Zyre{a, b} {
		z.GossipConnect("%s", at)
		mustStart(t, z)
	}
	ra, rb := record(a), record(b)
	ra.wait(t, "ENTER bob", 1)
	ra.wait(t, "ENTER hub", 1)
	rb.wait(t, "ENTER hub", 1)
	hub.kill()
	again := startHelper(t, nil, "gossipHub", at)
	again.expect("^HUB ")
	start := time.Now()
	c := newStaticNode(t, "carol")
	c.GossipConnect("%s", at)
	mustStart(t, c)
	rc := record(c)
	for _, name := range []string{"hub", "alice", "bob"} {
		rc.wait(t, "ENTER "+name, 1)
	}
	took := time.Since(start)
	t.Logf("a newcomer found all %v after the hub was back", took)
	if took > 5*time.Second {
		t.Errorf("a newcomer found all after %v, want less than 5s", took)
	}
	if n := ra.count("EXIT bob"); n != 0 {
		t.Errorf("alice saw %d EXIT of bob, want 0", n)
	}
	start = time.Now()
	c.Stop()
	ra.wait(t, "EXIT carol", 1)
	if took := time.Since(start); took > time.Second {
		t.Errorf("EXIT %v after Stop, want less than 1s", took)
	}
}

// Nodes come and go through one hub, or die: a newcomer learns of the live ones only.
func TestZyre_gossipChurn(t *testing.T) {
	if testing.Short() {
		gossipChurn(t, 40, 1, 2*time.Second)
		return
	}
	gossipChurn(t, 100, 1, 10*time.Second)
}

// A hundred nodes each minute.
func TestSoak_gossipChurn(t *testing.T) {
	limit := soakTime(t)
	gossipChurn(t, int(100*limit.Minutes()), int(8*limit.Minutes()), limit)
}

func gossipChurn(t *testing.T, count, troops int, limit time.Duration) {
	checkLeaks(t)
	hub := newStaticNode(t, "hub")
	hub.GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	record(hub)
	live := map[string]*Zyre{}
	var doomed *troop
	start := time.Now()
	for i := range count {
		switch every := count / troops; i % every {
		case 0:
			doomed = startTroop(t, "hub", hub.GossipEndpoint(), 4)
		case every / 8:
			doomed.kill()
		}
		z := newStaticNode(t, fmt.Sprint("node", i))
		z.GossipConnect("%s", hub.GossipEndpoint())
		mustStart(t, z)
		record(z)
		live[z.UUID()] = z
		if len(live) > 8 {
			for id, z := range live {
				z.Stop()
				delete(live, id)
				break
			}
		}
		pause(time.Until(start.Add(limit * time.Duration(i+1) / time.Duration(count))))
	}
	late := newStaticNode(t, "late")
	late.GossipConnect("%s", hub.GossipEndpoint())
	mustStart(t, late)
	rl := record(late)
	eventually(t, "the newcomer sees the live ones", func() bool { return rl.count("ENTER") >= len(live)+1 })
	eventually(t, "the hub has forgotten the dead ones", func() bool {
		return hub.node.Load().gossip.actor.Stats().Tuples == len(live)+2
	})
	eventually(t, "and the newcomer", func() bool { return late.Stats().HalfOpen == 0 })
	pause(time.Second) // for anything that should not come
	seen, _ := rl.events()
	for _, e := range seen {
		if e.Type == eventExit || e.Type == eventEnter && live[e.PeerUUID] == nil && e.PeerUUID != hub.UUID() {
			t.Errorf("the newcomer saw %s of %s, which is gone", e.Type, e.PeerName)
		}
	}
	if got := ask(late, func(n *node, _ time.Time) int { return len(n.standing) }); got != len(live)+1 {
		t.Errorf("the newcomer keeps %d nodes in mind, want %d", got, len(live)+1)
	}
	late.Stop()
	for _, z := range live {
		z.Stop()
	}
	hub.Stop()
}

// buildGossip compiles the program that drives CZMQ's own zgossip.
func buildGossip(t *testing.T) string {
	t.Helper()
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libczmq").Output()
	if err != nil {
		t.Skip("no libczmq: ", err)
	}
	path := filepath.Join(t.TempDir(), "czmq_gossip")
	args := append([]string{"-O1", "-o", path, "internal/interop/czmq_gossip.c"}, strings.Fields(string(flags))...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Skipf("cannot compile against libczmq: %v\n%s", err, out)
	}
	return path
}

func TestZyre_gossipWithCZMQ(t *testing.T) {
	program := buildGossip(t)
	t.Run("hub", func(t *testing.T) {
		hub := startProc(t, "czmq hub", nil, program, "hub", "tcp://127.0.0.1:*")
		at := "tcp://127.0.0.1:" + strings.Fields(hub.expect("^PORT "))[1]
		hub.expect("^READY")
		a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
		a.GossipConnect("%s", at)
		mustStart(t, a)
		hub.expect("^DELIVER " + a.UUID() + " " + firstEndpoint(a))
		pause(1500 * time.Millisecond) // CZMQ forgets who is quiet for a second
		b.GossipConnect("%s", at)
		mustStart(t, b)
		ra, rb := record(a), record(b)
		ra.wait(t, "ENTER bob", 1)
		rb.wait(t, "ENTER alice", 1)
		start := time.Now()
		b.Stop()
		ra.wait(t, "EXIT bob", 1)
		if took := time.Since(start); took > time.Second {
			t.Errorf("EXIT %v after Stop, want less than 1s", took)
		}
	})
	t.Run("client", func(t *testing.T) {
		a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
		a.GossipBind("tcp://127.0.0.1:*")
		mustStart(t, a)
		mustStart(t, b) // bob is told of by CZMQ alone
		ra := record(a)
		record(b)
		client := startProc(t, "czmq client", nil, program, "client", a.GossipEndpoint(), b.UUID(), firstEndpoint(b))
		client.expect("^DELIVER " + a.UUID() + " " + firstEndpoint(a))
		ra.wait(t, "ENTER bob", 1)
		a.Stop()
	})
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
