package zyre

import (
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/ratelimit"
)

// How long an election may take before the challenger begins it again, and how long a
// contestant that has met nobody waits before it takes the lead alone.
const (
	electionShortest = 500 * time.Millisecond
	electionLongest  = 30 * time.Second
	electionAlone    = 1500 * time.Millisecond
	// electionHearsay is how long a contestant that only others have told of is supported: it
	// tells all members itself, unless it does not stand at all.
	electionHearsay = 5 * time.Second
	// electionAsks is how often a member is asked before its silence is consent: it has
	// electionShortest to answer the first time, and twice that the second.
	electionAsks = 2
)

// Members that come and go cause elections: so many at once, and so many a second in the
// long run. What changes beyond that counts once there is room again.
const (
	electionBurst = 20
	electionRate  = 2
)

// election is what a node knows of the leadership of a group that it has joined.
//
// It is an echo wave with extinction: a contestant sends ELECT with its UUID to all members;
// a member that hears of a smaller UUID than that of the contestant that it supports
// supports the smaller one and tells all members; a contestant that every member supports
// is the leader and says so with LEADER, which each member passes on once. Members are all
// connected with each other, so hearing from each of them is hearing from all, and the
// challenger's own word begins another wave. Members that hold no elections never answer,
// and those of libzyre not always when they come in during a wave. So a contestant that knows of
// nobody smaller takes silence for consent: that of each member which it has asked twice,
// whoever else comes or goes meanwhile. A member that follows a smaller leader is not silent:
// it says so to whoever comes in, and ignores ELECT of a larger one. The leader itself may be
// silent for long, while its application takes no events.
type election struct {
	supported string           // UUID of the smallest contestant heard of; empty if none
	support   map[*peer]bool   // who supports this node, while nobody smaller is known
	asked     map[*peer]asking // whom this node has asked for support, also in waves before
	leader    string           // who leads; empty if nobody does
	claims    map[*peer]claim  // the last word of each other contestant about itself
	follows   map[*peer]*peer  // the leader that a member has named last, itself and this node apart
	told      map[*peer]bool   // who has been told of the leader by this node, since it asked last
	changed   bool             // members have come or gone
	aloneAt   time.Time        // when to lead alone; zero if somebody was here
	retryAt   time.Time        // when to begin again; zero if this node does not challenge
	hearsayAt time.Time        // when the one that is supported loses that; zero if it has spoken itself
	changes   ratelimit.Bucket // bounds the elections that members cause by coming and going
	retry     backoff.Backoff  // how long after a challenge the next one follows
}

// asking is how often a member has been asked, and what has come of it.
type asking struct {
	times int       // at most electionAsks
	until time.Time // it has time to answer
	spoke bool      // it takes part in elections: another wave asks it anew
}

// claim is what a contestant has said of itself last. It may say so only once, while another
// leads: when that one goes, the claim still holds.
type claim int

const (
	claimAsks  claim = iota // ELECT: it asks to be supported
	claimLeads              // LEADER: it leads
)

// smallestClaimant returns the contestant with the smallest UUID that has said anything of
// itself; nil if there is none.
func (e *election) smallestClaimant() (smallest *peer) {
	for p := range e.claims {
		if smallest == nil || p.id < smallest.id {
			smallest = p
		}
	}
	return smallest
}

// hasSpoken reports whether a contestant has said anything of itself.
func (e *election) hasSpoken(candidate string) bool {
	for p := range e.claims {
		if p.id == candidate {
			return true
		}
	}
	return false
}

// spoke notes that a contestant says something of itself.
func (e *election) spoke(candidate string) {
	if e.supported == candidate {
		e.hearsayAt = time.Time{}
	}
}

// election returns the election of a group, and begins to keep one.
func (z *zre) election(now time.Time, group string) *election {
	e := z.elections[group]
	if e == nil {
		e = &election{
			asked:   map[*peer]asking{},
			claims:  map[*peer]claim{},
			follows: map[*peer]*peer{},
			aloneAt: now.Add(electionAlone),
			changes: ratelimit.Bucket{Rate: electionRate, Burst: electionBurst},
			retry:   backoff.Backoff{Min: electionShortest, Max: electionLongest},
		}
		z.elections[group] = e
	}
	return e
}

// startElections begins the elections in which the application has the node stand.
func (z *zre) startElections(now time.Time) {
	for _, group := range z.contests {
		if _, member := z.own[group]; member {
			z.wakeBy(z.election(now, group).aloneAt)
		}
	}
}

// contest has this node stand for election in a group.
func (z *zre) contest(now time.Time, group string) {
	if z.isContesting(group) {
		return
	}
	z.contests = append(z.contests, group)
	if _, member := z.own[group]; member {
		z.election(now, group).changed = true
		z.runElections(now)
	}
}

// isContesting reports whether this node stands in a group.
func (z *zre) isContesting(group string) bool { return slices.Contains(z.contests, group) }

// membersChanged takes note that a peer has come into a group, or has gone from it.
func (z *zre) membersChanged(group string, p *peer, gone bool) {
	e := z.elections[group]
	if e == nil {
		return
	}
	e.changed, z.electionsChanged = true, true
	delete(e.support, p)
	delete(e.asked, p)
	delete(e.follows, p)
	delete(e.told, p)
	if !gone {
		return
	}
	maps.DeleteFunc(e.follows, func(_, leader *peer) bool { return leader == p })
	if e.supported == p.id {
		e.supported, e.hearsayAt = "", time.Time{}
	}
	delete(e.claims, p)
	if e.leader == p.id {
		e.leader = ""
	}
}

// runElections goes on with the elections in which something changed or is overdue.
func (z *zre) runElections(now time.Time) {
	z.electionsChanged = false
	for _, group := range slices.Sorted(maps.Keys(z.elections)) {
		e := z.elections[group]
		if !e.hearsayAt.IsZero() && !now.Before(e.hearsayAt) {
			z.log.Debug("a member was named as a contestant, and does not stand", "group", group, "peer", e.supported)
			e.supported, e.hearsayAt = e.leader, time.Time{}
			e.changed = true
		}
		switch {
		case e.changed && !e.changes.Take(now):
			z.counters.electionsDelayed++
			z.wakeBy(now.Add(time.Second / electionRate))
			continue // whatever else is due waits for that as well
		case e.changed:
			e.changed = false
			e.retry.Reset()
			z.tellNewcomers(now, group, e)
			z.challenge(now, group, e)
		case !e.retryAt.IsZero() && !now.Before(e.retryAt), !e.aloneAt.IsZero() && !now.Before(e.aloneAt):
			z.challenge(now, group, e)
		}
		if !e.retryAt.IsZero() {
			z.wakeBy(e.retryAt)
		}
		if !e.aloneAt.IsZero() {
			z.wakeBy(e.aloneAt)
		}
		if !e.hearsayAt.IsZero() {
			z.wakeBy(e.hearsayAt)
		}
	}
}

// challenge begins an election, if this node stands and knows of nobody smaller.
func (z *zre) challenge(now time.Time, group string, e *election) {
	e.retryAt = time.Time{}
	g := z.groups[group]
	if p := e.smallestClaimant(); p != nil && g != nil && (e.leader == "" || p.id < e.leader) {
		switch {
		case z.isContesting(group) && z.id < p.id:
		case e.claims[p] == claimLeads:
			z.follow(now, g, e, p.id)
		case e.supported == "" || p.id < e.supported:
			z.receiveElect(now, p, g, e, p.id)
		}
	}
	smaller := e.supported != "" && e.supported < z.id || e.leader != "" && e.leader < z.id
	if _, member := z.own[group]; !member || !z.isContesting(group) || smaller {
		e.aloneAt = time.Time{}
		return
	}
	if g == nil { // alone: a leader at once, unless nobody has been met yet
		if now.Before(e.aloneAt) {
			return
		}
		e.aloneAt = time.Time{}
		z.lead(group, e, z.id)
		return
	}
	e.aloneAt = time.Time{}
	if e.supported != z.id || e.support == nil {
		e.supported, e.support, e.hearsayAt = z.id, map[*peer]bool{}, time.Time{}
		maps.DeleteFunc(e.asked, func(_ *peer, a asking) bool { return a.spoke })
	}
	if e.leader == z.id && e.supportedBy(g) {
		if len(e.told) < len(g.peers) {
			z.win(now, g, e)
		}
		return
	}
	e.retryAt = now.Add(e.retry.Next())
	if e.consented(now, g) {
		z.win(now, g, e)
	}
	e.ask(now, g)
	z.tellMembers(now, g, &ZreMsg{id: ElectID, Group: group, candidate: z.id})
	clear(e.told) // a leader whose last word is that it asks is not followed
}

// receiveElection handles ELECT and LEADER. They count only in groups that both this
// node and the candidate are in.
func (z *zre) receiveElection(now time.Time, p *peer, v *zreView) {
	group, member := z.own[string(v.group)]
	candidate := string(v.candidate)
	g := z.groups[group]
	if !member || g == nil || !slices.Contains(g.peers, p) || candidate != z.id && !g.has(candidate) {
		z.counters.electionsIgnored++
		return
	}
	e := z.election(now, group)
	z.electionsChanged = true
	if a, asked := e.asked[p]; asked {
		a.spoke = true
		e.asked[p] = a
	}
	if v.id == ElectID {
		z.receiveElect(now, p, g, e, candidate)
	} else {
		z.receiveLeader(now, p, g, e, candidate)
	}
}

// receiveElect handles a member's word for a candidate, often its own.
func (z *zre) receiveElect(now time.Time, p *peer, g *group, e *election, candidate string) {
	if p.id == candidate {
		e.claims[p] = claimAsks
		e.spoke(candidate)
	}
	if leader := e.follows[p]; leader != nil && leader.id < candidate {
		delete(e.follows, p)
	}
	known := e.supported
	if known == "" || e.leader != "" && e.leader < known {
		known = e.leader
	}
	switch {
	case candidate == z.id:
		if e.supported == z.id && !e.retryAt.IsZero() {
			again := e.support[p]
			e.support[p] = true
			switch {
			case e.supportedBy(g):
				e.retryAt = time.Time{}
				z.win(now, g, e)
			case !again && e.consented(now, g):
				z.win(now, g, e)
			}
		}
	case z.isContesting(g.name) && z.id < candidate:
		if e.supported != z.id || e.leader == z.id && p.id == candidate { // it has not heard of this node
			delete(e.support, p)
			e.changed = true
		}
	case known == "" || candidate < known || candidate == known && p.id == candidate:
		e.supported, e.support, e.retryAt, e.aloneAt, e.hearsayAt = candidate, nil, time.Time{}, time.Time{}, time.Time{}
		if !e.hasSpoken(candidate) {
			e.hearsayAt = now.Add(electionHearsay)
		}
		z.tellMembers(now, g, &ZreMsg{id: ElectID, Group: g.name, candidate: candidate})
	}
}

// receiveLeader handles the news of a leader. It is followed on its own word only; that of
// the others tells whom they follow, and is for those who count voices.
func (z *zre) receiveLeader(now time.Time, p *peer, g *group, e *election, candidate string) {
	delete(e.follows, p)
	if p.id != candidate {
		if candidate != z.id {
			e.follows[p] = g.peers[slices.IndexFunc(g.peers, func(m *peer) bool { return m.id == candidate })]
		}
		return
	}
	e.claims[p] = claimLeads
	e.spoke(candidate)
	switch {
	case z.isContesting(g.name) && z.id < candidate:
		e.changed = true
	case e.leader != "" && e.leader < candidate: // until that one goes
	default:
		z.follow(now, g, e, candidate)
	}
}

// follow takes the word of a leader, and passes it on.
func (z *zre) follow(now time.Time, g *group, e *election, leader string) {
	e.told = map[*peer]bool{}
	z.lead(g.name, e, leader)
	z.tellNewcomers(now, g.name, e)
}

// tellNewcomers passes the word of the leader on to the members that have not had it
// from this node: those of libzyre report a leader once they have it from everybody.
func (z *zre) tellNewcomers(now time.Time, group string, e *election) {
	g := z.groups[group]
	if g == nil || e.leader == "" || e.leader == z.id {
		return
	}
	z.encode(&ZreMsg{id: LeaderID, Group: group, candidate: e.leader})
	tell := transmission{header: z.header}
	for _, p := range g.peers {
		if !e.told[p] {
			e.told[p] = true
			z.transmit(now, p, &tell)
		}
	}
}

// win makes this node the leader.
func (z *zre) win(now time.Time, g *group, e *election) {
	e.told = map[*peer]bool{}
	for _, p := range g.peers {
		e.told[p] = true
	}
	z.tellMembers(now, g, &ZreMsg{id: LeaderID, Group: g.name, candidate: z.id})
	z.lead(g.name, e, z.id)
}

// ask notes that every member is asked for its support.
func (e *election) ask(now time.Time, g *group) {
	for _, p := range g.peers {
		if a := e.asked[p]; a.times < electionAsks && !now.Before(a.until) {
			a.times++
			a.until = now.Add(time.Duration(a.times) * electionShortest)
			e.asked[p] = a
		}
	}
}

// supportedBy reports whether every member supports this node. Who has said so once is
// not asked again: a node of libzyre speaks once in a wave.
func (e *election) supportedBy(g *group) bool {
	return !slices.ContainsFunc(g.peers, func(p *peer) bool { return !e.support[p] })
}

// consented reports whether every member supports this node, or has been silent for long enough,
// and none follows a smaller leader.
func (e *election) consented(now time.Time, g *group) bool {
	return !slices.ContainsFunc(g.peers, func(p *peer) bool {
		a := e.asked[p]
		silent := a.times == electionAsks && !now.Before(a.until)
		return !e.support[p] && !silent || e.objects(p)
	})
}

// objects reports whether a member follows a smaller leader than this node, which it supports,
// would be. What it says of one that supports this node itself is out of date, or was never so.
func (e *election) objects(p *peer) bool {
	leader := e.follows[p]
	return leader != nil && leader.id < e.supported && !e.support[leader]
}

// lead reports a leader, unless it leads already.
func (z *zre) lead(group string, e *election, leader string) {
	e.supported, e.hearsayAt = leader, time.Time{}
	if e.leader == leader {
		return
	}
	e.leader = leader
	event := &Event{Type: EventLeader, PeerUUID: leader, PeerName: z.name, Group: group}
	if id, _ := parseUUID(leader); z.peers[id] != nil {
		p := z.peers[id]
		event.PeerName, event.PeerAddr = p.name, p.endpoint
	}
	z.log.Info("leader", "group", group, "leader", leader)
	z.port.deliver(event)
}

// tellMembers sends a command to every member of a group.
func (z *zre) tellMembers(now time.Time, g *group, msg *ZreMsg) {
	z.encode(msg)
	tell := transmission{header: z.header}
	for _, p := range g.peers {
		z.transmit(now, p, &tell)
	}
}
