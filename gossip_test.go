package zyre

import (
	"fmt"
	"testing"
	"time"
)

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
