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
	n.commands.mu.Lock()
	waiting := len(n.commands.commands)
	n.commands.mu.Unlock()
	close(busy)
	if waiting > 2 {
		t.Errorf("%d calls wait for the node, want at most 2", waiting)
	}
	a.Stop() // in the midst of it
	hub.Stop()
}

// A node that takes its own tuple back right after Start has it taken back.
func TestZyre_gossipUnpublishAfterStart(t *testing.T) {
	hub := newStaticNode(t, "hub")
	hub.GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	for i := range 10 {
		z, next := newStaticNode(t, "alice"), newStaticNode(t, "next")
		z.GossipConnect("%s", hub.GossipEndpoint())
		next.GossipConnect("%s", hub.GossipEndpoint())
		mustStart(t, z)
		z.GossipUnpublish(z.UUID())
		mustStart(t, next)
		eventually(t, "the hub knows the node that came next", func() bool {
			return ask(hub, func(n *node, _ time.Time) bool { return n.zre.known[next.uuid] != nil })
		})
		if ask(hub, func(n *node, _ time.Time) bool { return n.zre.known[z.uuid] != nil }) {
			t.Errorf("run %d: the hub still knows the tuple", i)
		}
		z.Stop()
		next.Stop()
	}
	hub.Stop()
}

// Stats tell of each hub whether it answers, since when, or why not.
func TestStats_gossip(t *testing.T) {
	hub, secure, z := newStaticNode(t, "hub"), newStaticNode(t, "secure"), newStaticNode(t, "z")
	public, secret := keyPair(t)
	wrongKey, _ := keyPair(t)
	hub.GossipBind("tcp://127.0.0.1:*")
	secure.SetZCert(public, secret).GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	mustStart(t, secure)
	if s := z.Stats().Gossip; s.Hubs != nil {
		t.Errorf("Stats before Start: %+v, want nothing", s)
	}
	before := time.Now()
	dead := fmt.Sprintf("tcp://127.0.0.1:%d", freeUDPPort(t))
	z.GossipConnect("%s", hub.GossipEndpoint()).GossipConnect("%s", dead).GossipConnectCurve(wrongKey, "%s", secure.GossipEndpoint())
	mustStart(t, z)
	eventually(t, "the states of the hubs", func() bool {
		h := z.Stats().Gossip.Hubs
		return len(h) == 3 && h[0].Since.After(before) && h[1].LastError == "nothing answers at this address" &&
			h[2].LastError == "the handshake failed: is the hub's key right?"
	})
	eventually(t, "two tuples", func() bool { return z.Stats().Gossip.Tuples == 2 && hub.Stats().Gossip.Clients == 1 })
	var running GossipStats = z.Stats().Gossip
	if h := running.Hubs; h[0].Endpoint != hub.GossipEndpoint() || h[0].Address != h[0].Endpoint || h[0].LastError != "" || !h[1].Since.IsZero() {
		t.Errorf("Stats: hubs %+v, want the first to answer, at its endpoint", h)
	}
	z.Stop()
	if s := z.Stats().Gossip; len(s.Hubs) != 3 || !s.Hubs[0].Since.Equal(running.Hubs[0].Since) {
		t.Errorf("Stats after Stop: %+v, want as before", s)
	}
	again := newStaticNode(t, "again")
	again.GossipConnect("%s", hub.GossipEndpoint())
	mustStart(t, again)
	eventually(t, "the hub answers", func() bool { return !again.Stats().Gossip.Hubs[0].Since.IsZero() })
	hub.Stop()
	eventually(t, "the hub is lost", func() bool {
		var h GossipHub = again.Stats().Gossip.Hubs[0]
		return h.Since.IsZero() && h.LastError != ""
	})
}
