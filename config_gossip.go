package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/zgossip"
)

// gossipConfig is what the setters of gossip set.
type gossipConfig struct {
	binds []string
	hubs  []gossipHub
}

type gossipHub struct{ endpoint, key string }

func (c *gossipConfig) enabled() bool { return len(c.binds)+len(c.hubs) > 0 }

// GossipBind makes the node a hub of gossip discovery at an endpoint: tcp
// ("tcp://192.168.1.7:9999"; the port * takes any free one), ipc or inproc. The
// endpoint is formatted as by fmt.Sprintf; without args it is used as it is. Nodes that
// connect to the hub (GossipConnect) find each other without UDP. GossipBind may be
// called several times. Gossip turns beacons off, unless SetPort is called too. An
// endpoint that cannot be bound makes Start return an error. No effect after Start. It
// is zyre_gossip_bind of libzyre.
//
// The hub of a node with [Zyre.SetZCert] is secured by the same keys. As in libzyre, it
// admits only clients that use GossipConnectCurve with its key, and with
// [Zyre.SetAuthorizedKeys] only authorized ones. An inproc hub is not secured, because
// it stays within the process. A hub of a plain node, or of CZMQ without keys, serves
// secure nodes too: everybody can then see the tuples, but not connect to the nodes.
func (z *Zyre) GossipBind(format string, args ...interface{}) *Zyre {
	endpoint := sprintf(format, args...)
	err := zgossip.CheckBind(endpoint)
	if err != nil {
		err = errOwnEndpoint
	}
	return z.set(change{"gossip bind", shownEndpoint(endpoint), err, func(c *config) {
		c.gossip.binds = append(c.gossip.binds, endpoint)
	}})
}

// GossipConnect makes the node a client of a hub of gossip discovery. The endpoint is
// formatted as by fmt.Sprintf; without args it is used as it is. The hub need not be up
// yet: the node connects as soon as it is. GossipConnect may be called several times:
// with two hubs there is no single point of failure. Gossip turns beacons off, unless
// SetPort is called too. No effect after Start. It is zyre_gossip_connect of libzyre.
func (z *Zyre) GossipConnect(format string, args ...interface{}) *Zyre {
	return z.GossipConnectCurve("", format, args...)
}

// GossipConnectCurve is GossipConnect to a secured hub, whose public key is publicKey,
// in Z85. The node shows the hub its own key, or a fresh one if it has none. An invalid
// key makes Start return an error that wraps ErrInvalid. No effect after Start. It is
// zyre_gossip_connect_curve of libzyre.
func (z *Zyre) GossipConnectCurve(publicKey, format string, args ...interface{}) *Zyre {
	endpoint := sprintf(format, args...)
	err := checkPublicKey(publicKey, true)
	if zgossip.CheckConnect(endpoint) != nil {
		err = errPeerEndpoint
	}
	return z.set(change{"gossip connect", shownEndpoint(endpoint), err, func(c *config) {
		c.gossip.hubs = append(c.gossip.hubs, gossipHub{endpoint, publicKey})
	}})
}

// GossipUnpublish takes back this node's own tuple everywhere, if uuid is its UUID.
// With another UUID, this node alone forgets what gossip told of that node; what is no
// UUID is logged. It does nothing before Start and after Stop. It is zyre_gossip_unpublish of libzyre.
func (z *Zyre) GossipUnpublish(uuid string) *Zyre {
	n := z.node.Load()
	if n == nil {
		return z
	}
	id, ok := canonicalUUID(uuid)
	if !ok {
		n.log.Warn("not unpublished", "err", endpointError("gossip unpublish", uuid, errNoUUID))
		return z
	}
	done := make(chan struct{})
	_ = n.do(func(time.Time) {
		switch {
		case n.gossip == nil:
			close(done)
		case id == n.uuid:
			n.gossip.takenBack = true
			n.gossip.announceLatest(announcement{done: done})
		default:
			delete(n.zre.known, id)
			close(done)
		}
	})
	select {
	case <-done:
	case <-n.commands.stopped: // Stop takes the tuple back as well
		return z
	}
	if id != n.uuid && n.gossip != nil {
		_ = n.gossip.actor.Unpublish(uuidString(id)) // after Stop there is nothing to forget
	}
	return z
}

// GossipEndpoint returns the first endpoint that GossipBind has bound, with the number
// of its port. It is "" if there is none, before Start and after Stop. Libzyre has
// nothing like it.
func (z *Zyre) GossipEndpoint() string {
	return ask(z, func(n *node, _ time.Time) string {
		if n.gossip == nil || len(n.gossip.bound) == 0 {
			return ""
		}
		return n.gossip.bound[0]
	})
}
