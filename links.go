package zyre

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// allInterfaces is the name that asks for every suitable interface.
const allInterfaces = "*"

// link is one attachment of the node to a network: an interface and the one
// address of it that the node uses there. It is comparable.
type link struct {
	name      string
	index     int
	addr      netip.Addr   // with the zone, if IPv6 link-local
	prefix    netip.Prefix // never with a zone
	broadcast netip.Addr   // IPv4 only
}

func (l link) String() string { return l.name + " " + l.addr.String() }

// hostInterface describes one interface of the host, so that the choice is a
// pure function of what the host looks like.
type hostInterface struct {
	name     string
	index    int
	flags    net.Flags
	prefixes []netip.Prefix // address and prefix length, in the system's order
	metric   int            // of the default route through it, or noRoute
	hardware bool           // a hint only: there is a device behind it
}

// noRoute is the metric of an interface without a default route.
const noRoute = -1

// choice is the outcome of chooseLinks: the links and, for the log, why.
type choice struct {
	links  []link
	reason string
}

// chooseLinks picks the links for want: "" for the best interface, "*" for all
// suitable ones, an interface name, or an address. In use are the links chosen
// the time before, which are kept where nothing better turned up. No link and
// no error means that there may be one later.
func chooseLinks(want string, host []hostInterface, inUse []link) (choice, error) {
	switch {
	case want == "":
		return chooseBest(host, inUse), nil
	case want == allInterfaces:
		return chooseAll(host), nil
	}
	if addr, err := netip.ParseAddr(want); err == nil {
		return chooseAddr(addr.Unmap(), host)
	}
	return chooseNamed(want, host)
}

// chooseNamed picks the interface of that name.
func chooseNamed(name string, host []hostInterface) (choice, error) {
	i := slices.IndexFunc(host, func(h hostInterface) bool { return h.name == name })
	if i < 0 {
		return choice{}, fmt.Errorf("%w: %q", ErrNoInterface, name)
	}
	h := host[i]
	if h.flags&net.FlagUp == 0 {
		return choice{reason: name + " is down"}, nil
	}
	l, ok := h.link()
	if !ok {
		return choice{reason: name + " has no address"}, nil
	}
	return choice{links: []link{l}, reason: "asked for by name"}, nil
}

// chooseAddr picks the interface that has the address, and that address.
func chooseAddr(addr netip.Addr, host []hostInterface) (choice, error) {
	for _, h := range host {
		if zone := addr.Zone(); zone != "" && zone != h.name && zone != fmt.Sprint(h.index) {
			continue
		}
		for _, p := range h.prefixes {
			if p.Addr() != addr.WithZone("") {
				continue
			}
			if h.flags&net.FlagUp == 0 {
				return choice{reason: h.name + " is down"}, nil
			}
			return choice{links: []link{h.linkAt(p)}, reason: "asked for by address"}, nil
		}
	}
	return choice{}, fmt.Errorf("%w with address %s", ErrNoInterface, addr)
}

// chooseAll picks every interface that a default choice could take, leaving out
// those of containers, virtual machines and tunnels unless there are no others.
func chooseAll(host []hostInterface) choice {
	var hardware, virtual, loopback []link
	for _, h := range host {
		l, ok := h.link()
		switch {
		case !ok || h.flags&net.FlagUp == 0:
		case h.flags&net.FlagLoopback != 0:
			loopback = append(loopback, l)
		case !h.reaches(l):
		case isVirtual(h.name):
			virtual = append(virtual, l)
		default:
			hardware = append(hardware, l)
		}
	}
	switch {
	case len(hardware) > 0:
		return choice{hardware, "every interface was asked for"}
	case len(virtual) > 0:
		return choice{virtual, "every interface was asked for, all are virtual"}
	case len(loopback) > 0:
		return choice{loopback[:1], "every interface was asked for, only loopback is up"}
	}
	return choice{reason: "no interface is up"}
}

// The classes of interfaces for the default choice, from the best down.
const (
	classHardware = iota
	classVirtual
	classUnplugged
	classLoopback
)

// candidate is an interface that the default choice may take.
type candidate struct {
	hostInterface
	link      link
	class     int
	linkLocal int // 1 if the address is, else 0
	inUse     int // 0 if it was chosen the time before, else 1
	route     int // its metric; very large if there is no default route
	hint      int // 0 if there is hardware behind it, else 1
}

// chooseBest picks one interface: up, able to broadcast, not virtual, with an
// address that is not link-local, the one in use, with the default route.
func chooseBest(host []hostInterface, inUse []link) choice {
	var found []candidate
	for _, h := range host {
		if c, ok := newCandidate(h, inUse); ok {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return choice{reason: "no interface is up"}
	}
	best := slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.class, b.class),
			cmp.Compare(a.linkLocal, b.linkLocal),
			cmp.Compare(a.inUse, b.inUse),
			cmp.Compare(a.route, b.route),
			cmp.Compare(a.hint, b.hint),
			cmp.Compare(a.index, b.index))
	})
	alone := !slices.ContainsFunc(found, func(c candidate) bool {
		return c.class != classLoopback && c.index != best.index
	})
	return choice{links: []link{best.link}, reason: best.reason(alone)}
}

func newCandidate(h hostInterface, inUse []link) (candidate, bool) {
	l, ok := h.link()
	if !ok || h.flags&net.FlagUp == 0 {
		return candidate{}, false
	}
	c := candidate{hostInterface: h, link: l, inUse: 1, hint: 1, route: int(^uint(0) >> 1)}
	switch {
	case h.flags&net.FlagLoopback != 0:
		c.class = classLoopback
	case !h.reaches(l):
		return candidate{}, false
	case h.flags&net.FlagRunning == 0:
		c.class = classUnplugged
	case isVirtual(h.name):
		c.class = classVirtual
	}
	if l.addr.IsLinkLocalUnicast() {
		c.linkLocal = 1
	}
	if slices.ContainsFunc(inUse, func(u link) bool { return u.index == h.index }) {
		c.inUse = 0
	}
	if h.metric != noRoute {
		c.route = h.metric
	}
	if h.hardware {
		c.hint = 0
	}
	return c, true
}

// reason says, for the log, why the candidate won.
func (c candidate) reason(alone bool) string {
	switch {
	case c.class == classLoopback:
		return "only loopback is up"
	case c.class == classUnplugged:
		return "nothing better: it has no carrier"
	case c.class == classVirtual:
		return "nothing better: it is virtual"
	case alone:
		return "the only interface that can broadcast"
	case c.metric != noRoute:
		return "it can broadcast and has the default route"
	case c.linkLocal == 1:
		return "it can broadcast, its address is link-local"
	}
	return "it can broadcast"
}

// reaches tells whether a beacon sent on the link can reach several hosts. A
// tunnel from point to point cannot.
func (h hostInterface) reaches(l link) bool {
	if h.flags&net.FlagPointToPoint != 0 {
		return false
	}
	if l.addr.Is4() {
		return h.flags&net.FlagBroadcast != 0
	}
	return h.flags&net.FlagMulticast != 0
}

// link gives the link of the interface at its best address: IPv4 before IPv6,
// as most ZRE nodes know only that; then addresses that are not link-local.
func (h hostInterface) link() (link, bool) {
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
	for i, p := range h.prefixes {
		a := p.Addr()
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			continue
		}
		if best < 0 || rank(p) < rank(h.prefixes[best]) {
			best = i
		}
	}
	if best < 0 {
		return link{}, false
	}
	return h.linkAt(h.prefixes[best]), true
}

// linkAt gives the link of the interface at one of its addresses.
func (h hostInterface) linkAt(p netip.Prefix) link {
	l := link{name: h.name, index: h.index, addr: p.Addr(), prefix: p.Masked()}
	switch {
	case l.addr.Is4():
		l.broadcast = broadcastOf(p)
	case l.addr.IsLinkLocalUnicast():
		l.addr = l.addr.WithZone(h.name)
	}
	return l
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

// virtualPrefixes start the names of interfaces that lead to containers,
// virtual machines or tunnels on this host, not to a network of hosts.
var virtualPrefixes = []string{
	"docker", "podman", "cni", "flannel", "cali", "cilium", "weave", "kube", "nerdctl",
	"veth", "vnet", "br-", "virbr", "lxcbr", "lxdbr", "incusbr", "vmnet", "vboxnet",
	"vEthernet", "tun", "tap", "utun", "wg", "ppp", "tailscale", "zt", "ham",
	"dummy", "ifb", "gre", "sit", "ip6tnl", "awdl", "llw", "bridge",
}

func isVirtual(name string) bool {
	return slices.ContainsFunc(virtualPrefixes, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// hostAge is how long a description of the interfaces holds without a look of its own:
// not every system that takes a subscription to changes also tells them.
const hostAge = 10 * time.Second

// hostView is what the host's interfaces look like. It looks only if something may have
// changed, for a look costs an idle node more than all its peers' beacons. One goroutine
// owns it; the zero value is ready.
type hostView struct {
	changes hostChanges
	host    []hostInterface // nil if the last look failed
	at      time.Time       // of the last look
}

// interfaces describes the interfaces that the host has now. The result must not be
// changed.
func (v *hostView) interfaces() ([]hostInterface, error) {
	// Also if it is time to look anyway: what is told from here on comes after the look.
	changed := v.changes.any()
	if !changed && v.host != nil && time.Since(v.at) < hostAge {
		return v.host, nil
	}
	host, err := hostInterfaces()
	v.host, v.at = host, time.Now()
	return host, err
}

// close ends the subscription. The view can be used again.
func (v *hostView) close() { v.changes.close() }

// hostInterfaces describes the interfaces that the host has now.
func hostInterfaces() ([]hostInterface, error) {
	ifis, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("zyre: list the interfaces: %w", err)
	}
	prefixes, err := interfacePrefixes(ifis)
	if err != nil {
		return nil, fmt.Errorf("zyre: list the addresses: %w", err)
	}
	routes := defaultRoutes()
	host := make([]hostInterface, 0, len(ifis))
	for _, ifi := range ifis {
		metric, ok := routes[ifi.Name]
		if !ok {
			metric = noRoute
		}
		host = append(host, hostInterface{
			name: ifi.Name, index: ifi.Index, flags: ifi.Flags,
			prefixes: prefixes[ifi.Index], metric: metric,
			hardware: hasDevice(ifi.Name),
		})
	}
	return host, nil
}

// prefixesOf asks the system for the addresses of one interface.
func prefixesOf(ifi *net.Interface) ([]netip.Prefix, error) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(ipnet.IP)
		if !ok {
			continue
		}
		ones, _ := ipnet.Mask.Size()
		prefixes = append(prefixes, netip.PrefixFrom(addr.Unmap(), ones))
	}
	return prefixes, nil
}
