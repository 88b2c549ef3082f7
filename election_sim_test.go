package zyre

import (
	"slices"
	"testing"
	"time"
)

// Elections in the simulated network, all in one group.
const simCrew = "crew"

// simLeaders is what the application has seen of the leaders of simCrew.
type simLeaders struct {
	current string // "" if nobody leads, or the leader has gone
	events  int
}

// seeLeader checks the LEADER events: never the same again unless it was gone, and
// never somebody who is not here.
func (h *simNode) seeLeader(e *Event) {
	l := &h.leaders
	switch {
	case e.Type == EventExit && e.PeerUUID == l.current,
		e.Type == EventLeave && e.PeerUUID == l.current && e.Group == simCrew:
		l.current = ""
	case e.Type == EventLeader:
		h.net.note("%s sees LEADER %.4s", simName(h.uuid), e.PeerUUID)
		if e.Group != simCrew || e.PeerUUID == l.current {
			h.net.fatalf("%s: LEADER %.4s of %q again", simName(h.uuid), e.PeerUUID, e.Group)
		}
		if w := h.peers[e.PeerUUID]; e.PeerUUID != uuidString(h.uuid) && (w == nil || !w.here) {
			h.net.fatalf("%s: LEADER %.4s, which is not here", simName(h.uuid), e.PeerUUID)
		}
		l.current = e.PeerUUID
		l.events++
	}
}

// member starts a node in simCrew.
func (s *sim) member(contests bool) *simNode {
	h := s.node(func(cfg *config, _ *simSite) {
		cfg.groups = []string{simCrew}
		if contests {
			cfg.contests = []string{simCrew}
		}
	})
	h.n.zre.startElections(s.now)
	return h
}

// simCandidate tells whether a host stands in simCrew, and whether it is a member.
func simCandidate(h simHost) (member, contests bool) {
	switch h := h.(type) {
	case *simNode:
		_, member = h.n.zre.own[simCrew]
		return member, member && h.n.zre.isContesting(simCrew)
	case *simForeign:
		return true, h.contests
	}
	return false, false
}

// simAgreed checks that all members report the smallest contestant.
func simAgreed(s *sim) {
	s.tb.Helper()
	want := ""
	for _, h := range s.hosts {
		if id := uuidString(h.base().uuid); want == "" || id < want {
			if _, contests := simCandidate(h); contests {
				want = id
			}
		}
	}
	for _, h := range s.hosts {
		if member, _ := simCandidate(h); !member {
			continue
		}
		got := ""
		switch h := h.(type) {
		case *simNode:
			got = h.leaders.current
			if e := h.n.zre.elections[simCrew]; e != nil && e.leader != got || e == nil && got != "" {
				s.fatalf("%s has told of leader %.4s, and has another", simName(h.uuid), got)
			}
		case *simForeign:
			if h.model.HasMissedLeader(simCrew) {
				continue // it can not know, whatever ours say
			}
			got = h.leader
		}
		if got != want {
			s.fatalf("%s: leader %.4q, want %.4q", simName(h.base().uuid), got, want)
		}
	}
}

// TestNode_randomElections lets members come, go and die. On a network that works,
// all agree 3 s after the last change; after failures, once the dead have expired.
func TestNode_randomElections(t *testing.T) {
	t.Parallel()
	simEachSeed(1, func(seed int64) { randomElections(t, seed) })
}

func randomElections(t *testing.T, seed int64) {
	s := newSim(t, seed)
	broken := seed%2 == 0
	if s.rng.Intn(3) == 0 {
		s.latency = time.Duration(s.rng.Intn(200)) * time.Millisecond
	}
	for range 2 + s.rng.Intn(5) {
		s.member(s.rng.Intn(3) > 0)
	}
	for range 20 + s.rng.Intn(200) {
		simElectionStep(s, broken)
	}
	if broken {
		simRecover(s, simHealing)
	} else {
		s.run(4 * time.Second) // to meet
		s.run(3*time.Second + 4*s.latency)
	}
	simAgreed(s)
	before := map[*simNode]int{}
	for _, h := range s.hosts {
		before[h.(*simNode)] = h.(*simNode).leaders.events
	}
	s.run(40 * time.Second)
	simAgreed(s)
	for h, events := range before {
		if h.leaders.events != events {
			s.fatalf("%s: LEADER events on a quiet network", simName(h.uuid))
		}
	}
}

func simElectionStep(s *sim, broken bool) {
	if len(s.hosts) == 0 {
		s.member(true)
	}
	h := s.hosts[s.rng.Intn(len(s.hosts))].(*simNode)
	switch k := s.rng.Intn(100); {
	case k < 50:
		if list := s.deliverable(); len(list) > 0 {
			s.deliver(list[s.rng.Intn(len(list))])
		}
	case k < 65:
		s.beacon(h)
	case k < 80:
		s.advance(time.Duration(1+s.rng.Intn(400)) * time.Millisecond)
	case k < 85:
		h.leave(simCrew)
		h.leaders.current = ""
	case k < 90:
		h.join(simCrew)
	case k < 93:
		s.stop(h)
	case !broken:
		if len(s.hosts) < 8 {
			s.member(s.rng.Intn(3) > 0)
		}
	case k < 95:
		simStep(s, func(n int) int { return min(85+s.rng.Intn(3), n-1) }) // restart
	case k < 97:
		if h.frozen() {
			s.thaw(h)
		} else {
			s.freeze(h)
		}
	case len(s.conns) > 0:
		c := s.conns[s.rng.Intn(len(s.conns))]
		s.note("cut %s -> %s", simName(c.from.uuid), c.to)
		c.lose(s.rng.Intn(len(c.queue) + 1))
	}
}

// elector starts a model of libzyre in simCrew.
func (s *sim) elector(contests bool) *simForeign {
	h := s.foreign(simLibzyre)
	h.model.Join(simCrew)
	if h.contests = contests; contests {
		h.model.Contest(simCrew)
	}
	return h
}

// TestNode_electionsWithLibzyre has a member that behaves like libzyre among ours, as
// challenger and as member: at first and after one stops or dies all agree. Several of libzyre
// that meet amid a wave can hang, with each other: they count what they once missed.
func TestNode_electionsWithLibzyre(t *testing.T) {
	t.Parallel()
	simEachSeed(1, func(seed int64) { electionWithLibzyre(t, seed) })
}

func electionWithLibzyre(t *testing.T, seed int64) {
	s := newSim(t, seed)
	for range 1 + s.rng.Intn(3) {
		s.member(s.rng.Intn(3) > 0)
	}
	s.elector(s.rng.Intn(2) > 0)
	s.member(true)
	s.run(4 * time.Second)
	simAgreed(s)
	for _, h := range slices.Clone(s.hosts) {
		if _, contests := simCandidate(h); contests && len(s.hosts) > 2 && s.rng.Intn(2) == 0 {
			if s.rng.Intn(2) == 0 {
				s.stop(h)
			} else {
				s.kill(h)
				s.run(defaultExpired)
			}
			break
		}
	}
	s.run(5 * time.Second)
	simAgreed(s)
}

// ELECT and LEADER leave no trace in a node unless it, the sender and the candidate are
// in the group.
func TestNode_foreignElections(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(func(cfg *config, _ *simSite) { cfg.groups = []string{simCrew} })
	b := s.node(func(cfg *config, _ *simSite) { cfg.groups = []string{"hall"} })
	s.run(2 * time.Second)
	p := a.n.zre.peers[b.uuid]
	ignored := uint64(0)
	for _, group := range []string{"", "nowhere", "hall", simCrew} {
		for _, candidate := range []string{"", "x", p.id, a.n.zre.id, uuidString([16]byte{9})} {
			for _, id := range []uint8{ElectID, LeaderID} {
				a.hear(b.uuid, p.in.next, &ZreMsg{id: id, Group: group, candidate: candidate})
				ignored++
			}
		}
	}
	s.run(time.Minute)
	if got := a.n.zre.counters.electionsIgnored; got != ignored {
		t.Errorf("%d commands of elections ignored, want %d", got, ignored)
	}
	if len(a.n.zre.elections) != 0 || a.leaders.events != 0 {
		t.Errorf("%d elections, %d LEADER, want none", len(a.n.zre.elections), a.leaders.events)
	}
}

// A member that names another as a contestant, which does not stand, keeps no leader from the group
// for longer than it takes to see that: also when it has gone, and the leader stops.
func TestElection_hearsay(t *testing.T) {
	for _, stops := range []int{1, 2} {
		s := newSim(t, 5)
		bystander := s.node(func(cfg *config, site *simSite) { site.uuid, cfg.groups = [16]byte{1}, []string{simCrew} })
		var members []*simNode
		for i := range 3 {
			h := s.node(func(cfg *config, site *simSite) {
				site.uuid = [16]byte{byte(10 + i)}
				cfg.groups, cfg.contests = []string{simCrew}, []string{simCrew}
			})
			h.n.zre.startElections(s.now)
			members = append(members, h)
		}
		liar := s.node(func(cfg *config, site *simSite) { site.uuid, cfg.groups = [16]byte{66}, []string{simCrew} })
		s.run(5 * time.Second)
		for _, p := range liar.n.zre.peers {
			liar.n.zre.command(s.now, p, &ZreMsg{id: ElectID, Group: simCrew, candidate: uuidString(bystander.uuid)})
		}
		s.run(2 * time.Second)
		s.stop(liar)
		for _, h := range members[:stops] {
			s.stop(h)
		}
		s.run(electionHearsay + 5*time.Second)
		for _, h := range append([]*simNode{bystander}, members[stops:]...) {
			if want := uuidString(members[stops].uuid); h.leaders.current != want {
				t.Errorf("after %d have stopped %s sees leader %.4q, want %.4q", stops, simName(h.uuid), h.leaders.current, want)
			}
		}
	}
}

// While the application of the leader takes no events, nobody else is made the leader as long as a
// member follows the one that is; who comes in then learns of it once the leader reads on, and has
// another one if it dies.
func TestElection_leaderReadsNothing(t *testing.T) {
	for _, dies := range []bool{false, true} {
		s := newSim(t, 3)
		contestant := func(id byte) *simNode {
			h := s.node(func(cfg *config, site *simSite) {
				site.uuid, cfg.queueLimit = [16]byte{id}, minQueueLimit
				cfg.groups, cfg.contests = []string{simCrew}, []string{simCrew}
			})
			h.n.zre.startElections(s.now)
			return h
		}
		leader, follower := contestant(1), s.member(false)
		s.run(4 * time.Second)
		leader.deaf = true
		for range minQueueLimit/eventOverhead + 100 {
			follower.whisper(leader.uuid)
		}
		s.settle()
		if !simPaused(leader) {
			t.Fatal("the leader reads on")
		}
		second := contestant(2)
		s.run(20 * time.Second)
		late := s.member(false)
		s.run(time.Minute)
		for h, want := range map[*simNode]string{follower: uuidString(leader.uuid), second: "", late: ""} {
			if h.leaders.current != want || h.exits[leader.uuid] > 0 {
				t.Errorf("while the leader reads nothing %s sees leader %.4q and %d EXITs of it, want %.4q and none", simName(h.uuid), h.leaders.current, h.exits[leader.uuid], want)
			}
		}
		if dies {
			s.kill(leader)
			s.run(defaultExpired)
		}
		leader.deaf = false
		s.run(5 * time.Second)
		simAgreed(s)
	}
}
