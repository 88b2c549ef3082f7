package zyre

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

// While the node is busy, news of gossip wait where they do not grow.
func TestZyre_gossipFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		a, hub := newMemNode(network, "alice"), newMemNode(network, "hub")
		hub.GossipBind("tcp://*:9999")
		mustStart(t, hub)
		a.GossipConnect("tcp://hub:9999")
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
	})
}

// Before a node knows its own address on the way to its hub it says HELLO to nobody that
// gossip tells of: the HELLO would name another address. It does not wait for long.
func TestZyre_gossipWaitsForRoute(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			network := mem.New(1)
			a, hub := newMemNode(network, "alice"), newMemNode(network, "hub")
			mustStart(t, hub.GossipBind("tcp://*:9999"))
			found, made := make(chan struct{}), a.seams
			a.seams = func() (seams, error) {
				s, err := made()
				lookup := s.lookup
				s.lookup = func(ctx context.Context, name string) ([]string, error) {
					select { // gossip looks the name up by itself
					case <-found:
					case <-ctx.Done():
					}
					return lookup(ctx, name)
				}
				return s, err
			}
			begin := time.Now()
			mustStart(t, a.GossipConnect("tcp://hub:9999"))
			events, n := record(hub), a.node.Load()
			eventually(t, "alice's actor knows the hub", func() bool { return n.gossip.actor.Stats().Tuples == 1 })
			bubble.Sleep(routeNameWait / 2)
			if got := events.count("ENTER alice"); got != 0 {
				t.Error("HELLO came before the node knew its address")
			}
			if answers {
				close(found)
			}
			events.wait(t, "ENTER alice", 1)
			if took := time.Since(begin); took > routeNameWait+2*watchInterval {
				t.Errorf("the name is looked up %t: met after %v", answers, took)
			}
			a.Stop()
			hub.Stop()
		})
	}
}
