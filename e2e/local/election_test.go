package local_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
)

func TestZyre_membersReportTheSmallestContestant(t *testing.T) {
	port := kit.FreeUDPPort(t)
	nodes, recorders := map[string]*zyre.Zyre{}, map[string]*kit.Recorder{}
	var contestants []string
	for i := range 5 {
		z := kit.NewNode(t, fmt.Sprint("node", i), port)
		z.Join("crew")
		if i < 3 {
			z.SetContestInGroup("crew")
			contestants = append(contestants, z.UUID())
		}
		kit.MustStart(t, z)
		nodes[z.UUID()], recorders[z.UUID()] = z, kit.Record(z)
	}
	outsider := kit.NewNode(t, "outsider", port)
	kit.MustStart(t, outsider)
	ro := kit.Record(outsider)
	slices.Sort(contestants)
	for i, id := range contestants {
		kit.Agree(t, nodes, recorders, id)
		if i == 0 {
			nodes[id].Leave("crew")
		} else {
			nodes[id].Stop()
		}
		delete(nodes, id)
	}
	ro.Wait(t, "EXIT", 2)
	if n := ro.Count("LEADER"); n != 0 {
		t.Errorf("a node outside the group saw %d LEADER events, want 0", n)
	}
}
