package zyre

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Peers returns the UUIDs of the peers that have entered, sorted; none before Start
// and after Stop. It is zyre_peers of libzyre.
func (z *Zyre) Peers() []string {
	return ask(z, func(n *node, _ time.Time) []string {
		var ids []string
		for _, p := range n.peers {
			if p.entered() {
				ids = append(ids, p.Identity)
			}
		}
		slices.Sort(ids)
		return ids
	})
}

// PeersByGroup returns the UUIDs of the peers that have joined a group, sorted; none
// before Start and after Stop. It is zyre_peers_by_group of libzyre.
func (z *Zyre) PeersByGroup(group string) []string {
	return ask(z, func(n *node, _ time.Time) []string {
		var ids []string
		if g := n.groups[group]; g != nil {
			for _, p := range g.peers {
				ids = append(ids, p.Identity)
			}
		}
		slices.Sort(ids)
		return ids
	})
}

// OwnGroups returns the groups that this node has joined, sorted. It works at any
// time. It is zyre_own_groups of libzyre.
func (z *Zyre) OwnGroups() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Sorted(slices.Values(z.cfg.groups))
}

// PeerGroups returns the groups that at least one peer has joined, sorted; none before
// Start and after Stop. It is zyre_peer_groups of libzyre.
func (z *Zyre) PeerGroups() []string {
	return ask(z, func(n *node, _ time.Time) []string { return slices.Sorted(maps.Keys(n.groups)) })
}

// PeerAddress returns the endpoint of a peer, such as "tcp://192.168.1.7:49152", or ""
// for one that has not entered, before Start and after Stop. It is zyre_peer_address of
// libzyre.
func (z *Zyre) PeerAddress(peer string) string {
	return askPeer(z, peer, func(p *Peer) string { return p.endpoint })
}

// PeerName returns the name of a peer, or "" for one that has not entered, before Start
// and after Stop. Libzyre has nothing like it.
func (z *Zyre) PeerName(peer string) string {
	return askPeer(z, peer, func(p *Peer) string { return p.Name })
}

// PeerHeaderValue returns the value of a header of a peer, and whether the peer has
// entered and has that header; "" and false before Start and after Stop. It is
// zyre_peer_header_value of libzyre.
func (z *Zyre) PeerHeaderValue(peer, name string) (string, bool) {
	type header struct {
		value string
		ok    bool
	}
	h := askPeer(z, peer, func(p *Peer) header {
		value, ok := p.Headers[name]
		return header{value, ok}
	})
	return h.value, h.ok
}

// askPeer returns what fn finds in a peer that has entered, or the zero value.
func askPeer[T any](z *Zyre, peer string, fn func(p *Peer) T) T {
	id, ok := canonicalUUID(peer)
	return ask(z, func(n *node, _ time.Time) (result T) {
		if p := n.peers[id]; ok && p != nil && p.entered() {
			result = fn(p)
		}
		return result
	})
}

// ownGroups lists the groups that this node has joined, in order.
func (n *node) ownGroups() []string { return slices.Sorted(maps.Keys(n.own)) }

// join joins a group and tells every peer.
func (n *node) join(now time.Time, group string) {
	if _, already := n.own[group]; already {
		return
	}
	group = strings.Clone(group)
	n.own[group] = group
	n.announce(now, JoinID, group)
	if n.contests(group) {
		n.election(now, group).changed = true
		n.elect(now)
	}
}

// leave leaves a group and tells every peer.
func (n *node) leave(now time.Time, group string) {
	if _, member := n.own[group]; !member {
		return
	}
	delete(n.own, group)
	delete(n.elections, group)
	n.announce(now, LeaveID, group)
}

// announce tells every peer of a join or leave: also those whose own HELLO has not
// come, since they have ours.
func (n *node) announce(now time.Time, id uint8, group string) {
	n.status++
	for _, p := range n.peers {
		if p.mailbox != nil {
			n.command(p, now, &ZreMsg{id: id, Group: group, Status: n.status})
		}
	}
}
