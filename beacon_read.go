package zyre

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/netif"
)

// A socket that failed to read so often in a row is opened again.
const beaconMaxReadErrors = 5

// read takes datagrams from a socket until it is closed, and turns those worth
// it into Signals. It bypasses the actor, so that a flood of datagrams cannot
// delay our own. A socket that only fails is offered to broken.
func (b *Beacon) read(s *beaconSocket, broken chan<- *beaconSocket) {
	// Longer than any datagram we take, so that one too long shows as such.
	buff := make([]byte, 2*1024)
	failures := 0
	retry := backoff.Backoff{Min: beaconReadRetry, Max: beaconMaxBackoff}
	for {
		n, src, ifindex, err := s.receive(buff)
		if err == nil {
			failures = 0
			retry.Reset()
			b.stats.received.Add(1)
			b.deliver(buff[:n], src, ifindex)
			continue
		}
		select {
		case <-s.gone:
			return
		default:
		}
		b.stats.readErrors.Add(1)
		failures++
		if failures == 1 {
			b.logger().Warn("cannot receive beacons, trying again", "err", err)
		}
		if failures == beaconMaxReadErrors {
			select {
			case broken <- s:
			case <-s.gone:
			case <-b.quit:
			}
			return
		}
		pause := time.NewTimer(retry.Next())
		select {
		case <-pause.C:
		case <-s.gone:
			pause.Stop()
			return
		}
	}
}

// deliver signals a datagram, or drops and counts it.
func (b *Beacon) deliver(datagram []byte, src netip.Addr, ifindex int) {
	if len(datagram) == 0 || len(datagram) > beaconMaxSize {
		b.stats.droppedSize.Add(1)
		return
	}
	if !src.IsValid() || src.IsUnspecified() || src.IsMulticast() {
		b.stats.droppedSource.Add(1)
		return
	}
	l, ok := b.linkOf(src, ifindex)
	if !ok {
		b.stats.droppedLink.Add(1)
		return
	}
	filter := b.filter.Load()
	if filter == nil || !bytes.HasPrefix(datagram, *filter) {
		b.stats.droppedFilter.Add(1)
		return
	}
	if b.own.Load().has(datagram) && !(b.sightings && b.isForeign(src)) {
		b.stats.droppedOwn.Add(1)
		return
	}
	if src.Is6() && src.IsLinkLocalUnicast() {
		src = src.WithZone(l.Name) // the system's name of it may be outdated
	}
	var s sighting
	if b.sightings {
		if s, ok = b.parse(datagram, src); !ok {
			return
		}
	}
	signal := &Signal{Addr: src.String(), Transmit: slices.Clone(datagram), sighting: s}
	select {
	case b.Signals <- signal:
		b.debug("beacon heard", l.Name, len(datagram))
	default:
		b.stats.droppedFull.Add(1)
	}
}

// parse returns what a node's beacon says, unless it says nothing new or is none.
func (b *Beacon) parse(datagram []byte, src netip.Addr) (sighting, bool) {
	v, err := parseBeacon(datagram)
	if err != nil {
		b.stats.malformed.Add(1)
		b.warnOfVersion(datagram, src)
		return sighting{}, false
	}
	origin := beaconOrigin{v.uuid, netip.AddrPortFrom(src, v.port)}
	if ignored := b.ignored.Load(); ignored != nil {
		if _, known := (*ignored)[origin]; known {
			return sighting{}, false
		}
	}
	return sighting{beaconOrigin: origin, key: v.key, secure: v.secure}, true
}

// warnOfVersion logs a beacon of a version that this node does not speak: once a second
// at most, for it comes from anybody.
func (b *Beacon) warnOfVersion(datagram []byte, src netip.Addr) {
	if len(datagram) < beaconSize || [3]byte(datagram) != beaconProtocol ||
		datagram[3] == beaconVersion || datagram[3] == beaconVersionSecure {
		return
	}
	if now, last := time.Now().Unix(), b.warnedAt.Load(); now > last && b.warnedAt.CompareAndSwap(last, now) {
		b.logger().Warn("heard beacons of another version of ZRE", "address", src, "version", datagram[3])
	}
}

// linkOf finds the link that a datagram came in on: of several on one interface, that
// with the subnet of the source. Where the system does not tell the interface, the subnet
// alone does. To a node, a source in no subnet of the links belongs to no link: a host of
// another subnet could not reach this one, and a forged source would have the node connect
// to hosts of other networks. With IPv6 all subnets of the interface count: each host has
// several addresses, and sends from the one that it likes best.
func (b *Beacon) linkOf(src netip.Addr, ifindex int) (netif.Link, bool) {
	links := b.links.Load()
	if links == nil {
		return netif.Link{}, false
	}
	src = src.WithZone("")
	on := -1
	for i, l := range *links {
		if ifindex != 0 && ifindex != l.Index {
			continue
		}
		if l.Prefix.Contains(src) {
			return l, true
		}
		if on < 0 && ifindex != 0 {
			on = i
		}
	}
	if on < 0 || b.sightings && !b.isOnLink(src, ifindex) {
		return netif.Link{}, false
	}
	return (*links)[on], true
}

// isOnLink reports whether an address is in an IPv6 subnet of an interface in use.
func (b *Beacon) isOnLink(src netip.Addr, ifindex int) bool {
	subnets := b.onLink.Load()
	return subnets != nil && slices.ContainsFunc((*subnets)[ifindex], func(p netip.Prefix) bool { return p.Contains(src) })
}

// host returns what the host's interfaces were at the last look; none before the first.
func (b *Beacon) host() []netif.Interface {
	if looks := b.looks.Load(); looks != nil {
		return looks[0]
	}
	return nil
}

// isForeign reports whether an address is of another host: no interface has it, or had it at
// the look before. From there comes a datagram that is the same as ours if a node on another
// host has our UUID and port.
func (b *Beacon) isForeign(addr netip.Addr) bool {
	looks := b.looks.Load()
	if looks == nil || addr.IsLoopback() {
		return false
	}
	addr = addr.WithZone("")
	for _, host := range looks {
		for _, h := range host {
			if slices.ContainsFunc(h.Prefixes, func(p netip.Prefix) bool { return p.Addr() == addr }) {
				return false
			}
		}
	}
	return true
}

// has reports whether the datagram is one of ours.
func (o *ownDatagrams) has(datagram []byte) bool {
	switch {
	case o == nil:
		return false
	case o.current != nil && bytes.Equal(datagram, o.current):
		return true
	}
	for _, old := range o.earlier {
		if old != nil && bytes.Equal(datagram, old) {
			return time.Now().Before(o.until)
		}
	}
	return false
}
