package zyre

import (
	"testing"
	"time"
)

// Only a node that follows the interfaces, and has no beacon to do it, is told of changes.
func TestNode_watchesOnlyWhereNeeded(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(z *Zyre)
		want bool
	}{
		"endpoint": {func(z *Zyre) { must(t, "SetEndpoint", z.SetEndpoint("tcp://127.0.0.1:*")) }, false},
		"gossip":   {func(z *Zyre) { z.GossipBind("tcp://127.0.0.1:*") }, true},
		"beacon":   {func(z *Zyre) { z.SetPort(freeUDPPort(t)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			z := NewZyre(t.Context()).SetInterface("lo")
			test.set(z)
			mustStart(t, z)
			defer z.Stop()
			subscribed := ask(z, func(n *node, _ time.Time) bool { return n.host.Subscribed() })
			if subscribed != test.want {
				t.Errorf("subscribed: %t, want %t", subscribed, test.want)
			}
		})
	}
}
