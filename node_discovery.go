package zyre

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// startDiscovery starts what finds peers, and binds the inbox on the links chosen.
func (n *node) startDiscovery(now time.Time) (err error) {
	n.routing.setTargets(&n.cfg)
	n.routing.startLookups(now, n.resolver.Start)
	if n.cfg.beaconing() && n.seams.newBeacon != nil {
		n.beacon, n.base, err = n.seams.startBeacon(&n.cfg, n.log)
	} else {
		n.base, err = n.linksNow()
		if n.cfg.endpoint != "" && !errors.Is(err, ErrNoInterface) {
			err = nil // the interfaces are not needed
		}
	}
	if errors.Is(err, ErrNoInterface) && shown(n.cfg.iface) != n.cfg.iface {
		return opError("set interface", n.cfg.iface, ErrNoInterface) // err shows what may be a key
	}
	if err != nil {
		n.host.Close()
		return err
	}
	n.binder.links = n.withRoutes(now, n.base)
	if n.binder.isAtAddress() || n.beacon != nil && len(n.routing.targets) == 0 {
		n.host.Close() // it is not looked at again
	}
	if err = n.binder.bind(); err == nil {
		n.gossip, err = n.seams.startGossip(n.zre.id, &n.cfg, n.policy, n.log)
	}
	if err != nil {
		n.closeDiscovery()
		return err
	}
	n.publish()
	for _, r := range n.cfg.required {
		n.zre.addKnownNode(now, r.uuid, r.known())
	}
	return nil
}

// startBeacon makes a Beacon, opens the UDP port, and returns which links are used.
func (s *seams) startBeacon(cfg *config, log *slog.Logger) (*Beacon, []netif.Link, error) {
	b := s.newBeacon(beaconConfig{logger: log, sightings: true, tellLinks: true, awaitPublish: true})
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: cfg.iface},
		{ID: "INTERVAL", Payload: cfg.interval},
		{ID: "SUBSCRIBE", Payload: "ZRE"},
		{ID: "CONFIGURE", Payload: cfg.port},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			b.Close()
			return nil, nil, fmt.Errorf("beacon on UDP port %d: %w", cfg.port, reply.Err)
		}
	}
	return b, <-b.linkChanges, nil // those of CONFIGURE
}

// startGossip binds the hub and connects to others. It returns nil without gossip.
func (s *seams) startGossip(id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) {
	switch {
	case !cfg.gossip.enabled():
		return nil, nil
	case s.openGossip == nil:
		return nil, fmt.Errorf("gossip: %w", errors.ErrUnsupported)
	}
	return s.openGossip(id, cfg, policy, log)
}

// startEdges lets the edges' news flow to the node.
func (n *node) startEdges() {
	e := &n.edges
	e.commands, e.quit = n.commands, make(chan struct{})
	beacon, resolver := n.beacon, n.resolver
	e.running.Go(func() { e.forward(beacon, resolver) })
	if g := n.gossip; g != nil {
		e.running.Go(func() { e.forwardTuples(g) })
		e.running.Go(func() { g.forwardAnnouncements(e.quit) })
	}
}

// sighted handles a beacon.
func (n *node) sighted(now time.Time, s *sighting) {
	if s.secure != n.zre.secure {
		n.zre.counters.badBeacons++
		text := "heard a node that is plain, and this one is secure: they do not meet, see SetZCert"
		if s.secure {
			text = "heard a node that is secure, and this one is plain: they do not meet, see SetZCert"
		}
		n.log.Warn(text, "address", s.at.Addr(), "peer", uuidString(s.uuid))
		return
	}
	if s.uuid == n.uuid && s.at.Port() != 0 && n.beacon != nil && n.beacon.isForeign(s.at.Addr()) {
		n.zre.counters.ownBeacons++
		n.zre.warnOfOwnBeacon("tcp://" + s.at.String())
		return
	}
	key := ""
	if s.secure {
		key = transport.Z85FromRaw(s.key)
	}
	if s.at.Port() == 0 {
		n.zre.goodbye(now, s.uuid, key)
		return
	}
	n.zre.sightedByBeacon(now, s.uuid, "tcp://"+s.at.String(), key)
}

// tuple handles news from gossip: a UUID and where to reach it, or that it is gone.
func (n *node) tuple(now time.Time, t zgossip.Tuple) {
	uuid, ok := parseUUID(t.Key)
	switch {
	case !ok:
	case t.Gone:
		n.zre.ungossiped(uuid)
	default:
		endpoint, key, _ := strings.Cut(t.Value, "|")
		n.zre.gossiped(now, uuid, endpoint, key, t.From)
	}
}

// ignoreInterval is the least time between two lists of peers to ignore, unless one has gone. In that time
// a peer sends one beacon, unless it was told another interval.
const ignoreInterval = beaconInterval

// ignoredPeers is what the beacon was told last: when, and zre's counts at that time.
type ignoredPeers struct {
	at                  time.Time
	changes, departures uint64
}

// update tells the beacon, if there is one, which datagrams say nothing new: those of peers
// that have entered, from where they are. When a peer has gone it does so at once, for the
// peer may come again; when peers have only come, it waits for more of them.
func (i *ignoredPeers) update(now time.Time, z *zre, b *Beacon) {
	told := ignoredPeers{now, z.enteredChanges, z.departures}
	if b == nil || i.changes == told.changes ||
		i.departures == told.departures && now.Sub(i.at) < ignoreInterval {
		return
	}
	*i = told
	ignored := make(map[beaconOrigin]struct{}, z.entered)
	for uuid, p := range z.peers {
		if at := addressOf(p.endpoint); p.isEntered() && at.IsValid() {
			ignored[beaconOrigin{uuid, at}] = struct{}{}
		}
	}
	b.ignore(ignored)
}

// interfaces describes the interfaces of now.
func (n *node) interfaces() ([]netif.Interface, error) {
	switch {
	case n.seams.interfaces != nil:
		return n.seams.interfaces()
	case n.beacon != nil && len(n.routing.targets) == 0:
		return n.beacon.host(), nil
	}
	return n.host.Interfaces()
}

// linksNow chooses links without a beacon. Where a beacon would have only loopback to go
// to, it takes those that cannot broadcast.
func (n *node) linksNow() ([]netif.Link, error) {
	host, err := n.interfaces()
	if err != nil {
		return nil, err
	}
	chosen, err := netif.Choose(n.cfg.iface, host, n.base)
	n.chosen = chosen
	if n.cfg.iface == "" && !slices.ContainsFunc(chosen.Links, func(l netif.Link) bool { return !l.Addr.IsLoopback() }) {
		if links := netif.WithoutBroadcast(host); len(links) > 0 {
			n.chosen = netif.Choice{Links: links, Reason: "no interface can broadcast"}
			return links, nil
		}
	}
	return chosen.Links, err
}

// watch looks for changes of the links where no beacon does, and of routes, and binds
// again what could not be bound.
func (n *node) watch(now time.Time) {
	n.alone.look(now, n)
	if n.binder.isAtAddress() || now.Before(n.watchAt) {
		return
	}
	n.watchAt = now.Add(watchInterval)
	if len(n.binder.failing) > 0 {
		n.binder.rebind()
		n.publish()
	}
	n.routing.startLookups(now, n.resolver.Start)
	if n.beacon != nil {
		n.followRoutes(now)
		return
	}
	if links, err := n.linksNow(); err == nil || errors.Is(err, ErrNoInterface) { // it may come back
		n.relocate(now, links)
	}
}

// followRoutes moves to where the routes to hubs and required peers lead.
func (n *node) followRoutes(now time.Time) {
	switch {
	case len(n.routing.targets) == 0:
	case n.binder.isAtAddress():
		n.publish()
	default:
		n.relocate(now, n.base)
	}
}

// relocate follows a change of the links that were chosen, or of the routes, and announces
// the node there.
func (n *node) relocate(now time.Time, base []netif.Link) {
	n.base = base
	links := n.withRoutes(now, base)
	switch {
	case slices.Equal(links, n.binder.links):
		// The beacon is silent after a change, and this one was undone.
	case n.cfg.endpoint != "":
		n.binder.links = links
	default:
		n.log.Info("network changed", "from", n.binder.links, "to", links)
		n.zre.counters.networkChanges++
		n.binder.move(links) // what fails is logged, and watch tries it again
	}
	n.publish()
}

// publish has the beacon and gossip announce where the node can be reached. The beacon goes to
// the links on which the inbox is bound: on others its port would be somebody else's.
func (n *node) publish() {
	n.zre.location = n.binder.location(n.cfg.local(), &n.routing)
	n.warned.look(n.log, &n.zre.location, n.zre.secure, n.routing.isElsewhere())
	if n.beacon != nil {
		var b broadcast // silence, as long as the inbox has no port
		if n.binder.port != 0 {
			b.datagram = beaconDatagram(n.uuid, n.binder.port, n.cfg.curve.publicKey)
		}
		if n.cfg.endpoint == "" {
			b.on = n.zre.location.links
		}
		n.beacon.announceLatest(b)
	}
	if n.gossip == nil || n.routing.isPending() && !n.binder.isAtAddress() {
		return
	}
	n.gossip.letTuplesCome()
	if n.gossip.takenBack {
		return
	}
	endpoint := n.zre.location.announced("")
	if endpoint == "" {
		return
	}
	if n.cfg.curve.enabled() {
		endpoint += "|" + n.cfg.curve.publicKey
	}
	n.gossip.announceLatest(announcement{endpoint: endpoint})
}

// closeDiscovery tells the network that the node leaves, and ends what finds peers.
func (n *node) closeDiscovery() {
	n.host.Close()
	if n.beacon != nil {
		if n.binder.port != 0 {
			n.beacon.goodbye(beaconDatagram(n.uuid, 0, n.cfg.curve.publicKey))
		}
		n.beacon.Close()
	}
	if n.edges.quit != nil {
		close(n.edges.quit)
	}
	if n.gossip != nil {
		if err := n.gossip.close(); err != nil {
			n.log.Warn("cannot close gossip", "err", err)
		}
	}
	n.resolver.Close()
	n.edges.running.Wait()
}
