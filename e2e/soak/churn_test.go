//go:build unix

package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Nodes come and go through one hub, or die: a newcomer learns of the live ones only.
func TestZyre_gossipChurn(t *testing.T) {
	if testing.Short() {
		gossipChurn(t, 40, 1, 2*time.Second)
		return
	}
	gossipChurn(t, 100, 1, 10*time.Second)
}

// A hundred nodes each minute.
func TestSoak_gossipChurn(t *testing.T) {
	limit := soakTime(t)
	gossipChurn(t, int(100*limit.Minutes()), int(8*limit.Minutes()), limit)
}

// gossipNode makes a node that finds others by gossip alone.
func gossipNode(t *testing.T, name, hub string) *zyre.Zyre {
	t.Helper()
	z := newNode(name)
	if hub != "" {
		z.GossipConnect("%s", hub)
	}
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	return z
}

// gossipChurn has so many nodes come within a limit, of which eight live at a time, and
// troops, which die.
func gossipChurn(t *testing.T, count, troops int, limit time.Duration) {
	leak.Check(t)
	hub := gossipNode(t, "hub", "").GossipBind("tcp://127.0.0.1:*")
	mustStart(t, hub)
	at := hub.GossipEndpoint()
	live := map[string]*zyre.Zyre{}
	var doomed *child.Process
	came := 0
	watch.Paced(limit/time.Duration(count), func() (last bool) {
		switch every := count / troops; came % every {
		case 0:
			doomed, _ = startTroop(t, child.Config{Endpoint: "tcp://127.0.0.1:*", GossipConnect: at}, 4)
		case every / 8:
			doomed.Kill()
		}
		z := gossipNode(t, fmt.Sprint("node", came), at)
		mustStart(t, z)
		live[z.UUID()] = z
		if len(live) > 8 {
			for id, z := range live {
				z.Stop()
				delete(live, id)
				break
			}
		}
		came++
		return came == count
	})
	doomed.Kill()
	late := gossipNode(t, "late", at)
	rl := mustStart(t, late)
	watch.Until(t, "the newcomer sees the live ones", func() bool { return rl.Count("ENTER") >= len(live)+1 })
	checkForgotten(t, at, len(live)+2)
	watch.Until(t, "and the newcomer", func() bool { return late.Stats().HalfOpen == 0 })
	end := gossipNode(t, "end", at)
	mustStart(t, end)
	rl.Wait(t, "ENTER end", 1) // after anything that should not come
	for _, e := range rl.Entries() {
		strange := live[e.PeerUUID] == nil && e.PeerUUID != hub.UUID() && e.PeerName != "end" && e.PeerName != "probe"
		if e.Type == "EXIT" && e.PeerName != "probe" || e.Type == "ENTER" && strange {
			t.Errorf("the newcomer saw %s of %s, which is gone", e.Type, e.PeerName)
		}
	}
}

// checkForgotten waits until a hub tells a newcomer of nobody who is dead: it finds so
// many nodes, and has none that it cannot reach.
func checkForgotten(t *testing.T, hub string, alive int) {
	t.Helper()
	watch.Until(t, "the hub has forgotten the dead ones", func() bool {
		probe := gossipNode(t, "probe", hub)
		r := mustStart(t, probe)
		defer probe.Stop()
		found := r.Find(func(*zyre.Event) bool { return r.Count("ENTER") >= alive })
		return found != nil && probe.Stats().HalfOpen == 0
	})
}

// electionExpired is how long a contestant that has died goes on for the others.
const electionExpired = 1500 * time.Millisecond

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

// election is contestants of which some are in this process, and some in a troop.
type election struct {
	t      *testing.T
	port   int
	nodes  map[string]*zyre.Zyre
	logs   map[string]*watch.Log
	left   []*zyre.Zyre // go on outside the group, but not for ever
	doomed *child.Process
	uuids  []string // of the doomed
}

func (e *election) startTroop(count int) {
	e.t.Helper()
	e.doomed, e.uuids = startTroop(e.t, child.Config{
		Port: e.port, Interval: 100 * time.Millisecond, Contest: "crew", Groups: []string{"crew"},
		Evasive: 500 * time.Millisecond, Silent: time.Second, Expired: electionExpired,
	}, count)
}

// come starts a contestant in this process.
func (e *election) come() {
	e.t.Helper()
	z := newNode(fmt.Sprint("node", len(e.logs))).SetPort(e.port).SetInterval(100 * time.Millisecond).
		SetEvasiveTimeout(500 * time.Millisecond).SetSilentTimeout(time.Second).
		SetExpiredTimeout(electionExpired).SetContestInGroup("crew")
	z.Join("crew")
	e.logs[z.UUID()] = mustStart(e.t, z)
	e.nodes[z.UUID()] = z
}

// goes has one of the contestants leave the group, or stop.
func (e *election) goes(leave bool) {
	for id, z := range e.nodes {
		if leave {
			z.Leave("crew")
			e.left = append(e.left, z)
		} else {
			z.Stop()
		}
		delete(e.nodes, id)
		return
	}
}

// electionChurn has contestants come, leave, stop and die, and returns how long it took
// those that are left to agree.
func electionChurn(t *testing.T, count int, limit time.Duration) time.Duration {
	e := &election{t: t, port: kit.FreeUDPPort(t), nodes: map[string]*zyre.Zyre{}, logs: map[string]*watch.Log{}}
	e.startTroop(count / 5)
	random := rand.New(rand.NewPCG(1, 2))
	end, due := time.Now().Add(limit), time.Now()
	round := 0
	watch.Paced(5*time.Millisecond, func() (last bool) {
		if time.Now().Before(due) {
			return false
		}
		if round%50 == 49 {
			e.doomed.Kill()
			e.startTroop(count / 5)
		}
		if want := count - len(e.uuids); len(e.nodes) < want/2 || len(e.nodes) < want && random.IntN(2) == 0 {
			e.come()
		} else {
			e.goes(random.IntN(3) == 0)
		}
		if len(e.left) > count/2 {
			e.left[0].Stop()
			e.left = e.left[1:]
		}
		round++
		due = time.Now().Add(time.Duration(random.IntN(120)) * time.Millisecond)
		return time.Now().After(end)
	})
	alive := e.uuids
	if random.IntN(2) == 0 {
		e.doomed.Kill()
		alive = nil
	}
	start := time.Now()
	var logs []*watch.Log
	for id := range e.nodes {
		logs, alive = append(logs, e.logs[id]), append(alive, id)
	}
	watch.Agree(t, slices.Min(alive), logs...)
	return time.Since(start)
}
