// Package netif knows the network interfaces of the host: which there are, which of them
// a node is to use, and when to look at them again.
package netif

import (
	"net"
	"net/netip"
	"slices"
)

// Link is one attachment of a node to a network: an interface and the one
// address of it that the node uses there. It is comparable.
type Link struct {
	Name      string       // of the interface
	Index     int          // of the interface
	Addr      netip.Addr   // with the zone, if IPv6 link-local
	Prefix    netip.Prefix // never with a zone
	Broadcast netip.Addr   // IPv4 only
}

// String returns the name and the address.
func (l Link) String() string { return l.Name + " " + l.Addr.String() }

// Interface describes one interface of the host, so that the choice is a
// pure function of what the host looks like.
type Interface struct {
	Name     string         // such as eth0
	Index    int            // the system's number of it
	Flags    net.Flags      // up, running, able to broadcast, …
	Prefixes []netip.Prefix // address and prefix length, in the system's order
	Metric   int            // of the default route through it, or NoRoute
	Hardware bool           // a hint only: it is up, and a device is behind it or behind one of its ports
	Port     bool           // up, and of a bridge or bond, which has the address instead
}

// NoRoute is the metric of an interface without a default route.
const NoRoute = -1

// Reaches reports whether a beacon sent on the link can reach several hosts. A
// tunnel from point to point cannot.
func (h Interface) Reaches(l Link) bool {
	if h.Flags&net.FlagPointToPoint != 0 {
		return false
	}
	if l.Addr.Is4() {
		return h.Flags&net.FlagBroadcast != 0
	}
	return h.Flags&net.FlagMulticast != 0
}

// Link gives the link of the interface at its best address: IPv4 before IPv6,
// as most ZRE nodes know only that; then addresses that are not link-local.
func (h Interface) Link() (Link, bool) {
	rank := func(p netip.Prefix) int {
		r := 0
		if !p.Addr().Is4() {
			r += 2
		}
		if p.Addr().IsLinkLocalUnicast() {
			r++
		}
		return r
	}
	best := -1
	for i, p := range h.Prefixes {
		a := p.Addr()
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			continue
		}
		if best < 0 || rank(p) < rank(h.Prefixes[best]) {
			best = i
		}
	}
	if best < 0 {
		return Link{}, false
	}
	return h.linkAt(h.Prefixes[best]), true
}

// Links gives the link of the interface at its best address and, if that is of IPv4, one
// for each further IPv4 subnet that it is in: hosts of that subnet can be reached only
// from an address in it.
func (h Interface) Links() []Link {
	best, ok := h.Link()
	if !ok {
		return nil
	}
	links := []Link{best}
	if !best.Addr.Is4() {
		return links
	}
	for _, p := range h.Prefixes {
		a := p.Addr()
		switch {
		case !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast():
		case p.Bits() > 30: // an address alone, of which others know the way
		case slices.ContainsFunc(links, func(l Link) bool { return l.Prefix.Overlaps(p) }):
		default:
			links = append(links, h.linkAt(p))
		}
	}
	return links
}

// IsPublic reports whether hosts all over the internet can reach the link's address. Those
// of IPv6 are not counted: most networks give public ones to all hosts, and guard them.
func (l Link) IsPublic() bool {
	return l.Addr.Is4() && l.Addr.IsGlobalUnicast() && !l.Addr.IsPrivate() &&
		!slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(l.Addr) })
}

// reserved are IPv4 addresses that nobody has on the internet, beside those of RFC 1918.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),   // RFC 6598: behind the NAT of a provider; Tailscale
	netip.MustParsePrefix("192.0.0.0/24"),    // RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // RFC 5737: examples
	netip.MustParsePrefix("198.18.0.0/15"),   // RFC 2544: benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"),  // RFC 5737
	netip.MustParsePrefix("240.0.0.0/4"),     // RFC 1112
}

// linkAt gives the link of the interface at one of its addresses.
func (h Interface) linkAt(p netip.Prefix) Link {
	l := Link{Name: h.Name, Index: h.Index, Addr: p.Addr(), Prefix: p.Masked()}
	switch {
	case l.Addr.Is4():
		l.Broadcast = broadcastOf(p)
	case l.Addr.IsLinkLocalUnicast():
		l.Addr = l.Addr.WithZone(h.Name)
	}
	return l
}

// HasAddr reports whether one of the interfaces has an address. It has no zone.
func HasAddr(host []Interface, addr netip.Addr) bool {
	return slices.ContainsFunc(host, func(h Interface) bool {
		return slices.ContainsFunc(h.Prefixes, func(p netip.Prefix) bool { return p.Addr() == addr })
	})
}

// broadcastOf gives the broadcast address of an IPv4 subnet: the one directed
// to it or, where the prefix leaves no room for one, the limited one.
func broadcastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	if p.Bits() > 30 {
		return netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
