package local_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestZyre_membersReportTheSmallestContestant(t *testing.T) {
	port := kit.FreeUDPPort(t)
	nodes, logs := map[string]*zyre.Zyre{}, map[string]*watch.Log{}
	var contestants []string
	for i := range 5 {
		z := kit.NewNode(t, fmt.Sprint("node", i), port)
		z.Join("crew")
		if i < 3 {
			z.SetContestInGroup("crew")
			contestants = append(contestants, z.UUID())
		}
		kit.MustStart(t, z)
		nodes[z.UUID()], logs[z.UUID()] = z, watch.Record(z)
	}
	outsider := kit.NewNode(t, "outsider", port)
	kit.MustStart(t, outsider)
	ro := watch.Record(outsider)
	slices.Sort(contestants)
	for i, id := range contestants {
		watch.Agree(t, id, slices.Collect(maps.Values(logs))...)
		if i == 0 {
			nodes[id].Leave("crew")
		} else {
			nodes[id].Stop()
		}
		delete(logs, id)
	}
	ro.Wait(t, "EXIT", 2)
	if n := ro.Count("LEADER"); n != 0 {
		t.Errorf("a node outside the group saw %d LEADER events, want 0", n)
	}
}
