package zyre

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// edges are the goroutines that pass on to the node what its edges offer. They end when
// quit is closed or the edge has ended.
type edges struct {
	quit    chan struct{}
	running sync.WaitGroup
}

// startDiscovery starts what finds peers, and binds the inbox on the links chosen.
func (n *node) startDiscovery(now time.Time) (err error) {
	if n.cfg.beaconing() && n.seams.newBeacon != nil {
		err = n.startBeacon()
	} else {
		n.binder.links, err = n.linksNow()
		if err != nil || n.cfg.endpoint != "" { // it is not looked at again
			n.host.Close()
		}
	}
	if errors.Is(err, ErrNoInterface) && shown(n.cfg.iface) != n.cfg.iface {
		return opError("set interface", n.cfg.iface, ErrNoInterface) // err shows what may be a key
	}
	if err != nil {
		return err
	}
	if err = n.binder.bind(); err == nil {
		err = n.startGossip()
	}
	if err != nil {
		n.closeDiscovery()
		return err
	}
	n.publish()
	for _, r := range n.cfg.required {
		n.zre.addKnownNode(now, r.uuid, newKnownNode(r.endpoint, r.key, true))
	}
	return nil
}

// startBeacon opens the UDP port and learns which links the beacon uses.
func (n *node) startBeacon() error {
	b := n.seams.newBeacon(beaconConfig{logger: n.log, sightings: true, tellLinks: true, awaitPublish: true})
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: n.cfg.iface},
		{ID: "INTERVAL", Payload: n.cfg.interval},
		{ID: "SUBSCRIBE", Payload: "ZRE"},
		{ID: "CONFIGURE", Payload: n.cfg.port},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			b.Close()
			return fmt.Errorf("beacon on UDP port %d: %w", n.cfg.port, reply.Err)
		}
	}
	n.binder.links = <-b.linkChanges // those of CONFIGURE
	n.beacon = b
	return nil
}

// startGossip binds the hub and connects to others.
func (n *node) startGossip() (err error) {
	if !n.cfg.gossip.enabled() {
		return nil
	}
	if n.seams.openGossip == nil {
		return fmt.Errorf("gossip: %w", errors.ErrUnsupported)
	}
	n.gossip, err = n.seams.openGossip(n.zre.id, &n.cfg, n.policy, n.log)
	return err
}

// startEdges lets the edges' news flow to the node.
func (n *node) startEdges() {
	n.edges.quit = make(chan struct{})
	if n.beacon != nil {
		n.edges.running.Go(n.forwardBeacon)
	}
	if n.gossip != nil {
		n.edges.running.Go(n.forwardTuples)
		n.edges.running.Go(func() { n.gossip.forwardAnnouncements(n.edges.quit) })
	}
	n.edges.running.Go(n.forwardLookups)
}

// forwardBeacon passes on what the beacon hears, as far as the node has time for it, and
// changes of the links.
func (n *node) forwardBeacon() {
	for {
		select {
		case s, ok := <-n.beacon.Signals:
			if !ok {
				return
			}
			if !n.commands.offer(command{kind: cmdTake, news: s.sighting}) {
				n.beacon.stats.droppedFull.Add(1)
			}
		case links := <-n.beacon.linkChanges:
			_ = n.commands.put(command{kind: cmdTake, news: links})
		}
	}
}

// forwardTuples passes on what gossip tells, one after the other: what the node has no
// time for stays with gossip, which keeps only the latest of each key.
func (n *node) forwardTuples() {
	for t := range n.gossip.actor.Tuples() {
		c := command{kind: cmdTake, news: t, done: make(chan struct{})}
		if n.commands.put(c) != nil {
			return
		}
		select {
		case <-c.done:
		case <-n.edges.quit:
			return
		}
	}
}

// forwardLookups passes on which addresses host names have.
func (n *node) forwardLookups() {
	for {
		select {
		case r := <-n.resolver.Results():
			_ = n.commands.put(command{kind: cmdTake, news: r})
		case <-n.edges.quit:
			return
		}
	}
}

// sighted handles a beacon.
func (n *node) sighted(now time.Time, s *sighting) {
	if s.secure != n.zre.secure {
		n.zre.counters.badBeacons++
		n.log.Debug("zyre: refused a beacon", "address", s.at.Addr(), "secure", s.secure)
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
	n.zre.sightedWithKey(now, s.uuid, "tcp://"+s.at.String(), key)
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
		n.zre.gossiped(now, uuid, endpoint, key)
	}
}

// updateIgnored tells the beacon, when that has changed, which datagrams say nothing new:
// those of peers that have entered, from where they are.
func (n *node) updateIgnored() {
	if n.beacon == nil || n.known == n.zre.enteredChanges {
		return
	}
	n.known = n.zre.enteredChanges
	ignored := make(map[beaconOrigin]struct{}, n.zre.entered)
	for uuid, p := range n.zre.peers {
		if !p.isEntered() {
			continue
		}
		if at, err := transport.ParseEndpoint(p.endpoint); err == nil && at.IsValid() {
			ignored[beaconOrigin{uuid, at}] = struct{}{}
		}
	}
	n.beacon.ignore(ignored)
}

// linksNow chooses links without a beacon.
func (n *node) linksNow() ([]netif.Link, error) {
	interfaces := n.seams.interfaces
	if interfaces == nil {
		interfaces = n.host.Interfaces
	}
	host, err := interfaces()
	if err != nil {
		return nil, err
	}
	chosen, err := netif.Choose(n.cfg.iface, host, n.binder.links)
	return chosen.Links, err
}

// watch looks for changes of the links where no beacon does, and binds again what could
// not be bound.
func (n *node) watch(now time.Time) {
	if n.cfg.endpoint != "" || now.Before(n.watchAt) {
		return
	}
	n.watchAt = now.Add(watchInterval)
	if n.binder.failed && n.binder.rebind() == nil {
		n.publish()
	}
	if n.beacon != nil {
		return
	}
	if links, err := n.linksNow(); err == nil {
		n.relocate(links)
	}
}

// relocate follows a change of the host's network, and announces the node there.
func (n *node) relocate(links []netif.Link) {
	switch {
	case slices.Equal(links, n.binder.links):
		// The beacon is silent after a change, and this one was undone.
	case n.cfg.endpoint != "":
		n.binder.links = links
	default:
		n.log.Info("zyre: network changed", "from", n.binder.links, "to", links)
		n.zre.counters.networkChanges++
		if n.binder.move(links) != nil {
			n.updateLocation()
			return
		}
	}
	n.publish()
}

// updateLocation tells the protocol where the node can be reached.
func (n *node) updateLocation() { n.zre.location = n.binder.location(n.cfg.local()) }

// publish has the beacon and gossip announce where the node can be reached.
func (n *node) publish() {
	n.updateLocation()
	if n.beacon != nil && n.binder.port != 0 {
		n.beacon.announceLatest(beaconDatagram(n.uuid, n.binder.port, n.cfg.curve.publicKey))
	}
	if n.gossip == nil || n.gossip.takenBack {
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
			n.log.Warn("zyre: close gossip", "err", err)
		}
	}
	n.resolver.Close()
	n.edges.running.Wait()
}
