package zyre

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestNode_randomNetwork lets some nodes live through everything a network can do
// to them. At every moment the events of each node must be in order and its tables
// consistent; in the end, when all is well again, the nodes must see each other.
func TestNode_randomNetwork(t *testing.T) {
	t.Parallel()
	simEachSeed(1, func(seed int64) { randomNetwork(t, seed, false) })
}

// The same with nodes that require each other by their endpoints alone.
func TestSeed_randomNetwork(t *testing.T) {
	t.Parallel()
	simEachSeed(1, func(seed int64) { randomNetwork(t, seed, true) })
}

func randomNetwork(t *testing.T, seed int64, requires bool) {
	s := newSim(t, seed)
	s.requires = requires
	if s.rng.Intn(4) == 0 {
		s.hwm = 4
	}
	if s.rng.Intn(4) == 0 {
		s.window = 40 // a few whispers
	}
	if s.rng.Intn(3) == 0 {
		s.rate = 1000
	}
	s.nodes(2 + s.rng.Intn(3))
	kind := append([]simKind{""}, simKinds...)[seed%int64(1+len(simKinds))]
	healing := simHealing
	if kind != "" {
		s.foreign(kind)
		healing *= 2 // these forget nobody before a peer expires
	}
	for range 50 + s.rng.Intn(400) {
		simStep(s, s.rng.Intn)
	}
	simRecover(s, healing)
	for _, a := range s.hosts {
		for _, b := range s.hosts {
			n, ours := a.(*simNode)
			if _, alien := b.(*simForeign); ours && alien {
				simExchange(s, n, b, fmt.Sprint("end", n.born))
			}
		}
	}
}

// simStep does one thing, chosen by pick: a function like rand.Intn.
func simStep(s *sim, pick func(n int) int) {
	if len(s.hosts) == 0 {
		s.nodes(1)
	}
	h := s.hosts[pick(len(s.hosts))]
	ours, _ := h.(*simNode)
	alien, _ := h.(*simForeign)
	switch k := pick(100); {
	case k < 45:
		if list := s.deliverable(); len(list) > 0 {
			s.deliver(list[pick(len(list))])
		}
	case k < 55:
		s.beacon(h)
	case k < 65:
		s.advance(time.Duration(1+pick(400)) * time.Millisecond)
	case k < 67:
		s.advance(time.Duration(pick(12)) * time.Second)
	case k < 85 && ours != nil && !ours.frozen():
		simTalk(s, ours, pick)
	case k < 85 && alien != nil && !alien.frozen():
		alien.talk(pick)
	case k < 88:
		simRestart(s, h, pick)
	case k < 91:
		if h.base().frozen() {
			s.thaw(h)
		} else {
			s.freeze(h)
		}
	case k < 93:
		h.base().side = 1 - h.base().side
	case k < 96 && len(s.conns) > 0:
		c := s.conns[pick(len(s.conns))]
		s.note("cut %s -> %s", simName(c.from.uuid), c.to)
		c.lose(pick(len(c.queue) + 1))
	case k < 99 && len(s.late) > 0:
		g := s.late[pick(len(s.late))]
		if slices.Contains(s.hosts, g.to) && !g.to.base().frozen() {
			s.note("late goodbye of %s to %s", simName(g.uuid), simName(g.to.base().uuid))
			g.to.bye(g.uuid)
		}
	default:
		if len(s.hosts) < 6 {
			s.nodeAt(s.endpointFor(pick))
		}
	}
}

// simTalk has a node's application do something.
func simTalk(s *sim, h *simNode, pick func(n int) int) {
	group := []string{"A", "B", "C"}[pick(3)]
	switch pick(8) {
	case 0:
		h.join(group)
	case 1:
		h.leave(group)
	case 2:
		h.do(command{kind: cmdShout, message: message{group: group, payload: []byte("s"), receipt: newOutcome().receipt}})
	case 3:
		h.deaf = !h.deaf
		h.turn()
	default:
		for range 1 + pick(5) {
			h.whisper(s.hosts[pick(len(s.hosts))].base().uuid)
		}
	}
}

// simRestart ends a host and may start it again.
func simRestart(s *sim, h simHost, pick func(n int) int) {
	old := *h.base()
	s.kill(h)
	for _, o := range s.hosts {
		switch pick(4) {
		case 0: // lost
		case 1:
			s.late = append(s.late, simGoodbye{o, old.uuid})
		default:
			if s.hear(&old, o.base()) {
				o.bye(old.uuid)
			}
		}
	}
	how := pick(8)
	if how >= 6 {
		return
	}
	if f, alien := h.(*simForeign); alien {
		s.foreignAt(f.kind, s.endpointFor(pick))
		return
	}
	s.node(func(_ *config, site *simSite) {
		if how&1 != 0 {
			site.uuid = old.uuid
		}
		if how&2 != 0 {
			site.endpoint = old.endpoint
		}
	})
}

// nodeAt starts a node at an endpoint, or with "" at a new one.
func (s *sim) nodeAt(endpoint string) *simNode {
	return s.node(func(_ *config, site *simSite) {
		if endpoint != "" {
			site.endpoint = endpoint
		}
	})
}

// endpointFor returns where a process is to start: where another one was before, or with ""
// at a new endpoint.
func (s *sim) endpointFor(pick func(n int) int) string {
	if len(s.freed) == 0 || pick(2) == 0 {
		return ""
	}
	endpoint := s.freed[pick(len(s.freed))]
	if s.host(endpoint) != nil {
		return ""
	}
	return endpoint
}

// simRecover ends all trouble, and expects the nodes to find each other.
func simRecover(s *sim, healing time.Duration) {
	s.tb.Helper()
	s.late = nil
	s.hurry()
	for _, h := range s.hosts {
		h.base().side = 0
		if h.base().frozen() {
			s.thaw(h)
		}
		if n, ours := h.(*simNode); ours {
			n.deaf = false
			n.turn()
		}
	}
	s.run(healing)
	s.checkLetters()
	simConnected(s)
	before := map[simHost]int{}
	for _, h := range s.hosts {
		if n, ours := h.(*simNode); ours {
			before[h] = len(n.history)
		}
	}
	s.run(10 * time.Second)
	simConnected(s)
	for h, count := range before {
		if n := h.(*simNode); len(n.history) != count {
			s.fatalf("%s: events on a quiet network: %q", simName(n.uuid), n.history[count:])
		}
	}
}

// simHealing is how long a network may take to be whole again: peers that are dead
// have to expire, and those that took their place may have been waiting for that.
const simHealing = 45 * time.Second

// simConnected checks that every node sees all others and nobody else, and that
// messages reach all of them.
func simConnected(s *sim) {
	s.tb.Helper()
	for _, h := range s.hosts {
		n, ours := h.(*simNode)
		if !ours {
			continue
		}
		var want, have []string
		for _, o := range s.hosts {
			if o != h {
				want = append(want, uuidString(o.base().uuid))
			}
		}
		slices.Sort(want)
		for id, p := range n.n.zre.peers {
			if p.isEntered() {
				have = append(have, uuidString(id))
			}
		}
		slices.Sort(have)
		if sees := n.sees(); !slices.Equal(sees, want) || !slices.Equal(have, want) {
			s.fatalf("%s sees %.4q, has %.4q, want %.4q", simName(n.uuid), sees, have, want)
		}
	}
	for _, h := range s.hosts {
		n, ours := h.(*simNode)
		if !ours {
			continue
		}
		for _, o := range s.hosts {
			other, ours := o.(*simNode)
			if o == h || !ours {
				continue
			}
			before := other.peers[uuidString(n.uuid)].whispers
			n.whisper(other.uuid)
			s.arrive()
			if got := other.peers[uuidString(n.uuid)].whispers - before; got != 1 {
				s.fatalf("whisper from %s to %s arrived %d times", simName(n.uuid), simName(other.uuid), got)
			}
		}
	}
}
