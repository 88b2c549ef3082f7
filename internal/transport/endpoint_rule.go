package transport

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/go-zyre/zyre/internal/netif"
)

// Why others must not name an endpoint.
var (
	// ErrUnreachable marks an endpoint that is of no use from here.
	ErrUnreachable = errors.New("zyre: endpoint can't be reached")
	// ErrThisHost marks an endpoint on this host that somebody on another host has named.
	ErrThisHost = errors.New("zyre: endpoint is on this host, but named by another")
)

// Namer is who names an endpoint. Only who is on a host is to have the node connect to it, if
// that is the node's own: others could so reach what serves this host alone.
type Namer int

const (
	// NamedElsewhere is for a node on another host.
	NamedElsewhere Namer = iota
	// NamedInGossip is for a tuple, of which it is not known who has published it.
	NamedInGossip
	// NamedHere is for a process on this host.
	NamedHere
)

// EndpointRule says which endpoints others may have a node connect to, by what the node is
// at one time. Its slices are shared with others, and nobody changes them.
type EndpointRule struct {
	Links      []netif.Link      // in use
	Port       uint16            // of the node on every link
	Endpoints  []string          // of the node
	Advertised string            // one more, or ""
	Local      bool              // the application uses endpoints that only this host can reach
	Host       []netif.Interface // of this host
	Namer      Namer             // who names the endpoint
}

// Allows reports whether others may have the node connect to an endpoint with an address:
// one that is reachable, and not the node's own.
func (r EndpointRule) Allows(endpoint string) bool {
	_, err := r.Reachable(endpoint)
	return err == nil && !r.IsOwn(endpoint)
}

// IsOwn reports whether an endpoint is one of the node's own.
func (r EndpointRule) IsOwn(endpoint string) bool {
	if slices.Contains(r.Endpoints, endpoint) || r.Advertised != "" && r.Advertised == endpoint {
		return true
	}
	ap, err := ParseEndpoint(endpoint)
	return err == nil && ap.IsValid() && ap.Port() == r.Port &&
		slices.ContainsFunc(r.Links, func(l netif.Link) bool { return l.Addr == ap.Addr() })
}

// Reachable returns where a HELLO, or gossip, says that a node can be reached, in the
// form in which endpoints are compared. An IPv6 link-local address gets our zone. A host
// name comes back as it is, with ErrNeedsLookup. Local endpoints are taken only by a node
// whose application uses such itself. One on this host that may not be named by whom it is
// comes back with ErrThisHost.
func (r EndpointRule) Reachable(endpoint string) (string, error) {
	ap, err := ParseEndpoint(endpoint)
	addr := ap.Addr().Unmap()
	switch {
	case err != nil:
		return endpoint, err
	case !ap.IsValid() && r.Local && r.Namer == NamedElsewhere:
		return endpoint, ErrThisHost
	case !ap.IsValid() && r.Local:
		return endpoint, nil
	case !addr.IsValid(), addr.Zone() != "", addr.IsUnspecified(), addr.IsMulticast(),
		addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "", ErrUnreachable
	}
	if addr.IsLoopback() && !r.Local && !r.isOnLoopback() {
		return "", ErrUnreachable // it is on this host, or has no network
	}
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		if len(r.Links) != 1 {
			return "", ErrUnreachable // on which link, its beacon will tell
		}
		addr = addr.WithZone(r.Links[0].Name)
	}
	endpoint = "tcp://" + netip.AddrPortFrom(addr, ap.Port()).String()
	if r.IsThisHost(addr) && !r.mayNameThisHost(addr) {
		return endpoint, ErrThisHost
	}
	return endpoint, nil
}

// IsThisHost reports whether an address is one of this host.
func (r EndpointRule) IsThisHost(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || r.isUsed(addr) || netif.HasAddr(r.Host, addr.WithZone(""))
}

// mayNameThisHost reports whether an address of this host may be named by whom it is. In
// gossip, that is one at which the node itself is: there are others of this host. If the
// application uses local endpoints, they may be at any.
func (r EndpointRule) mayNameThisHost(addr netip.Addr) bool {
	return r.Namer == NamedHere || r.Namer == NamedInGossip && (r.Local || r.isUsed(addr))
}

// isUsed reports whether the node itself is at an address of this host. On loopback, all
// addresses are one.
func (r EndpointRule) isUsed(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return r.isOnLoopback()
	}
	isIt := func(a netip.Addr) bool { return a.IsValid() && a.WithZone("") == addr.WithZone("") }
	return slices.ContainsFunc(r.Links, func(l netif.Link) bool { return isIt(l.Addr) }) ||
		slices.ContainsFunc(r.Endpoints, func(e string) bool {
			ap, _ := ParseEndpoint(e)
			return isIt(ap.Addr())
		})
}

// isOnLoopback reports whether one of the links is the loopback interface.
func (r EndpointRule) isOnLoopback() bool {
	return slices.ContainsFunc(r.Links, func(l netif.Link) bool { return l.Addr.IsLoopback() })
}
