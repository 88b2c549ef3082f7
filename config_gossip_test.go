package zyre

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/transport/mem"
)

// A node that takes its own tuple back right after Start has it taken back.
func TestZyre_gossipUnpublishAfterStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		hub := newMemNode(network, "hub")
		hub.GossipBind("tcp://*:9999")
		mustStart(t, hub)
		for i := range 10 {
			z, next := newMemNode(network, "alice"), newMemNode(network, "next")
			z.GossipConnect("tcp://hub:9999")
			next.GossipConnect("tcp://hub:9999")
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
	})
}
