package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// lastLeader returns the leader that a node reported last, if it is still here, and how
// many LEADER events named the one that led already.
func lastLeader(r *recorder) (leader string, repeated int) {
	seen, _ := r.events()
	for _, e := range seen {
		switch {
		case e.Type == eventLeader && e.PeerUUID == leader:
			repeated++
		case e.Type == eventLeader:
			leader = e.PeerUUID
		case e.PeerUUID == leader && (e.Type == eventExit || e.Type == eventLeave):
			leader = ""
		}
	}
	return leader, repeated
}

func TestZyre_loneContestantLeads(t *testing.T) {
	z := newLoopbackNode(t, "alone", freeUDPPort(t))
	z.SetContestInGroup("crew").Join("crew")
	mustStart(t, z)
	if e := record(z).wait(t, "LEADER alone crew", 1); e.PeerUUID != z.UUID() {
		t.Errorf("leader = %s, want %s", e.PeerUUID, z.UUID())
	}
}

// Contesting and joining while running, in either order.
func TestZyre_contestWhileRunning(t *testing.T) {
	z := newLoopbackNode(t, "alone", freeUDPPort(t))
	mustStart(t, z)
	r := record(z)
	z.SetContestInGroup("crew")
	if n := ask(z, func(n *node, _ time.Time) int { return len(n.elections) }); n != 0 {
		t.Errorf("%d elections before Join, want none", n)
	}
	z.Join("crew")
	z.Join("deck")
	z.SetContestInGroup("deck")
	r.wait(t, "LEADER alone crew", 1)
	r.wait(t, "LEADER alone deck", 1)
}

func TestZyre_membersReportTheSmallestContestant(t *testing.T) {
	port := freeUDPPort(t)
	nodes, recorders := map[string]*Zyre{}, map[string]*recorder{}
	var contestants []string
	for i := range 5 {
		z := newLoopbackNode(t, fmt.Sprint("node", i), port)
		z.Join("crew")
		if i < 3 {
			z.SetContestInGroup("crew")
			contestants = append(contestants, z.UUID())
		}
		mustStart(t, z)
		nodes[z.UUID()], recorders[z.UUID()] = z, record(z)
	}
	outsider := newLoopbackNode(t, "outsider", port)
	mustStart(t, outsider)
	ro := record(outsider)
	slices.Sort(contestants)
	for i, id := range contestants {
		agree(t, nodes, recorders, id)
		if i == 0 {
			nodes[id].Leave("crew")
		} else {
			nodes[id].Stop()
		}
		delete(nodes, id)
	}
	if n := ro.count("LEADER"); n != 0 {
		t.Errorf("a node outside the group saw %d LEADER events, want 0", n)
	}
}

// agree waits until all nodes report the same leader, each once.
func agree(t *testing.T, nodes map[string]*Zyre, recorders map[string]*recorder, want string) {
	t.Helper()
	for id := range nodes {
		r := recorders[id]
		eventually(t, "all agree", func() bool {
			leader, _ := lastLeader(r)
			return leader == want
		})
		if _, repeated := lastLeader(r); repeated > 0 {
			t.Errorf("%s reported the same leader again:\n%s", r.name, r)
		}
	}
}
