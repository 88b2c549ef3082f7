package zyre

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

const (
	routeMaxAge    = 10 * time.Second // until the routes are looked up again
	routeNameAge   = 30 * time.Second // until the host name of a hub is
	routeNameRetry = 3 * time.Second  // the same, if that has failed
	routeNameWait  = 2 * time.Second  // until the node does without: one dead name must not keep it from its other hubs
	maxRoutes      = 64               // addresses of hubs and required peers whose route is looked up
)

// routing is what the node knows of the way to its hubs and required peers: they need not
// be on a network that a beacon could use, and have to be told an address that they can
// reach. The node owns it.
type routing struct {
	localAddr func(remote netip.Addr) (netip.Addr, bool) // nil: nothing is known

	targets []string                // endpoints of hubs, of binds and of required peers
	names   map[string]*routingName // those of hubs with a host name
	found   map[string][]netip.Addr // what the host names of targets stand for

	local   map[netip.Addr]netip.Addr // our address, by that of a target
	links   []netif.Link              // with those addresses
	via     netip.Addr                // our address for the first target; invalid if there is none
	host    []netif.Interface         // as it was for all that
	checked time.Time
	changed bool // the targets, or what their names stand for
}

type routingName struct {
	pending  bool // it has not been looked up yet, and is waited for
	underWay bool // it is being looked up
	since    time.Time
	next     time.Time
}

// setTargets takes over whom the configuration names.
func (r *routing) setTargets(cfg *config) {
	r.targets, r.changed = nil, true
	if r.names == nil {
		r.names, r.found = map[string]*routingName{}, map[string][]netip.Addr{}
	}
	for _, h := range cfg.gossip.hubs {
		target := withoutSource(h.endpoint)
		r.targets = append(r.targets, target)
		if errors.Is(transport.CheckEndpoint(target), transport.ErrNeedsLookup) && r.names[target] == nil {
			r.names[target] = &routingName{pending: true}
		}
	}
	r.targets = append(r.targets, cfg.gossip.binds...)
	for _, p := range cfg.required {
		r.targets = append(r.targets, p.endpoint)
	}
}

// withoutSource takes the address to connect from out of "tcp://source;target".
func withoutSource(endpoint string) string {
	if i := strings.LastIndexByte(endpoint, ';'); i >= 0 && strings.HasPrefix(endpoint, "tcp://") {
		return "tcp://" + endpoint[i+1:]
	}
	return endpoint
}

// isPending reports whether a look-up that may change what is announced is waited for.
func (r *routing) isPending() bool {
	for _, n := range r.names {
		if n.pending {
			return true
		}
	}
	return false
}

// startLookups looks up the host names of hubs for which it is time, and waits no longer for
// those that take long.
func (r *routing) startLookups(now time.Time, start func(endpoint string) bool) {
	for endpoint, n := range r.names {
		if !n.underWay && !now.Before(n.next) {
			n.next, n.since, n.underWay = now.Add(routeNameRetry), now, start(endpoint)
		}
		n.pending = n.pending && n.underWay && now.Sub(n.since) < routeNameWait
	}
}

// resolved takes what a host name stands for.
func (r *routing) resolved(now time.Time, endpoint string, numeric []string) {
	n := r.names[endpoint]
	if n != nil {
		n.pending, n.underWay = false, false
	}
	if !slices.Contains(r.targets, endpoint) || len(numeric) == 0 {
		return
	}
	if n != nil {
		n.next = now.Add(routeNameAge)
	}
	var addrs []netip.Addr
	for _, e := range numeric {
		if ap, err := transport.ParseEndpoint(e); err == nil && ap.IsValid() {
			addrs = append(addrs, ap.Addr())
		}
	}
	if !slices.Equal(r.found[endpoint], addrs) {
		r.found[endpoint], r.changed = addrs, true
	}
}

// addresses lists the addresses of the targets, as far as they are known.
func (r *routing) addresses() (addrs []netip.Addr) {
	for _, e := range r.targets {
		if len(addrs) >= maxRoutes {
			break
		}
		ap, err := transport.ParseEndpoint(e)
		switch {
		case err == nil && ap.IsValid() && !ap.Addr().IsUnspecified():
			addrs = append(addrs, ap.Addr())
		case err != nil: // a name, or a bind that libzmq finds the address of
			addrs = append(addrs, r.found[e]...)
			addrs = append(addrs, boundAddr(e)...)
		}
	}
	return addrs
}

// boundAddr is the address in an endpoint whose port is *.
func boundAddr(endpoint string) []netip.Addr {
	host, ok := strings.CutSuffix(strings.TrimPrefix(endpoint, "tcp://"), ":*")
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if !ok || err != nil || addr.IsUnspecified() {
		return nil
	}
	return []netip.Addr{addr}
}

// isElsewhere reports whether one of the targets is on another host, or is to be reached
// from there.
func (r *routing) isElsewhere() bool {
	return slices.ContainsFunc(r.addresses(), func(a netip.Addr) bool { return !a.IsLoopback() })
}

// refresh looks up the routes, if that may have an effect.
func (r *routing) refresh(now time.Time, host []netif.Interface) {
	same := len(host) == len(r.host) && (len(host) == 0 || &host[0] == &r.host[0])
	if r.localAddr == nil || same && !r.changed && now.Sub(r.checked) < routeMaxAge {
		return
	}
	r.host, r.checked, r.changed = host, now, false
	r.local, r.links, r.via = map[netip.Addr]netip.Addr{}, nil, netip.Addr{}
	for _, remote := range r.addresses() {
		local, ok := r.localAddr(remote)
		if !ok || local.IsLoopback() {
			continue // it is on this host, and others may be elsewhere
		}
		r.local[remote.WithZone("")] = local
		if l := netif.LinkWith(local, host); !slices.Contains(r.links, l) {
			r.links = append(r.links, l)
		}
		if !r.via.IsValid() {
			r.via = local
		}
	}
}

// withRoutes adds the links of routes to those that the interfaces have been chosen for,
// unless the application has chosen them. Where there is no beacon that needs it, loopback
// is left out if there is anything else.
func (n *node) withRoutes(now time.Time, base []netif.Link) []netif.Link {
	host, _ := n.interfaces() // without it, addresses are enough
	n.routing.refresh(now, host)
	if n.cfg.iface != "" {
		return base
	}
	links := slices.Clone(base)
	for _, l := range n.routing.links {
		if !slices.ContainsFunc(links, func(o netif.Link) bool { return o.Addr == l.Addr }) {
			links = append(links, l)
		}
	}
	if n.beacon != nil || !slices.ContainsFunc(links, func(l netif.Link) bool { return !l.Addr.IsLoopback() }) {
		return links
	}
	return slices.DeleteFunc(links, func(l netif.Link) bool { return l.Addr.IsLoopback() })
}
