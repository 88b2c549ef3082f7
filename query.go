package zyre

import (
	"cmp"
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

// PeerInfo is what a node knows of a peer that has entered. It belongs to the application.
type PeerInfo struct {
	UUID      string            // 32 upper-case hexadecimal digits
	Name      string            // from its HELLO
	Endpoint  string            // the endpoint that this node is connected to
	Headers   map[string]string // from its HELLO
	Groups    []string          // the groups that it has joined, sorted
	PublicKey string            // its CURVE key, in Z85; "" if this node has no certificate
	RTT       time.Duration     // of the last ping that it answered; 0 if it was not pinged yet
	Since     time.Time         // when it entered
	Idle      time.Duration     // since its last message
}

// Peer returns what the node knows of a peer, all at one moment, and whether the peer has
// entered; false before Start and after Stop. Libzyre has nothing like it.
func (z *Zyre) Peer(uuid string) (PeerInfo, bool) {
	id, ok := canonicalUUID(uuid)
	info := ask(z, func(n *node, now time.Time) *PeerInfo {
		if p := n.zre.peers[id]; ok && p != nil && p.isEntered() {
			return p.info(now)
		}
		return nil
	})
	if info == nil {
		return PeerInfo{}, false
	}
	return *info, true
}

// PeerList returns what the node knows of the peers that have entered, all at one moment,
// in the order of their UUIDs; none before Start and after Stop. Libzyre has nothing like
// it.
func (z *Zyre) PeerList() []PeerInfo {
	return ask(z, func(n *node, now time.Time) (list []PeerInfo) {
		for _, p := range n.zre.peers {
			if p.isEntered() {
				list = append(list, *p.info(now))
			}
		}
		slices.SortFunc(list, func(a, b PeerInfo) int { return cmp.Compare(a.UUID, b.UUID) })
		return list
	})
}

// PeersByName returns the UUIDs of the peers with a name, sorted: several may have the
// same. There are none before Start and after Stop. Libzyre has nothing like it.
func (z *Zyre) PeersByName(name string) []string {
	return ask(z, func(n *node, _ time.Time) (ids []string) {
		for _, p := range n.zre.peers {
			if p.isEntered() && p.name == name {
				ids = append(ids, p.id)
			}
		}
		slices.Sort(ids)
		return ids
	})
}

// Leader returns the UUID of the leader of a group, which may be this node, and whether
// there is one: in a group that this node has joined, and in which somebody contests. It
// is "" and false before Start and after Stop. See [Zyre.SetContestInGroup]; a change
// comes as a LEADER event. Libzyre has nothing like it.
func (z *Zyre) Leader(group string) (peer string, ok bool) {
	peer = ask(z, func(n *node, _ time.Time) string {
		if e := n.zre.elections[group]; e != nil {
			return e.leader
		}
		return ""
	})
	return peer, peer != ""
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
	z.lock()
	defer z.mu.Unlock()
	return slices.Sorted(slices.Values(z.cfg.groups))
}

// Endpoint returns where peers reach this node, such as "tcp://192.168.1.7:49152": the
// endpoint that it advertises, or the one on the first of its interfaces. A service beside
// ZRE can be offered at the same address. It is "" before Start, after Stop, and while
// there is no network. Libzyre has nothing like it.
func (z *Zyre) Endpoint() string {
	return ask(z, func(n *node, _ time.Time) string { return n.zre.location.announced("") })
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

// ask returns what fn finds on the running node, or the zero value.
func ask[T any](z *Zyre, fn func(n *node, now time.Time) T) (result T) {
	var answer T
	if n := z.node.Load(); n != nil && n.do(func(now time.Time) { answer = fn(n, now) }) == nil {
		result = answer
	}
	return result
}
