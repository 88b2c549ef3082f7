package zyre

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
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
	endpoint := sprintf(format, args)
	return z.set(func(c *config) { c.gossip.binds = append(c.gossip.binds, endpoint) })
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
	endpoint := sprintf(format, args)
	return z.set(func(c *config) {
		if _, ok := transport.RawFromZ85(publicKey); publicKey != "" && !ok {
			c.reject("gossip connect", endpoint, ErrInvalid)
			return
		}
		c.gossip.hubs = append(c.gossip.hubs, gossipHub{endpoint, publicKey})
	})
}

// GossipUnpublish takes back this node's own tuple everywhere, if uuid is its UUID.
// With another UUID, this node alone forgets what gossip told of that node. It does
// nothing before Start and after Stop. It is zyre_gossip_unpublish of libzyre.
func (z *Zyre) GossipUnpublish(uuid string) *Zyre {
	id, ok := canonicalUUID(uuid)
	z.configure(func(n *node, _ time.Time) {
		if ok && n.gossip.actor != nil {
			delete(n.standing, id)
			_ = n.gossip.actor.Unpublish(uuidString(id))
		}
	})
	return z
}

// GossipEndpoint returns the first endpoint that GossipBind has bound, with the number
// of its port. It is "" if there is none, before Start and after Stop. Libzyre has
// nothing like it.
func (z *Zyre) GossipEndpoint() string {
	return ask(z, func(n *node, _ time.Time) string {
		if len(n.gossip.bound) == 0 {
			return ""
		}
		return n.gossip.bound[0]
	})
}

// gossiping is a node's part in gossip. The node owns it.
type gossiping struct {
	actor *zgossip.Gossip // nil without gossip
	bound []string        // endpoints of the hub
	zap   string          // ZAP domain of a secure hub; else empty
	from  *transport.ZMQ
	told  sync.WaitGroup // the goroutine that passes tuples on
	quit  chan struct{}  // closed to end it
}

// start binds and connects, and lets tuples flow to the node.
func (g *gossiping) start(n *node) error {
	if !n.cfg.gossip.enabled() {
		return nil
	}
	t, ok := n.transport.(*transport.ZMQ)
	if !ok {
		return fmt.Errorf("gossip: %w", errors.ErrUnsupported)
	}
	g.from = t
	if n.security.enabled && len(n.cfg.gossip.binds) > 0 {
		domain, err := t.RegisterPolicy(n.cfg.curve.zapDomain, n.security.policy)
		if err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
		g.zap = domain
	}
	actor, err := zgossip.New(t.Context(), zgossip.Options{
		Logger: n.log, PublicKey: n.cfg.curve.publicKey, SecretKey: n.cfg.curve.secretKey, ZapDomain: g.zap,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("gossip: %w", err), t.UnregisterPolicy(g.zap))
	}
	g.actor = actor
	if err := g.open(n); err != nil {
		return errors.Join(err, g.end())
	}
	g.quit = make(chan struct{})
	g.told.Go(func() { g.tell(n, g.quit) })
	return nil
}

// tell passes tuples on to the node, one after the other: what it has no time for stays
// with the actor, which keeps only the latest of each key.
func (g *gossiping) tell(n *node, quit <-chan struct{}) {
	for t := range g.actor.Tuples() {
		c := call{kind: callFunc, done: make(chan struct{}), fn: func(now time.Time) { n.tuple(now, t) }}
		if n.outbox.put(c) != nil {
			return
		}
		select {
		case <-c.done:
		case <-quit: // the node's goroutine waits for this one
			return
		}
	}
}

// open binds and connects.
func (g *gossiping) open(n *node) error {
	for _, endpoint := range n.cfg.gossip.binds {
		bound, err := g.actor.Bind(endpoint)
		if err != nil {
			return fmt.Errorf("gossip: bind %s: %w", endpoint, err)
		}
		g.bound = append(g.bound, bound)
	}
	for _, hub := range n.cfg.gossip.hubs {
		if err := g.actor.Connect(hub.endpoint, hub.key); err != nil {
			return fmt.Errorf("gossip: connect to %s: %w", hub.endpoint, err)
		}
	}
	return nil
}

// end ends the actor, and then its ZAP policy: a hub without would let everybody in.
func (g *gossiping) end() error {
	return errors.Join(g.actor.Close(), g.from.UnregisterPolicy(g.zap))
}

// publish tells the others where this node is.
func (g *gossiping) publish(n *node) {
	if g.actor == nil {
		return
	}
	value := n.net.announced(n, "")
	if value == "" {
		return
	}
	if n.cfg.curve.enabled() {
		value += "|" + n.cfg.curve.publicKey
	}
	if err := g.actor.Publish(n.id, value); err != nil {
		n.log.Warn("zyre: gossip", "value", value, "err", err)
	}
}

// close takes the node's tuple back and ends the actor.
func (g *gossiping) close(n *node) {
	if g.actor == nil {
		return
	}
	close(g.quit)
	if err := g.end(); err != nil {
		n.log.Warn("zyre: close gossip", "err", err)
	}
	g.told.Wait()
}

// tuple handles news from gossip: a UUID and where to reach it, or that it is gone.
// An entered peer stays as long as it answers, whatever gossip says.
func (n *node) tuple(now time.Time, t zgossip.Tuple) {
	uuid, ok := parseUUID(t.Key)
	if !ok || uuid == n.uuid {
		return
	}
	if t.Gone {
		if s := n.standing[uuid]; s != nil && !s.required {
			delete(n.standing, uuid)
		}
		if p := n.peers[uuid]; p != nil && !p.entered() {
			n.discard(p)
		}
		return
	}
	endpoint, key, _ := strings.Cut(t.Value, "|")
	endpoint, err := n.helloEndpoint(endpoint)
	if err != nil && !errors.Is(err, transport.ErrNeedsLookup) {
		n.counters.unreachable++
		return
	}
	if n.security.enabled && !n.trusts(key) {
		n.refuseKey(now, "tuple", uuid, endpoint, key)
		return
	}
	n.expect(now, uuid, &standing{endpoint: endpoint, key: key})
}
