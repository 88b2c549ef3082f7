package zyre

import (
	"errors"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// standing is a node that is known to be reachable somewhere, from gossip or
// RequirePeer. It is tried again and again, ever more slowly.
type standing struct {
	endpoint string
	key      string // CURVE public key, Z85; empty on a plain network
	required bool   // by RequirePeer: never given up
	next     time.Time
	pause    time.Duration
}

const (
	standingShortest = time.Second
	standingLongest  = 30 * time.Second
	maxStanding      = 10_000
)

// expect takes note of a node and tries to reach it.
func (n *node) expect(now time.Time, uuid [16]byte, s *standing) {
	old := n.standing[uuid]
	if old == nil && len(n.standing) >= maxStanding || old != nil && old.required && !s.required {
		n.counters.sightingsRefused++
		return
	}
	n.standing[uuid] = s
	n.approach(now, uuid, s)
}

// approach tries to reach a standing node. A host name is looked up elsewhere.
func (n *node) approach(now time.Time, uuid [16]byte, s *standing) {
	s.pause = min(max(2*s.pause, standingShortest), standingLongest)
	s.next = now.Add(s.pause)
	n.reach(now, uuid, s.endpoint, s.key)
}

// reach goes to a node at an endpoint that may have a host name.
func (n *node) reach(now time.Time, uuid [16]byte, endpoint, key string) {
	_, err := transport.ParseEndpoint(endpoint)
	switch {
	case errors.Is(err, transport.ErrNeedsLookup):
		n.counters.unreachable++ // until it has been looked up
		n.lookup.start(n, endpoint, func(now time.Time, numeric string) {
			n.sightedWithKey(now, uuid, numeric, key)
		})
	case err != nil:
		n.counters.unreachable++
	default:
		n.sightedWithKey(now, uuid, endpoint, key)
	}
}

// revisit tries those standing nodes again that are not here.
func (n *node) revisit(now time.Time) {
	for uuid, s := range n.standing {
		p := n.peers[uuid]
		switch {
		case p != nil && p.entered():
			s.pause, s.next = 0, now.Add(standingShortest)
		case p == nil && !now.Before(s.next):
			n.approach(now, uuid, s)
		}
	}
}

// RequirePeer makes the node connect to a peer that neither beacons nor gossip announce.
// The peer is given by its UUID, its endpoint (tcp, ipc or inproc; a host name is
// looked up) and, if this node is secure, its CURVE public key in Z85. The node tries
// to reach the peer until Stop, also after it exited. Called before Start, it takes
// effect at Start. It returns an error that wraps ErrInvalid if an argument is
// invalid. It is zyre_require_peer of libzyre.
func (z *Zyre) RequirePeer(uuid, endpoint, publicKey string) error {
	id, ok := canonicalUUID(uuid)
	_, err := transport.ParseEndpoint(endpoint)
	if errors.Is(err, transport.ErrNeedsLookup) {
		err = nil
	}
	if _, keyOK := transport.RawFromZ85(publicKey); err != nil || !ok || id == z.uuid || publicKey != "" && !keyOK {
		return opError("require peer", endpoint, ErrInvalid)
	}
	peer := requiredPeer{id, endpoint, publicKey}
	z.set(func(c *config) { c.require(peer) })
	z.configure(func(n *node, now time.Time) {
		n.cfg.require(peer)
		n.expect(now, id, &standing{endpoint: endpoint, key: publicKey, required: true})
	})
	return nil
}

type requiredPeer struct {
	uuid          [16]byte
	endpoint, key string
}

// require adds a required peer, or takes the place of what was said of it before.
func (c *config) require(peer requiredPeer) {
	c.required = slices.DeleteFunc(c.required, func(old requiredPeer) bool { return old.uuid == peer.uuid })
	c.required = append(c.required, peer)
}
