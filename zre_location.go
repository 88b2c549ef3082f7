package zyre

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// location is where this node can be reached. The node's actor makes a new one whenever
// that changes.
type location struct {
	links      []netif.Link // in use
	port       uint16       // TCP port of the inbox on every link; 0 while it is not bound
	endpoints  []string     // where the inbox is bound
	fixed      string       // by SetEndpoint: instead of one endpoint on each link
	advertised string       // by SetAdvertisedEndpoint: told to others instead
	local      bool         // the application uses endpoints that only this host can reach

	routes map[netip.Addr]netip.Addr // our address, by that of a hub or required peer
	via    netip.Addr                // our address for the first of them; invalid if there is none
}

// placeOf is an endpoint without its port.
func placeOf(endpoint string) string {
	return endpoint[:max(0, strings.LastIndexByte(endpoint, ':'))]
}

// endpointRule says which endpoints somebody may have this node connect to.
func (z *zre) endpointRule(by transport.Namer) transport.EndpointRule {
	rule := z.location.ownRule()
	rule.Namer, rule.Host = by, z.port.hostInterfaces()
	return rule
}

// ownRule is enough of a rule to tell which endpoints are the node's own.
func (l *location) ownRule() transport.EndpointRule {
	return transport.EndpointRule{
		Links: l.links, Port: l.port, Endpoints: l.endpoints, Advertised: l.advertised, Local: l.local,
	}
}

// isOurs reports whether an endpoint is one of the node's own.
func (l *location) isOurs(endpoint string) bool {
	return l.ownRule().IsOwn(endpoint)
}

// isCutOff reports whether there is no network on which a peer could be reached: a HELLO
// would arrive later, and name an endpoint that is of no use to the peer.
func (l *location) isCutOff(endpoint string) bool {
	ap, err := transport.ParseEndpoint(endpoint)
	if l.fixed != "" || err != nil || !ap.IsValid() || ap.Addr().IsLoopback() {
		return false
	}
	return !slices.ContainsFunc(l.links, func(o netif.Link) bool { return !o.Addr.IsLoopback() })
}

// announced returns the endpoint at which a peer at another endpoint can reach this
// node: the one that the application advertises, the one that it set, or the one on the
// way to the peer. The zone of an IPv6 address means nothing to others and is left out.
// It is empty while there is no network.
func (l *location) announced(peer string) string {
	if l.advertised != "" {
		return l.advertised
	}
	var addr netip.Addr
	if l.fixed != "" {
		ap, err := transport.ParseEndpoint(l.endpoints[0])
		if err != nil || !ap.IsValid() {
			return l.endpoints[0] // ipc or inproc
		}
		addr = ap.Addr()
	}
	if !addr.IsValid() || addr.IsUnspecified() {
		addr = l.toward(peer)
	}
	if l.port == 0 || !addr.IsValid() {
		return ""
	}
	return "tcp://" + netip.AddrPortFrom(addr.WithZone(""), l.port).String()
}

// toward returns our address on the way to a peer's endpoint: that of the route, if it is
// known, or the one in the peer's subnet, or the one for the first hub or required peer,
// or the first. It is invalid if there is none.
func (l *location) toward(endpoint string) netip.Addr {
	ap, _ := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	peer := ap.Addr()
	if addr := l.routes[peer.WithZone("")]; l.has(addr) {
		return addr
	}
	for _, o := range l.links {
		if peer.IsValid() && o.Prefix.Contains(peer.WithZone("")) && (peer.Zone() == "" || peer.Zone() == o.Name) {
			return o.Addr
		}
	}
	switch {
	case l.has(l.via):
		return l.via
	case len(l.links) > 0:
		return l.links[0].Addr
	}
	return netip.Addr{}
}

// has reports whether the inbox is bound to an address. One that is bound to all addresses
// by the application is.
func (l *location) has(addr netip.Addr) bool {
	return addr.IsValid() && (l.fixed != "" ||
		slices.ContainsFunc(l.links, func(o netif.Link) bool { return o.Addr.WithZone("") == addr }))
}

// naming is who has named an endpoint to this node.
type naming struct {
	by      transport.Namer
	charged string // whom look-ups for it are charged to
}

// namedBy returns who has named the endpoint in a HELLO, by where it came from. Nobody can
// make a TCP connection from an address that is not its own. Where a HELLO by ZMTP 1 or 2 came
// from is not known: it may be anywhere.
func (z *zre) namedBy(from netip.Addr) naming {
	n := naming{transport.NamedElsewhere, netif.HostOf(from).String()}
	if z.endpointRule(n.by).IsThisHost(from) {
		n.by = transport.NamedHere
	}
	return n
}

// reachable returns where somebody says that a node can be reached, in the form in which
// endpoints are compared. A host name comes back as it is, with transport.ErrNeedsLookup. What
// the node is connected to already, because somebody else has named it, may be named by
// everybody: a node whose port is forwarded to it by this host says that it is at this host.
func (z *zre) reachable(endpoint string, by transport.Namer) (string, error) {
	endpoint, err := z.endpointRule(by).Reachable(endpoint)
	if errors.Is(err, transport.ErrThisHost) && z.addressed[endpoint] != nil {
		return endpoint, nil
	}
	return endpoint, err
}

// mayBeOurs reports whether an endpoint that came back with an error, or none, from reachable
// is of the form in which it can be compared with the node's own.
func mayBeOurs(err error) bool { return err == nil || errors.Is(err, transport.ErrThisHost) }
