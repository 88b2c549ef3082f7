package transport

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/go-zyre/zyre/internal/netif"
)

// ErrUnreachable marks an endpoint that is of no use from here, or that others must not name.
var ErrUnreachable = errors.New("zyre: endpoint can't be reached")

// EndpointRule says which endpoints others may have a node connect to, by what the node is
// at one time. Its slices are shared with others, and nobody changes them.
type EndpointRule struct {
	Links      []netif.Link // in use
	Port       uint16       // of the node on every link
	Endpoints  []string     // of the node
	Advertised string       // one more, or ""
	Local      bool         // the application uses endpoints that only this host can reach
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
// whose application uses such itself: else a stranger could have it connect to any socket
// of this host.
func (r EndpointRule) Reachable(endpoint string) (string, error) {
	ap, err := ParseEndpoint(endpoint)
	addr := ap.Addr().Unmap()
	switch {
	case err != nil:
		return endpoint, err
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
	return "tcp://" + netip.AddrPortFrom(addr, ap.Port()).String(), nil
}

// isOnLoopback reports whether one of the links is the loopback interface.
func (r EndpointRule) isOnLoopback() bool {
	return slices.ContainsFunc(r.Links, func(l netif.Link) bool { return l.Addr.IsLoopback() })
}
