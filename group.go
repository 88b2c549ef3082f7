package zyre

import (
	"slices"
	"sync"
)

// Group is the peers that have joined a group, as this node knows them. It is
// the zyre_group class of libzyre.
//
// A [Zyre] keeps its own groups; a Group from [NewGroup] is for programs that
// speak ZRE by themselves. Its methods may be called by any number of goroutines
// at once.
type Group struct {
	mu    sync.Mutex
	peers []*Peer // guarded by mu
}

// NewGroup makes an empty group. The name is for who reads the call: a message names its
// group by itself. It is zyre_group_new of libzyre.
func NewGroup(name string) *Group { return &Group{} }

// Join adds a peer to the group; adding it twice is harmless. It is
// zyre_group_join of libzyre.
func (g *Group) Join(peer *Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if peer != nil && !slices.Contains(g.peers, peer) {
		g.peers = append(g.peers, peer)
	}
}

// Leave removes a peer from the group; one that is not in it is no error. It is
// zyre_group_leave of libzyre.
func (g *Group) Leave(peer *Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers = slices.DeleteFunc(g.peers, func(p *Peer) bool { return p == peer })
}

// Send sends a message to every peer in the group, in the order in which they
// joined. A peer that takes no message at the moment is passed over: use the
// peers' own Send to learn of it. It is zyre_group_send of libzyre.
func (g *Group) Send(msg *ZreMsg) {
	g.mu.Lock()
	peers := slices.Clone(g.peers)
	g.mu.Unlock()
	for _, p := range peers {
		_ = p.Send(msg)
	}
}
