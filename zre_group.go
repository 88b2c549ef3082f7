package zyre

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// group is the peers that have joined a group, as the protocol knows them. The exported
// [Group] is for programs that speak ZRE by themselves.
type group struct {
	name  string
	peers []*peer // in the order in which they joined
}

// has reports whether the peer with this UUID is in the group.
func (g *group) has(uuid string) bool {
	return slices.ContainsFunc(g.peers, func(p *peer) bool { return p.id == uuid })
}

// remove removes p.
func (g *group) remove(p *peer) {
	if i := slices.Index(g.peers, p); i >= 0 {
		g.peers = slices.Delete(g.peers, i, i+1)
	}
}

// confirmPeers counts the members of a group, or with "" the peers, that have shown that
// they have our HELLO. It pings the others: their answer shows it.
func (z *zre) confirmPeers(now time.Time, group string) (confirmed int) {
	count := func(p *peer) {
		switch {
		case !p.isEntered():
		case !p.handshake.isEnteredUnconfirmed():
			confirmed++
		case !p.presence.isPinged():
			z.ping(now, p)
		}
	}
	if group == "" {
		for _, p := range z.peers {
			count(p)
		}
		return confirmed
	}
	if g := z.groups[group]; g != nil {
		for _, p := range g.peers {
			count(p)
		}
	}
	return confirmed
}

// ownGroups lists the groups that this node has joined, in order.
func (z *zre) ownGroups() []string { return slices.Sorted(maps.Keys(z.own)) }

// join joins a group and tells every peer.
func (z *zre) join(now time.Time, name string) {
	if _, member := z.own[name]; member {
		return
	}
	name = strings.Clone(name)
	z.own[name] = name
	z.announceGroup(now, JoinID, name)
	if z.isContesting(name) {
		z.election(now, name).changed = true
		z.runElections(now)
	}
}

// leave leaves a group and tells every peer.
func (z *zre) leave(now time.Time, name string) {
	if _, member := z.own[name]; !member {
		return
	}
	delete(z.own, name)
	delete(z.elections, name)
	z.announceGroup(now, LeaveID, name)
}

// announceGroup tells every peer of a join or leave: also those whose own HELLO has not
// come, since they have ours.
func (z *zre) announceGroup(now time.Time, id uint8, name string) {
	z.status++
	for _, p := range z.peers {
		if p.mailbox != nil {
			z.command(now, p, &ZreMsg{id: id, Group: name, Status: z.status})
		}
	}
}

// receiveStatus takes the peer's count of joins and leaves from a JOIN or LEAVE. A count
// that disagrees with ours is noted; the peer's holds.
func (z *zre) receiveStatus(p *peer, status byte) {
	if status != p.status+1 {
		z.counters.statusMismatch++
	}
	p.status = status
}

// joined puts a peer into a group.
func (z *zre) joined(p *peer, name string) {
	if !p.isEntered() {
		p.held.join(name)
		return
	}
	if _, member := p.groups[name]; member {
		return
	}
	if len(p.groups) >= maxPeerGroups || p.groupBytes+len(name) > maxPeerBytes {
		z.counters.groupsRefused++
		return
	}
	g := z.groups[name]
	if g == nil {
		g = &group{name: name}
		z.groups[name] = g
	}
	g.peers = append(g.peers, p)
	if p.groups == nil {
		p.groups = map[string]*group{}
	}
	p.groups[name] = g
	p.groupBytes += len(name)
	z.membersChanged(name, p, false)
	e := peerEvent(EventJoin, p)
	e.Group = name
	z.port.deliver(e)
}

// left takes a peer out of a group.
func (z *zre) left(p *peer, name string) {
	if !p.isEntered() {
		p.held.leave(name)
		return
	}
	g := p.groups[name]
	if g == nil {
		return
	}
	z.removeMember(p, g)
	e := peerEvent(EventLeave, p)
	e.Group = name
	z.port.deliver(e)
}

// removeMember takes a peer out of a group, and the group out of the table once it is
// empty.
func (z *zre) removeMember(p *peer, g *group) {
	delete(p.groups, g.name)
	p.groupBytes -= len(g.name)
	g.remove(p)
	if len(g.peers) == 0 {
		delete(z.groups, g.name)
	}
	z.membersChanged(g.name, p, true)
	if p.backlog.isBlocked() {
		z.unblockGroups()
	}
}
