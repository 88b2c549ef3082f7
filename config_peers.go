package zyre

import (
	"slices"
	"time"
)

// RequirePeer makes the node connect to a peer that neither beacons nor gossip announce.
// The peer is given by its UUID, its endpoint (tcp, ipc or inproc; a host name is
// looked up) and, if this node is secure, its CURVE public key in Z85. The node tries
// to reach the peer until Stop, also after it exited. Called before Start, it takes
// effect at Start. It returns an error that wraps ErrInvalid if an argument is
// invalid. It is zyre_require_peer of libzyre.
func (z *Zyre) RequirePeer(uuid, endpoint, publicKey string) error {
	id, err := z.checkRequired(uuid, endpoint, publicKey)
	if err != nil {
		return endpointError("require peer", endpoint, err)
	}
	peer := requiredPeer{id, endpoint, publicKey}
	z.setLive(change{op: "require peer", apply: func(c *config) { c.require(peer) }})
	z.configure(func(n *node, now time.Time) {
		n.cfg.require(peer)
		n.routing.setTargets(&n.cfg)
		n.followRoutes(now)
		n.updateLocation() // the endpoint may be a local one
		n.zre.addKnownNode(now, id, newKnownNode(endpoint, publicKey, true))
	})
	return nil
}

// checkRequired returns the UUID in the arguments of RequirePeer, or what is wrong with
// them. It shows none of them: a secret key may have come in the wrong place.
func (z *Zyre) checkRequired(uuid, endpoint, publicKey string) (id [16]byte, err error) {
	id, ok := canonicalUUID(uuid)
	z.lock()
	defer z.mu.Unlock()
	switch {
	case !ok:
		err = wrong("the UUID must be 32 hexadecimal digits")
	case id == z.uuid:
		err = wrong("the UUID must not be this node's own")
	case checkPeerEndpoint(endpoint) != nil:
		err = errPeerEndpoint
	case checkPublicKey(publicKey, true) != nil:
		err = checkPublicKey(publicKey, true)
	case publicKey == "" && z.node.Load() != nil && z.cfg.curve.enabled():
		err = errNoPeerKey
	}
	return id, err
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
