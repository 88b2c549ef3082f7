package zyre

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// lastLeader returns the leader that a node reported last, and how many LEADER
// events in a row named the same one.
func lastLeader(r *recorder) (leader string, repeated int) {
	seen, _ := r.events()
	for _, e := range seen {
		if e.Type != eventLeader {
			continue
		}
		if e.PeerUUID == leader {
			repeated++
		}
		leader = e.PeerUUID
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
	for len(contestants) > 0 {
		agree(t, nodes, recorders, contestants[0])
		nodes[contestants[0]].Stop()
		delete(nodes, contestants[0])
		contestants = contestants[1:]
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

func TestZyre_electionUnderChurn(t *testing.T) {
	port := freeUDPPort(t)
	nodes, recorders := map[string]*Zyre{}, map[string]*recorder{}
	add := func() {
		z := newLoopbackNode(t, fmt.Sprint("node", len(recorders)), port)
		z.SetContestInGroup("crew").Join("crew")
		mustStart(t, z)
		nodes[z.UUID()], recorders[z.UUID()] = z, record(z)
	}
	count, limit := 8, 8*time.Second
	if os.Getenv("ZYRE_LONG") != "" {
		count, limit = 20, time.Minute
	} else if testing.Short() {
		limit = 2 * time.Second
	}
	for range count {
		add()
	}
	random := rand.New(rand.NewPCG(1, 2))
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if len(nodes) < count/2 || len(nodes) <= count && random.IntN(2) == 0 {
			add()
		} else {
			for id, z := range nodes {
				z.Stop()
				delete(nodes, id)
				break
			}
		}
		pause(time.Duration(random.IntN(120)) * time.Millisecond)
	}
	smallest := ""
	for id := range nodes {
		if smallest == "" || id < smallest {
			smallest = id
		}
	}
	start := time.Now()
	agree(t, nodes, recorders, smallest)
	took := time.Since(start)
	t.Logf("%d nodes agreed after %v", len(nodes), took)
	if took > 3*time.Second {
		t.Errorf("%d nodes agreed after %v, want less than 3s", len(nodes), took)
	}
}
