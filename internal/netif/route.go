package netif

import (
	"net"
	"net/netip"
	"slices"
)

// LocalAddr returns the address from which this host reaches another, and whether there
// is a way. Nothing is sent, and it does not wait: the system looks up the route when a UDP
// socket is connected.
func LocalAddr(remote netip.Addr) (netip.Addr, bool) {
	if !remote.IsValid() {
		return netip.Addr{}, false
	}
	const discard = 9 // any port will do
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(remote, discard)))
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	local, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	addr := local.AddrPort().Addr().Unmap().WithZone("")
	return addr, addr.IsValid() && !addr.IsUnspecified()
}

// LinkWith returns the link with one of the host's own addresses. If the interfaces are
// not known, or none of them has it, the link is the address alone.
func LinkWith(addr netip.Addr, host []Interface) Link {
	addr = addr.WithZone("")
	for _, h := range host {
		for _, p := range h.Prefixes {
			if p.Addr() == addr {
				return h.linkAt(p)
			}
		}
	}
	return Link{Addr: addr, Prefix: netip.PrefixFrom(addr, addr.BitLen())}
}

// WithoutBroadcast returns the links of those interfaces that are up and lead to other
// hosts, but on which no beacon reaches several of them: tunnels, most VPNs.
func WithoutBroadcast(host []Interface) (links []Link) {
	for _, h := range host {
		l, ok := h.Link()
		if ok && !h.Port && h.Flags&net.FlagUp != 0 && h.Flags&net.FlagLoopback == 0 && !h.Reaches(l) &&
			!l.Addr.IsLinkLocalUnicast() {
			links = append(links, l)
		}
	}
	slices.SortFunc(links, func(a, b Link) int { return a.Index - b.Index })
	return links
}
