package netif

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// ErrNoInterface is returned by [Choose] when no interface has the name or the address
// asked for.
var ErrNoInterface = errors.New("no such network interface")

// All is the name that asks for every suitable interface.
const All = "*"

// Choice is the outcome of [Choose]: the links and, for the log, why.
type Choice struct {
	Links  []Link   // none while there is no suitable interface
	Reason string   // for the log
	Others []string // names of interfaces that are as good as the one chosen
	Unsure bool     // another interface may be meant, or one that is not up yet
}

// Choose picks the links for want: "" for the best interface, "*" for all suitable ones,
// an interface name, an address, or several names and addresses with commas between them.
// In use are the links chosen the time before, which are kept where nothing better turned
// up. No link and no error means that there may be one later. If one of several does not
// exist, Choose returns an error as well as the links of the others.
func Choose(want string, host []Interface, inUse []Link) (Choice, error) {
	switch {
	case want == "":
		return chooseBest(host, inUse), nil
	case want == All:
		return chooseAll(host), nil
	}
	var all Choice
	var reasons []string
	var errs []error
	for one := range strings.SplitSeq(want, ",") {
		c, err := chooseOne(strings.TrimSpace(one), host)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, l := range c.Links {
			if !slices.Contains(all.Links, l) {
				all.Links = append(all.Links, l)
			}
		}
		if !slices.Contains(reasons, c.Reason) {
			reasons = append(reasons, c.Reason)
		}
	}
	all.Reason = strings.Join(reasons, ", ")
	return all, errors.Join(errs...)
}

// chooseOne picks the interface with a name or address.
func chooseOne(want string, host []Interface) (Choice, error) {
	if addr, err := netip.ParseAddr(want); err == nil {
		return chooseAddr(addr.Unmap(), host)
	}
	return chooseNamed(want, host)
}

// names says which interfaces there are.
func names(host []Interface) string {
	const most = 20
	var all []string
	for _, h := range host {
		all = append(all, h.Name)
	}
	switch len(all) {
	case 0:
		return "is none"
	case 1:
		return "is " + all[0]
	}
	if len(all) > most {
		all = append(all[:most], "…")
	}
	return "are " + strings.Join(all, ", ")
}

// chooseNamed picks the interface of that name.
func chooseNamed(name string, host []Interface) (Choice, error) {
	i := slices.IndexFunc(host, func(h Interface) bool { return h.Name == name })
	if i < 0 {
		return Choice{}, fmt.Errorf("%w: %q, there %s", ErrNoInterface, name, names(host))
	}
	h := host[i]
	if h.Flags&net.FlagUp == 0 {
		return Choice{Reason: name + " is down"}, nil
	}
	links := h.Links()
	if len(links) == 0 {
		return Choice{Reason: name + " has no address"}, nil
	}
	return Choice{Links: links, Reason: "asked for by name"}, nil
}

// chooseAddr picks the interface that has the address, and that address.
func chooseAddr(addr netip.Addr, host []Interface) (Choice, error) {
	for _, h := range host {
		if zone := addr.Zone(); zone != "" && zone != h.Name && zone != fmt.Sprint(h.Index) {
			continue
		}
		for _, p := range h.Prefixes {
			if p.Addr() != addr.WithZone("") {
				continue
			}
			if h.Flags&net.FlagUp == 0 {
				return Choice{Reason: h.Name + " is down"}, nil
			}
			return Choice{Links: []Link{h.linkAt(p)}, Reason: "asked for by address"}, nil
		}
	}
	return Choice{}, fmt.Errorf("%w with address %s", ErrNoInterface, addr)
}

// chooseAll picks every interface that a default choice could take, leaving out
// those of containers, virtual machines and tunnels unless there are no others.
func chooseAll(host []Interface) Choice {
	var hardware, virtual, loopback []Link
	for _, h := range host {
		links := h.Links()
		switch {
		case len(links) == 0 || h.Port || h.Flags&net.FlagUp == 0:
		case h.Flags&net.FlagLoopback != 0:
			loopback = append(loopback, links...)
		case !h.Reaches(links[0]):
		case h.IsVirtual():
			virtual = append(virtual, links...)
		default:
			hardware = append(hardware, links...)
		}
	}
	switch {
	case len(hardware) > 0:
		return Choice{Links: hardware, Reason: "every interface was asked for"}
	case len(virtual) > 0:
		return Choice{Links: virtual, Reason: "every interface was asked for, all are virtual", Unsure: true}
	case len(loopback) > 0:
		return Choice{Links: loopback[:1], Reason: "every interface was asked for, only loopback is up", Unsure: true}
	}
	return Choice{Reason: "no interface is up"}
}

// IPv6Subnets gives the IPv6 subnets that the interfaces of links are in, by the index of
// the interface.
func IPv6Subnets(host []Interface, links []Link) map[int][]netip.Prefix {
	subnets := map[int][]netip.Prefix{}
	for _, h := range host {
		if !slices.ContainsFunc(links, func(l Link) bool { return l.Index == h.Index }) {
			continue
		}
		for _, p := range h.Prefixes {
			if p.Addr().Is6() {
				subnets[h.Index] = append(subnets[h.Index], p.Masked())
			}
		}
	}
	return subnets
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
	Interface
	link      Link
	class     int
	linkLocal int // 1 if the address is, else 0
	inUse     int // 0 if it was chosen the time before, else 1
	route     int // its metric; very large if there is no default route
	hint      int // 0 if there is hardware behind it, else 1
}

// chooseBest picks one interface: up, able to broadcast, not virtual, with an
// address that is not link-local, the one in use, with the default route.
func chooseBest(host []Interface, inUse []Link) Choice {
	var found []candidate
	for _, h := range host {
		if c, ok := newCandidate(h, inUse); ok {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return Choice{Reason: "no interface is up"}
	}
	best := slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.class, b.class),
			cmp.Compare(a.linkLocal, b.linkLocal),
			cmp.Compare(a.inUse, b.inUse),
			cmp.Compare(a.route, b.route),
			cmp.Compare(a.hint, b.hint),
			cmp.Compare(a.Index, b.Index))
	})
	alone := !slices.ContainsFunc(found, func(c candidate) bool {
		return c.class != classLoopback && c.Index != best.Index
	})
	chosen := Choice{Links: best.Links(), Reason: best.reason(alone)}
	for _, c := range found {
		if c.class == best.class && c.Index != best.Index {
			chosen.Others = append(chosen.Others, c.Name)
		}
	}
	chosen.Unsure = best.class != classHardware || len(chosen.Others) > 0
	return chosen
}

func newCandidate(h Interface, inUse []Link) (candidate, bool) {
	l, ok := h.Link()
	if !ok || h.Port || h.Flags&net.FlagUp == 0 {
		return candidate{}, false
	}
	c := candidate{Interface: h, link: l, inUse: 1, hint: 1, route: int(^uint(0) >> 1)}
	switch {
	case h.Flags&net.FlagLoopback != 0:
		c.class = classLoopback
	case !h.Reaches(l):
		return candidate{}, false
	case h.Flags&net.FlagRunning == 0:
		c.class = classUnplugged
	case h.IsVirtual():
		c.class = classVirtual
	}
	if l.Addr.IsLinkLocalUnicast() {
		c.linkLocal = 1
	}
	if slices.ContainsFunc(inUse, func(u Link) bool { return u.Index == h.Index }) {
		c.inUse = 0
	}
	if h.Metric != NoRoute {
		c.route = h.Metric
	}
	if h.Hardware {
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
	case c.Metric != NoRoute:
		return "it can broadcast and has the default route"
	case c.linkLocal == 1:
		return "it can broadcast, its address is link-local"
	}
	return "it can broadcast"
}

// virtualPrefixes start the names of interfaces that lead to containers,
// virtual machines or tunnels on this host, not to a network of hosts.
var virtualPrefixes = []string{
	"docker", "podman", "cni", "flannel", "cali", "cilium", "weave", "kube", "nerdctl",
	"veth", "vnet", "br-", "virbr", "lxcbr", "lxdbr", "incusbr", "vmnet", "vboxnet",
	"vEthernet", "tun", "tap", "utun", "wg", "ppp", "tailscale", "zt", "ham",
	"dummy", "ifb", "gre", "sit", "ip6tnl", "awdl", "llw", "bridge",
}

// IsVirtual reports whether the interface leads to no network of hosts. That of a bridge
// with a card among its ports does, whatever its name: it is the LAN of a router.
func (h Interface) IsVirtual() bool {
	return !h.Hardware && slices.ContainsFunc(virtualPrefixes, func(p string) bool {
		return strings.HasPrefix(h.Name, p)
	})
}
