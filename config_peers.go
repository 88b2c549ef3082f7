package zyre

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// RequirePeer makes the node connect to a peer that neither beacons nor gossip announce.
// The peer is given by its UUID, its endpoint (tcp, ipc or inproc; a host name is
// looked up) and, if this node is secure, its CURVE public key in Z85. The node tries
// to reach the peer until Stop, also after it exited. Called before Start, it takes
// effect at Start. It returns an error that wraps ErrInvalid if an argument is
// invalid. It is zyre_require_peer of libzyre.
//
// With "" for the UUID the peer is whoever answers at the endpoint, and ENTER tells its
// UUID. That does for a list of addresses to begin with, which may name this node too. A
// process that takes the place of the one before is met within seconds. The peer must
// name that endpoint in its HELLO, or one with the same port on another of its addresses;
// behind NAT it calls [Zyre.SetAdvertisedEndpoint]. In libzyre a UUID must be given.
func (z *Zyre) RequirePeer(uuid, endpoint, publicKey string) error {
	peer, err := z.checkRequired(uuid, endpoint, publicKey)
	if err != nil {
		return endpointError("require peer", endpoint, err)
	}
	z.setLive(change{op: "require peer", apply: func(c *config) { c.require(peer) }})
	z.configure(func(n *node, now time.Time) {
		n.cfg.require(peer)
		n.routing.setTargets(&n.cfg)
		n.followRoutes(now)
		n.zre.location = n.binder.location(n.cfg.local(), &n.routing) // the endpoint may be a local one
		n.zre.addKnownNode(now, peer.uuid, peer.known())
	})
	return nil
}

// checkRequired returns what the arguments of RequirePeer name, or what is wrong with
// them. It shows none of them: a secret key may have come in the wrong place.
func (z *Zyre) checkRequired(id, endpoint, publicKey string) (peer requiredPeer, err error) {
	peer = requiredPeer{uuid: seedUUID(endpoint), endpoint: endpoint, key: publicKey, seed: id == ""}
	ok := true
	if !peer.seed {
		peer.uuid, ok = canonicalUUID(id)
	}
	z.lock()
	defer z.mu.Unlock()
	switch {
	case !ok:
		err = wrong("the UUID must be 32 hexadecimal digits, or empty if it is not known")
	case peer.uuid == z.uuid:
		err = wrong("the UUID must not be this node's own")
	case checkPeerEndpoint(endpoint) != nil:
		err = errPeerEndpoint
	case checkPublicKey(publicKey, true) != nil:
		err = checkPublicKey(publicKey, true)
	case publicKey == "" && z.node.Load() != nil && z.cfg.curve.enabled():
		err = errNoPeerKey
	}
	return peer, err
}

// seedUUID makes a UUID for a node of which only the endpoint is known.
func seedUUID(endpoint string) [16]byte { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(endpoint)) }

type requiredPeer struct {
	uuid          [16]byte
	endpoint, key string
	seed          bool // the UUID is made up
}

func (r requiredPeer) known() *knownNode {
	k := newKnownNode(r.endpoint, r.key, true)
	k.seed = r.seed
	return k
}

// require adds a required peer, or takes the place of what was said of it before.
func (c *config) require(peer requiredPeer) {
	c.required = slices.DeleteFunc(c.required, func(old requiredPeer) bool { return old.uuid == peer.uuid })
	c.required = append(c.required, peer)
}
