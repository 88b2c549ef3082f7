package zyre

import (
	"maps"
	"slices"
	"time"
)

// Peers returns the UUIDs of the peers that have entered, sorted; none before Start
// and after Stop. It is zyre_peers of libzyre.
func (z *Zyre) Peers() []string {
	return ask(z, func(n *node, _ time.Time) []string {
		var ids []string
		for _, p := range n.zre.peers {
			if p.isEntered() {
				ids = append(ids, p.id)
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
		if g := n.zre.groups[group]; g != nil {
			for _, p := range g.peers {
				ids = append(ids, p.id)
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
	return ask(z, func(n *node, _ time.Time) []string { return slices.Sorted(maps.Keys(n.zre.groups)) })
}

// PeerAddress returns the endpoint of a peer, such as "tcp://192.168.1.7:49152", or ""
// for one that has not entered, before Start and after Stop. It is zyre_peer_address of
// libzyre.
func (z *Zyre) PeerAddress(uuid string) string {
	return askPeer(z, uuid, func(p *peer) string { return p.endpoint })
}

// PeerName returns the name of a peer, or "" for one that has not entered, before Start
// and after Stop. Libzyre has nothing like it.
func (z *Zyre) PeerName(uuid string) string {
	return askPeer(z, uuid, func(p *peer) string { return p.name })
}

// PeerHeaderValue returns the value of a header of a peer, and whether the peer has
// entered and has that header; "" and false before Start and after Stop. It is
// zyre_peer_header_value of libzyre.
func (z *Zyre) PeerHeaderValue(uuid, name string) (string, bool) {
	type header struct {
		value string
		ok    bool
	}
	h := askPeer(z, uuid, func(p *peer) header {
		value, ok := p.headers[name]
		return header{value, ok}
	})
	return h.value, h.ok
}

// askPeer returns what fn finds in a peer that has entered, or the zero value.
func askPeer[T any](z *Zyre, uuid string, fn func(p *peer) T) T {
	id, ok := canonicalUUID(uuid)
	return ask(z, func(n *node, _ time.Time) (result T) {
		if p := n.zre.peers[id]; ok && p != nil && p.isEntered() {
			result = fn(p)
		}
		return result
	})
}
