package zyre

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// gossiping is a node's part in gossip. The node owns it.
type gossiping struct {
	id        string // UUID of the node: the key of its tuple
	log       *slog.Logger
	actor     *zgossip.Gossip
	bound     []string          // endpoints of the hub
	announces chan announcement // the latest one; one slot
	routed    chan struct{}     // closed when the node knows its own address on the way to its hubs, or does without
	takenBack bool              // the application has taken the node's own tuple back
	zmq       *transport.ZMQ    // nil on a network in memory
	domain    string            // ZAP domain of a secure hub; else empty
}

// announcement is what a node has gossip tell of it.
type announcement struct {
	endpoint string        // empty: take back what was told
	done     chan struct{} // closed when that has happened, or something else has taken its place; may be nil
}

// openGossip binds the hub and connects to others, as configured.
func openGossip(t *transport.ZMQ, id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) {
	g := &gossiping{id: id, log: log, zmq: t, announces: make(chan announcement, 1), routed: make(chan struct{})}
	if cfg.curve.enabled() && len(cfg.gossip.binds) > 0 {
		domain, err := t.RegisterPolicy(cfg.curve.zapDomain, policy)
		if err != nil {
			return nil, fmt.Errorf("gossip: %w", err)
		}
		g.domain = domain
	}
	actor, err := zgossip.New(t.Context(), g.options(cfg, policy))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gossip: %w", err), t.UnregisterPolicy(g.domain))
	}
	return g.start(actor, cfg)
}

// openGossipOn does the same on a network in memory.
func openGossipOn(h hostnet.Host, id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) {
	g := &gossiping{id: id, log: log, announces: make(chan announcement, 1), routed: make(chan struct{}), domain: cfg.curve.zapDomain}
	actor, err := zgossip.NewOn(h.GossipSockets(policy), g.options(cfg, policy), transport.NewResolver(h.LookupHost))
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	return g.start(actor, cfg)
}

func (g *gossiping) options(cfg *config, policy *transport.Policy) zgossip.Options {
	return zgossip.Options{
		Logger: g.log, PublicKey: cfg.curve.publicKey, SecretKey: cfg.curve.secretKey, ZapDomain: g.domain,
		Allows: policy.Allows,
	}
}

func (g *gossiping) start(actor *zgossip.Gossip, cfg *config) (*gossiping, error) {
	g.actor = actor
	if err := g.open(&cfg.gossip); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// open binds and connects.
func (g *gossiping) open(cfg *gossipConfig) error {
	for _, endpoint := range cfg.binds {
		bound, err := g.actor.Bind(endpoint)
		if err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
		g.bound = append(g.bound, bound)
	}
	for _, hub := range cfg.hubs {
		if err := g.actor.Connect(hub.endpoint, hub.key); err != nil {
			return fmt.Errorf("gossip: connect to %s: %w", hub.endpoint, err)
		}
	}
	return nil
}

// letTuplesCome has the node told what others announce: it can say now where it is itself.
func (g *gossiping) letTuplesCome() {
	select {
	case <-g.routed:
	default:
		close(g.routed)
	}
}

// announceLatest has something announced, in place of what was given before and not yet
// looked at. It never waits. Only one goroutine may call it.
func (g *gossiping) announceLatest(a announcement) {
	select {
	case before := <-g.announces:
		before.finish()
	default:
	}
	g.announces <- a // there is room: nobody else sends
}

// forwardAnnouncements gives gossip what the node announces, until quit is closed.
func (g *gossiping) forwardAnnouncements(quit <-chan struct{}) {
	for {
		select {
		case a := <-g.announces:
			if err := g.announce(a); err != nil && !errors.Is(err, zgossip.ErrClosed) {
				g.log.Warn("cannot announce by gossip", "endpoint", a.endpoint, "err", err)
			}
		case <-quit:
			return
		}
	}
}

func (g *gossiping) announce(a announcement) error {
	defer a.finish()
	if a.endpoint == "" {
		return g.actor.Unpublish(g.id)
	}
	return g.actor.Publish(g.id, a.endpoint)
}

func (a *announcement) finish() {
	if a.done != nil {
		close(a.done)
	}
}

// stats returns the state of gossip, also after close. Any goroutine but the actor's may
// call it. Without gossip it is zero.
func (g *gossiping) stats() (s GossipStats) {
	if g == nil {
		return s
	}
	counts := g.actor.Stats()
	s.Clients, s.Tuples = counts.Clients, counts.Tuples
	s.Refused, s.Evicted, s.Ended = counts.Refused, counts.Evicted, counts.Ended
	for _, h := range g.actor.Hubs() {
		s.Hubs = append(s.Hubs, GossipHub(h))
	}
	return s
}

// close takes the node's tuple back and ends gossip, then its ZAP policy: a hub without
// would let everybody in.
func (g *gossiping) close() error {
	err := g.actor.Close()
	if g.zmq == nil {
		return err
	}
	return errors.Join(err, g.zmq.UnregisterPolicy(g.domain))
}
