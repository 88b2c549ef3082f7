package zyre

import (
	"cmp"
	"log/slog"
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
	failed    bool                 // the inbox could not be bound on the links of now
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
// whether the application uses endpoints that only this host can reach.
func (b *binder) location(local bool, r *routing) location {
	return location{
		links: b.links, port: b.port, endpoints: slices.Clone(b.endpoints),
		fixed: b.fixed, advertised: b.advertised, local: local,
		routes: r.local, via: r.via,
	}
}

// bind binds the inbox where it is not bound yet. Without a link there is nothing to bind
// yet.
func (b *binder) bind() error {
	if b.fixed != "" {
		return b.bindFixed()
	}
	if len(b.links) == 0 {
		b.log.Warn("no network; waiting for one")
		return nil
	}
	port := "*"
	if known := cmp.Or(b.wantPort, int(b.lastPort)); known != 0 {
		port = strconv.Itoa(known)
	}
	var err error
	for range bindTries { // a port that is free on one link may be taken on another
		if err = b.bindLinks(port); err == nil {
			return nil
		}
		b.unbind(nil)
		if b.wantPort != 0 {
			break
		}
		port = "*"
	}
	return err
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

// bindLinks binds the inbox on every link, where it is not yet, to a port; "*" is the one
// that the first link finds free.
func (b *binder) bindLinks(port string) error {
	for _, l := range b.links {
		if b.boundOn[bindPlaceOf(l)] != "" {
			continue
		}
		want := tcpEndpoint(l.Addr, port)
		endpoint, err := b.inbox.Bind(want)
		if err != nil {
			return err
		}
		b.boundOn[bindPlaceOf(l)] = endpoint
		b.endpoints = append(b.endpoints, endpoint)
		port = endpoint[strings.LastIndexByte(endpoint, ':')+1:]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	b.port, b.lastPort = uint16(number), uint16(number)
	return err
}

// tcpEndpoint is the endpoint of an address and a port, which may be *.
func tcpEndpoint(addr netip.Addr, port string) string {
	if addr.Is6() {
		return "tcp://[" + addr.String() + "]:" + port
	}
	return "tcp://" + addr.String() + ":" + port
}

// unbind takes the inbox off every link but those kept.
func (b *binder) unbind(kept []netif.Link) {
	for place, e := range b.boundOn {
		if slices.ContainsFunc(kept, func(l netif.Link) bool { return bindPlaceOf(l) == place }) {
			continue
		}
		if err := b.inbox.Unbind(e); err != nil {
			b.log.Debug("cannot unbind", "endpoint", e, "err", err)
		}
		delete(b.boundOn, place)
		b.endpoints = slices.DeleteFunc(b.endpoints, func(o string) bool { return o == e })
	}
	if len(b.boundOn) == 0 {
		b.port = 0
	}
}

// move follows a change of the host's network: the inbox stays bound where nothing
// changed, and keeps its port if it can, so that peers find it by themselves.
func (b *binder) move(links []netif.Link) error {
	b.unbind(links)
	b.links = links
	return b.rebind()
}

// rebind binds the inbox on the links of now. What fails is to be tried again.
func (b *binder) rebind() error {
	err := b.bind()
	if err != nil && !b.failed {
		b.log.Warn("network changed, trying again", "err", err)
	}
	b.failed = err != nil
	return err
}
