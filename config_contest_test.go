package zyre_test

import (
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestZyre_loneContestantLeads(t *testing.T) {
	z := kit.NewNode(t, "alone", kit.FreeUDPPort(t))
	z.SetContestInGroup("crew").Join("crew")
	kit.MustStart(t, z)
	if e := watch.Record(z).Wait(t, "LEADER alone crew", 1); e.PeerUUID != z.UUID() {
		t.Errorf("leader = %s, want %s", e.PeerUUID, z.UUID())
	}
}

// Contesting and joining while running, in either order.
func TestZyre_contestWhileRunning(t *testing.T) {
	z := kit.NewNode(t, "alone", kit.FreeUDPPort(t))
	kit.MustStart(t, z)
	r := watch.Record(z)
	z.SetContestInGroup("crew")
	z.Join("deck")
	z.SetContestInGroup("deck")
	r.Wait(t, "LEADER alone deck", 1)
	if n := r.Count("LEADER alone crew"); n != 0 {
		t.Errorf("%d LEADER events of a group before Join, want none", n)
	}
	z.Join("crew")
	r.Wait(t, "LEADER alone crew", 1)
}
