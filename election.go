package zyre

import (
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
)

// How long an election may take before the challenger begins it again, and how long a
// contestant that has met nobody waits before it takes the lead alone.
const (
	electionShortest = 500 * time.Millisecond
	electionLongest  = 30 * time.Second
	electionAlone    = 1500 * time.Millisecond
)

// SetContestInGroup makes the node stand for election as the leader of a group, which it
// also has to join. Of the members that contest, the one with the smallest UUID is
// elected. Every member, whether it contests or not, gets a LEADER event for each change
// of the leader. When the leader leaves the group or exits, another is elected. A name
// longer than 255 bytes makes Start return an error that wraps ErrTooLong. It works at
// any time. It is zyre_set_contest_in_group of libzyre.
//
// Use it only in groups whose members are all nodes of libzyre or of this package: the
// commands of an election are not in RFC 36, and pyre, zyre.js and gyre break on them.
func (z *Zyre) SetContestInGroup(group string) *Zyre {
	z.set(func(c *config) {
		if !validGroup(group) {
			c.reject("contest in group", group[:20]+"…", ErrTooLong)
			return
		}
		if !slices.Contains(c.contests, group) {
			c.contests = append(c.contests, group)
		}
	})
	z.configure(func(n *node, now time.Time) {
		if !validGroup(group) || slices.Contains(n.cfg.contests, group) {
			return
		}
		n.cfg.contests = append(n.cfg.contests, group)
		if _, member := n.own[group]; member {
			n.election(now, group).changed = true
			n.elect(now)
		}
	})
	return z
}

// election is what a node knows of the leadership of a group that it has joined.
//
// It is an echo wave with extinction: a contestant sends ELECT with its UUID to all
// members; who hears of a smaller one than it supports supports that one and tells all
// members; a contestant that every member supports is the leader and says so with
// LEADER, which each member passes on once. Members are all connected with each other,
// so hearing from each of them is hearing from all, and the challenger's own word
// begins a wave anew. Members that hold no elections never answer, and those of
// libzyre not always when they meet amid a wave: who has asked twice, and knows of
// nobody smaller, takes silence for consent.
type election struct {
	supported string          // UUID of the smallest contestant heard of; empty if none
	support   map[*Peer]bool  // who supports this node, while nobody smaller is known
	leader    string          // who leads; empty if nobody does
	rival     string          // a leader turned down for a smaller one, which may be dead; or empty
	told      map[*Peer]bool  // who has been told of the leader by this node
	changed   bool            // members have come or gone
	aloneAt   time.Time       // when to lead alone; zero if somebody was here
	retryAt   time.Time       // when to begin again; zero if this node does not challenge
	retry     backoff.Backoff // how long after a challenge the next one follows
}

// election returns the election of a group, and begins to keep one.
func (n *node) election(now time.Time, group string) *election {
	e := n.elections[group]
	if e == nil {
		e = &election{
			aloneAt: now.Add(electionAlone),
			retry:   backoff.Backoff{Min: electionShortest, Max: electionLongest},
		}
		n.elections[group] = e
	}
	return e
}

// stand begins the elections in which the application has the node stand.
func (n *node) stand(now time.Time) {
	for _, group := range n.cfg.contests {
		if _, member := n.own[group]; member {
			n.wakeBy(n.election(now, group).aloneAt)
		}
	}
}

// contests says whether this node stands in a group.
func (n *node) contests(group string) bool { return slices.Contains(n.cfg.contests, group) }

// membersChanged takes note that a peer has come into a group, or has gone from it.
func (n *node) membersChanged(group string, p *Peer, gone bool) {
	e := n.elections[group]
	if e == nil {
		return
	}
	e.changed, n.electing = true, true
	delete(e.support, p)
	delete(e.told, p)
	if !gone {
		return
	}
	if e.supported == p.Identity {
		e.supported = ""
	}
	if e.leader == p.Identity {
		e.leader = ""
	}
	if e.rival == p.Identity {
		e.rival = ""
	}
}

// elect goes on with the elections in which something changed or is overdue.
func (n *node) elect(now time.Time) {
	n.electing = false
	for group, e := range n.elections {
		switch {
		case e.changed:
			e.changed = false
			e.retry.Reset()
			n.tellNewcomers(now, group, e)
			n.challenge(now, group, e)
		case !e.retryAt.IsZero() && !now.Before(e.retryAt), !e.aloneAt.IsZero() && !now.Before(e.aloneAt):
			n.challenge(now, group, e)
		}
		if !e.retryAt.IsZero() {
			n.wakeBy(e.retryAt)
		}
		if !e.aloneAt.IsZero() {
			n.wakeBy(e.aloneAt)
		}
	}
}

// challenge begins an election, if this node stands and knows of nobody smaller.
func (n *node) challenge(now time.Time, group string, e *election) {
	e.retryAt = time.Time{}
	g := n.groups[group]
	if e.leader == "" && e.rival != "" && g != nil {
		n.follow(now, g, e, e.rival)
	}
	smaller := e.supported != "" && e.supported < n.id || e.leader != "" && e.leader < n.id
	if _, member := n.own[group]; !member || !n.contests(group) || smaller {
		e.aloneAt = time.Time{}
		return
	}
	if g == nil { // alone: a leader at once, unless nobody has been met yet
		if now.Before(e.aloneAt) {
			return
		}
		e.aloneAt = time.Time{}
		n.lead(now, group, e, n.id)
		return
	}
	e.aloneAt = time.Time{}
	if e.supported != n.id || e.support == nil {
		e.supported, e.support = n.id, map[*Peer]bool{}
	}
	if e.leader == n.id && e.supportedBy(g) {
		if len(e.told) < len(g.peers) {
			n.win(now, g, e)
		}
		return
	}
	asked := e.retry.Current() > electionShortest
	e.retryAt = now.Add(e.retry.Next())
	if asked {
		n.win(now, g, e)
	}
	n.tellMembers(now, g, &ZreMsg{id: ElectID, Group: group, candidate: n.id})
}

// receiveElection handles ELECT and LEADER. They count only in groups that both this
// node and the candidate are in.
func (n *node) receiveElection(now time.Time, p *Peer, v *zreView) {
	group, member := n.own[string(v.group)]
	candidate := string(v.candidate)
	g := n.groups[group]
	if !member || g == nil || !slices.Contains(g.peers, p) || candidate != n.id && !g.has(candidate) {
		n.counters.electionsIgnored++
		return
	}
	e := n.election(now, group)
	n.electing = true
	if v.id == ElectID {
		n.receiveElect(now, p, g, e, candidate)
	} else {
		n.receiveLeader(now, p, g, e, candidate)
	}
}

// receiveElect handles a member's word for a candidate, often its own.
func (n *node) receiveElect(now time.Time, p *Peer, g *Group, e *election, candidate string) {
	known := e.supported
	if known == "" || e.leader != "" && e.leader < known {
		known = e.leader
	}
	switch {
	case candidate == n.id:
		if e.supported == n.id && !e.retryAt.IsZero() {
			e.support[p] = true
			if e.supportedBy(g) {
				e.retryAt = time.Time{}
				n.win(now, g, e)
			}
		}
	case n.contests(g.name) && n.id < candidate:
		if e.supported != n.id || e.leader == n.id && p.Identity == candidate { // it has not heard of this node
			delete(e.support, p)
			e.changed = true
		}
	case known == "" || candidate < known || candidate == known && p.Identity == candidate:
		e.supported, e.support, e.retryAt, e.aloneAt = candidate, nil, time.Time{}, time.Time{}
		n.tellMembers(now, g, &ZreMsg{id: ElectID, Group: g.name, candidate: candidate})
	}
}

// receiveLeader handles the news of a leader. Only its own word counts; that of the
// others is for those who count voices.
func (n *node) receiveLeader(now time.Time, p *Peer, g *Group, e *election, candidate string) {
	if p.Identity != candidate {
		return
	}
	switch {
	case n.contests(g.name) && n.id < candidate:
		e.changed = true
	case e.leader != "" && e.leader < candidate:
		e.rival = candidate
	default:
		n.follow(now, g, e, candidate)
	}
}

// follow takes the word of a leader, and passes it on.
func (n *node) follow(now time.Time, g *Group, e *election, leader string) {
	e.rival, e.told = "", map[*Peer]bool{}
	n.lead(now, g.name, e, leader)
	n.tellNewcomers(now, g.name, e)
}

// tellNewcomers passes the word of the leader on to the members that have not had it
// from this node: those of libzyre report a leader once they have it from everybody.
func (n *node) tellNewcomers(now time.Time, group string, e *election) {
	g := n.groups[group]
	if g == nil || e.leader == "" || e.leader == n.id {
		return
	}
	n.encode(&ZreMsg{id: LeaderID, Group: group, candidate: e.leader})
	for _, p := range g.peers {
		if !e.told[p] {
			e.told[p] = true
			n.transmit(p, now, n.scratch, nil, nil)
		}
	}
}

// win makes this node the leader.
func (n *node) win(now time.Time, g *Group, e *election) {
	e.rival, e.told = "", map[*Peer]bool{}
	for _, p := range g.peers {
		e.told[p] = true
	}
	n.tellMembers(now, g, &ZreMsg{id: LeaderID, Group: g.name, candidate: n.id})
	n.lead(now, g.name, e, n.id)
}

// supportedBy says whether every member supports this node. Who has said so once is
// not asked again: a node of libzyre speaks once in a wave.
func (e *election) supportedBy(g *Group) bool {
	return !slices.ContainsFunc(g.peers, func(p *Peer) bool { return !e.support[p] })
}

// lead reports a leader, unless it leads already.
func (n *node) lead(_ time.Time, group string, e *election, leader string) {
	e.supported = leader
	if e.leader == leader {
		return
	}
	e.leader = leader
	event := &Event{Type: eventLeader, PeerUUID: leader, PeerName: n.cfg.name, Group: group}
	if id, _ := parseUUID(leader); n.peers[id] != nil {
		p := n.peers[id]
		event.PeerName, event.PeerAddr = p.Name, p.endpoint
	}
	n.log.Debug("zyre: leader", "group", group, "leader", leader)
	n.events.push(event)
}

// tellMembers sends a command to every member of a group.
func (n *node) tellMembers(now time.Time, g *Group, msg *ZreMsg) {
	n.encode(msg)
	for _, p := range g.peers {
		n.transmit(p, now, n.scratch, nil, nil)
	}
}

// has says whether the peer with this UUID is in the group.
func (g *Group) has(uuid string) bool {
	return slices.ContainsFunc(g.peers, func(p *Peer) bool { return p.Identity == uuid })
}
