package zyre

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

// electionExpired is how long a contestant that has died goes on for the others.
const electionExpired = 1500 * time.Millisecond

// contestant has a node stand for election in the group crew.
func contestant(z *Zyre, port int) *Zyre {
	quickTimeouts(z, 500*time.Millisecond, electionExpired)
	z.SetPort(port).SetInterval(100 * time.Millisecond).SetContestInGroup("crew").Join("crew")
	return z
}

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

// A leader that dies is replaced once it has expired.
func TestZyre_leaderDies(t *testing.T) {
	port := freeUDPPort(t)
	doomed := startTroop(t, "port", strconv.Itoa(port), 1)
	nodes, recorders := map[string]*Zyre{}, map[string]*recorder{}
	for i := range 3 {
		z := contestant(newLoopbackNode(t, fmt.Sprint("node", i), port), port)
		z.uuid[0], z.uuid[1], z.uuid[2] = 0xff, 0xff, 0xff // who dies leads before
		z.id = uuidString(z.uuid)
		mustStart(t, z)
		nodes[z.UUID()], recorders[z.UUID()] = z, record(z)
	}
	agree(t, nodes, recorders, doomed.uuids[0])
	doomed.kill()
	agree(t, nodes, recorders, smallest(nodes, nil))
}

// smallest returns who has to lead.
func smallest(nodes map[string]*Zyre, others []string) string {
	ids := slices.Clone(others)
	for id := range nodes {
		ids = append(ids, id)
	}
	return slices.Min(ids)
}

func TestZyre_electionUnderChurn(t *testing.T) {
	limit := 8 * time.Second
	if testing.Short() {
		limit = 2 * time.Second
	}
	took := electionChurn(t, 8, limit)
	t.Logf("agreed after %v", took)
}

func TestSoak_electionChurn(t *testing.T) {
	took := electionChurn(t, 20, soakTime(t))
	t.Logf("agreed after %v", took)
	if took > 3*time.Second {
		t.Errorf("agreed after %v, want less than 3s", took)
	}
}

// electionChurn has contestants come, leave, stop and die, and returns how long it took
// those that are left to agree.
func electionChurn(t *testing.T, count int, limit time.Duration) time.Duration {
	port := freeUDPPort(t)
	nodes, recorders := map[string]*Zyre{}, map[string]*recorder{}
	doomed := startTroop(t, "port", strconv.Itoa(port), count/5)
	random := rand.New(rand.NewPCG(1, 2))
	var left []*Zyre // go on outside the group, but not for ever
	end := time.Now().Add(limit)
	for round := 0; time.Now().Before(end); round++ {
		if round%50 == 49 {
			doomed.kill()
			doomed = startTroop(t, "port", strconv.Itoa(port), count/5)
		}
		if want := count - len(doomed.uuids); len(nodes) < want/2 || len(nodes) < want && random.IntN(2) == 0 {
			z := contestant(newLoopbackNode(t, fmt.Sprint("node", len(recorders)), port), port)
			mustStart(t, z)
			nodes[z.UUID()], recorders[z.UUID()] = z, record(z)
		} else {
			for id, z := range nodes {
				if random.IntN(3) == 0 {
					z.Leave("crew")
					left = append(left, z)
				} else {
					z.Stop()
				}
				delete(nodes, id)
				break
			}
		}
		if len(left) > count/2 {
			left[0].Stop()
			left = left[1:]
		}
		pause(time.Duration(random.IntN(120)) * time.Millisecond)
	}
	alive := doomed.uuids
	if random.IntN(2) == 0 {
		doomed.kill()
		alive = nil
	}
	start := time.Now()
	agree(t, nodes, recorders, smallest(nodes, alive))
	return time.Since(start)
}
