package zyre

import (
	"maps"
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
	case e.Type == eventExit && e.PeerUUID == l.current,
		e.Type == eventLeave && e.PeerUUID == l.current && e.Group == simCrew:
		l.current = ""
	case e.Type == eventLeader:
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
	h.n.stand(s.now)
	return h
}

// simCandidate tells whether a host stands in simCrew, and whether it is a member.
func simCandidate(h simHost) (member, contests bool) {
	switch h := h.(type) {
	case *simNode:
		_, member = h.n.own[simCrew]
		return member, member && h.n.contests(simCrew)
	case *simElector:
		return true, h.contest
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
			if e := h.n.elections[simCrew]; e != nil && e.leader != got || e == nil && got != "" {
				s.fatalf("%s has told of leader %.4s, and has another", simName(h.uuid), got)
			}
		case *simElector:
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

// simElector is a member that holds elections as libzyre does: it counts one ELECT
// of each member, echoes to its father once it has heard all, passes LEADER on once,
// and reports a leader once it has LEADER from all.
type simElector struct {
	*simForeign
	contest bool
	crew    map[[16]byte]bool // peers in the group
	here    map[[16]byte]bool // those of them that were ready when we looked last

	caw      string // the smallest challenger heard of
	father   [16]byte
	erec     int
	lrec     map[string]int // by leader
	leader   string
	reported int
}

func (s *sim) elector(contest bool) *simElector {
	h := &simElector{
		simForeign: &simForeign{simSite: s.site(), kind: simLibzyre, peers: map[[16]byte]*simForeignPeer{}, heard: map[string]int{}},
		contest:    contest, crew: map[[16]byte]bool{}, here: map[[16]byte]bool{}, lrec: map[string]int{},
	}
	h.groups = []string{simCrew}
	s.add(h)
	return h
}

func (h *simElector) members() map[[16]byte]bool {
	all := map[[16]byte]bool{}
	for id, p := range h.peers {
		if p.ready && h.crew[id] {
			all[id] = true
		}
	}
	return all
}

// tell sends a command of the election to the members but one.
func (h *simElector) tell(id uint8, candidate string, but [16]byte) {
	for _, to := range slices.SortedFunc(maps.Keys(h.members()), func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }) {
		if to != but {
			h.send(h.peers[to], &ZreMsg{id: id, Group: simCrew, candidate: candidate})
		}
	}
}

func (h *simElector) take(from [16]byte, header []byte, frames [][]byte) {
	h.simForeign.take(from, header, frames)
	var v zreView
	if v.parse(header) != nil || h.peers[from] == nil || !h.peers[from].ready {
		h.look()
		return
	}
	switch v.id {
	case HelloID:
		h.crew[from] = slices.Contains(v.groupNames(), simCrew)
		delete(h.here, from)
	case JoinID, LeaveID:
		if string(v.group) == simCrew {
			h.crew[from] = v.id == JoinID
		}
	}
	h.look()
	if !h.members()[from] {
		return
	}
	switch v.id {
	case ElectID:
		h.elect(from, string(v.candidate))
	case LeaderID:
		h.lead(string(v.candidate))
	}
}

// look acts on members that have come or gone.
func (h *simElector) look() {
	now := h.members()
	came, lost := false, false
	for id := range now {
		came = came || !h.here[id]
	}
	for id := range h.here {
		if !now[id] {
			lost = lost || uuidString(id) == h.leader || uuidString(id) == h.caw
		}
	}
	h.here = now
	if lost {
		h.leader, h.caw, h.erec, h.lrec = "", "", 0, map[string]int{}
	}
	if h.contest && (came || lost) {
		h.caw, h.erec, h.lrec = uuidString(h.uuid), 0, map[string]int{}
		if len(now) == 0 {
			h.report(h.caw)
		}
		h.tell(ElectID, h.caw, [16]byte{})
	}
}

func (h *simElector) elect(from [16]byte, r string) {
	if h.caw == "" || r < h.caw {
		h.caw, h.father, h.erec = r, from, 0
		h.tell(ElectID, r, from)
	}
	if r != h.caw {
		return
	}
	if h.erec++; h.erec != len(h.members()) {
		return
	}
	if r == uuidString(h.uuid) {
		h.tell(LeaderID, r, [16]byte{})
		return
	}
	h.send(h.peers[h.father], &ZreMsg{id: ElectID, Group: simCrew, candidate: r})
}

func (h *simElector) lead(r string) {
	if h.lrec[r] == 0 && r != uuidString(h.uuid) {
		h.tell(LeaderID, r, [16]byte{})
	}
	if h.lrec[r]++; h.lrec[r] == len(h.members()) {
		h.report(r)
		h.caw, h.erec, h.lrec = "", 0, map[string]int{}
	}
}

func (h *simElector) report(r string) {
	h.net.note("libzyre %s sees LEADER %.4s", simName(h.uuid), r)
	h.leader = r
	h.reported++
}

func (h *simElector) bye(uuid [16]byte) {
	h.simForeign.bye(uuid)
	h.look()
}

func (h *simElector) turn() {
	h.simForeign.turn()
	h.look()
}

// TestNode_electionsWithLibzyre has a member that behaves like libzyre among ours, as
// challenger and as member: at first and after one stops all agree. Several of libzyre
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
			s.stop(h)
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
	p := a.n.peers[b.uuid]
	ignored := uint64(0)
	for _, group := range []string{"", "nowhere", "hall", simCrew} {
		for _, candidate := range []string{"", "x", p.Identity, a.n.id, uuidString([16]byte{9})} {
			for _, id := range []uint8{ElectID, LeaderID} {
				a.hear(b.uuid, p.want, &ZreMsg{id: id, Group: group, candidate: candidate})
				ignored++
			}
		}
	}
	s.run(time.Minute)
	if got := a.n.counters.electionsIgnored; got != ignored {
		t.Errorf("%d commands of elections ignored, want %d", got, ignored)
	}
	if len(a.n.elections) != 0 || a.leaders.events != 0 {
		t.Errorf("%d elections, %d LEADER, want none", len(a.n.elections), a.leaders.events)
	}
}
