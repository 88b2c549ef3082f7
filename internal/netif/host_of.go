package netif

import "net/netip"

// HostOf returns what the host with an address is counted by, where what it may use up is
// limited: two addresses with the same HostOf count as one host.
//
// With IPv4 that is the address. With IPv6 it is the /64, of which a host can take as many
// addresses as it likes. All hosts of an IPv6 subnet count as one then, which costs the honest
// ones less than a limit that does not hold. Link-local addresses are counted singly, with
// their zone: the hosts of all links have them in the same /64, and who has one is a
// neighbour, that can take any address of an IPv4 subnet just as well.
//
// The zero Addr, of who came by inproc or ipc, comes back as it is.
func HostOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if !addr.Is6() || addr.IsLinkLocalUnicast() {
		return addr
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr()
}
