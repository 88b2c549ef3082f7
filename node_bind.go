package zyre

import (
	"cmp"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// bindTries is how often binder looks for a port that is free on every link.
const bindTries = 5

// anyPort in an endpoint to bind is a port that is free.
const anyPort = "*"

// binder binds the inbox: on every link in use, with one port for all, since the beacon
// has room for one only, or where the application said. The node owns it.
type binder struct {
	inbox transport.Inbox
	log   *slog.Logger

	// set by newBinder, then read-only
	fixed      string // by SetEndpoint
	advertised string // by SetAdvertisedEndpoint
	wantPort   int    // by SetBeaconPeerPort; 0 takes any

	links     []netif.Link
	port      uint16 // TCP port of the inbox on every link; 0 while it is not bound
	lastPort  uint16 // the one before, which peers still know; 0 if there was none
	endpoints []string
	boundOn   map[bindPlace]string // those of endpoints that are bound on a link
	failing   map[bindPlace]error  // where it could not be bound, and is tried again
}

// bindPlace is what a bound socket depends on: it lasts as long as its address and, if
// that is of IPv6, its interface.
type bindPlace struct {
	addr  netip.Addr
	index int
}

func bindPlaceOf(l netif.Link) bindPlace {
	if l.Addr.Is4() {
		return bindPlace{addr: l.Addr}
	}
	return bindPlace{l.Addr, l.Index}
}

func newBinder(cfg *config, in transport.Inbox, log *slog.Logger) binder {
	return binder{
		inbox: in, log: log, boundOn: map[bindPlace]string{},
		fixed: cfg.endpoint, advertised: cfg.advertised, wantPort: cfg.peerPort,
	}
}

// isAtAddress reports whether the application has said where the inbox is bound, and not
// to all addresses: what happens to the interfaces does not matter then.
func (b *binder) isAtAddress() bool {
	if b.fixed == "" {
		return false
	}
	host, _, _ := net.SplitHostPort(strings.TrimPrefix(b.fixed, "tcp://"))
	addr, _ := netip.ParseAddr(host)
	return host != "*" && !addr.IsUnspecified()
}

// location returns where the node can be reached now, on the ways that are known. local says
// whether the application uses endpoints that only this host can reach. A link on which the
// inbox is not bound is left out: who listens there at the port is somebody else.
func (b *binder) location(local bool, r *routing) location {
	links := b.links
	if b.fixed == "" {
		links = slices.DeleteFunc(slices.Clone(links), func(l netif.Link) bool { return b.boundOn[bindPlaceOf(l)] == "" })
	}
	return location{
		links: links, port: b.port, endpoints: slices.Clone(b.endpoints),
		fixed: b.fixed, advertised: b.advertised, local: local,
		routes: r.local, via: r.via,
	}
}

// bind binds the inbox at the start of the node: on every link, or nowhere. Without a link
// there is nothing to bind yet.
func (b *binder) bind() error {
	if b.fixed != "" {
		return b.bindFixed()
	}
	if len(b.links) == 0 {
		b.log.Warn("no network; waiting for one")
		return nil
	}
	var failing map[bindPlace]error
	for range bindTries { // a port that is free on one link may be taken on another
		var bound map[bindPlace]string
		if bound, failing = b.bindLinks(b.links, b.knownPort()); len(failing) == 0 {
			b.take(bound)
			return nil
		}
		b.unbind(bound)
		if b.wantPort != 0 {
			break
		}
	}
	return b.firstOf(failing)
}

// knownPort is the port to bind: that of SetBeaconPeerPort, or the one that peers know, or
// any.
func (b *binder) knownPort() string {
	if port := cmp.Or(b.wantPort, int(b.lastPort)); port != 0 {
		return strconv.Itoa(port)
	}
	return anyPort
}

// bindFixed binds the inbox where the application said.
func (b *binder) bindFixed() error {
	endpoint, err := b.inbox.Bind(b.fixed)
	if err != nil {
		return err
	}
	b.endpoints = []string{endpoint}
	if ap, err := transport.ParseEndpoint(endpoint); err == nil && ap.IsValid() {
		b.port = ap.Port()
	}
	return nil
}

// bindLinks binds the inbox on links, each of them if it can, to one port; anyPort is the one
// that the first link finds free. It returns what it has bound, and where it failed.
func (b *binder) bindLinks(links []netif.Link, port string) (bound map[bindPlace]string, failing map[bindPlace]error) {
	bound, failing = map[bindPlace]string{}, map[bindPlace]error{}
	for _, l := range links {
		place := bindPlaceOf(l)
		if bound[place] != "" {
			continue
		}
		endpoint, err := b.inbox.Bind(tcpEndpoint(l.Addr, port))
		if err != nil {
			failing[place] = err
			continue
		}
		bound[place], port = endpoint, portOf(endpoint)
	}
	return bound, failing
}

// take adds to what is bound.
func (b *binder) take(bound map[bindPlace]string) {
	for _, l := range b.links { // in this order: endpoints is shown
		place := bindPlaceOf(l)
		endpoint := bound[place]
		if endpoint == "" || b.boundOn[place] == endpoint {
			continue
		}
		b.boundOn[place] = endpoint
		b.endpoints = append(b.endpoints, endpoint)
		number, _ := strconv.ParseUint(portOf(endpoint), 10, 16) // the inbox has resolved it
		b.port, b.lastPort = uint16(number), uint16(number)
	}
}

// firstOf returns the error of the first link that has one.
func (b *binder) firstOf(failing map[bindPlace]error) error {
	for _, l := range b.links {
		if err := failing[bindPlaceOf(l)]; err != nil {
			return err
		}
	}
	return nil
}

// portOf is the port of an endpoint.
func portOf(endpoint string) string { return endpoint[strings.LastIndexByte(endpoint, ':')+1:] }

// tcpEndpoint is the endpoint of an address and a port, which may be *.
func tcpEndpoint(addr netip.Addr, port string) string {
	if addr.Is6() {
		return "tcp://[" + addr.String() + "]:" + port
	}
	return "tcp://" + addr.String() + ":" + port
}

// unbind takes the inbox off places.
func (b *binder) unbind(places map[bindPlace]string) {
	for _, e := range places {
		if err := b.inbox.Unbind(e); err != nil {
			b.log.Debug("cannot unbind", "endpoint", e, "err", err)
		}
	}
}

// drop takes the inbox off what is bound, except on the links kept.
func (b *binder) drop(kept []netif.Link) {
	gone := maps.Clone(b.boundOn)
	for _, l := range kept {
		delete(gone, bindPlaceOf(l))
	}
	b.unbind(gone)
	for place, endpoint := range gone {
		delete(b.boundOn, place)
		b.endpoints = slices.DeleteFunc(b.endpoints, func(e string) bool { return e == endpoint })
	}
	if len(b.boundOn) == 0 {
		b.port = 0
	}
}

// move follows a change of the host's network: the inbox stays bound where nothing
// changed, and keeps its port if it can, so that peers find it by themselves.
func (b *binder) move(links []netif.Link) {
	b.drop(links)
	b.links = links
	b.rebind()
}

// rebind binds the inbox on those links of now where it is not bound. Where it fails it is to
// be tried again, and what is bound stays so: peers on one link do not suffer for another.
func (b *binder) rebind() {
	if len(b.links) == 0 {
		b.log.Warn("no network; waiting for one")
	}
	bound, failing := b.bindLinks(b.unboundLinks(), b.knownPort())
	b.take(bound)
	if len(failing) > 0 && b.wantPort == 0 {
		failing = b.changePort(failing)
	}
	for _, l := range b.links {
		err, before := failing[bindPlaceOf(l)], b.failing[bindPlaceOf(l)]
		switch {
		case err != nil && before == nil:
			b.log.Warn("cannot bind on an interface, trying again", "interface", l.Name, "address", l.Addr, "err", err)
		case err == nil && before != nil:
			b.log.Info("bound on an interface again", "interface", l.Name, "address", l.Addr)
		}
	}
	b.failing = failing
}

// unboundLinks lists the links on which the inbox is not bound.
func (b *binder) unboundLinks() (links []netif.Link) {
	for _, l := range b.links {
		if b.boundOn[bindPlaceOf(l)] == "" {
			links = append(links, l)
		}
	}
	return links
}

// changePort looks for a port that is free on more links than the one of now, and on each of
// those where the inbox is bound. It gives up the old port only once all of them have the new
// one. It returns where the inbox is not bound then; failing is where it is not now.
func (b *binder) changePort(failing map[bindPlace]error) map[bindPlace]error {
	links := b.unboundLinks()
	others := slices.DeleteFunc(slices.Clone(b.links), func(l netif.Link) bool { return slices.Contains(links, l) })
	for range bindTries {
		bound, stillFailing := b.bindLinks(links, anyPort)
		if len(bound) == 0 {
			break // it is not the port
		}
		port := anyPort
		for _, endpoint := range bound {
			port = portOf(endpoint)
		}
		moved, stuck := b.bindLinks(others, port)
		maps.Copy(bound, moved)
		if len(stuck) == 0 {
			b.drop(nil)
			b.take(bound)
			return stillFailing
		}
		b.unbind(bound)
	}
	return failing
}
