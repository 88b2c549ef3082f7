package zyre

import (
	"errors"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

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
		n.updateLocation() // the endpoint may be a local one
		n.zre.addKnownNode(now, id, newKnownNode(endpoint, publicKey, true))
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
