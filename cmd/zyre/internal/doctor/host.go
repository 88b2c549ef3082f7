package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// fewDescriptors is how many open files a process should be allowed: a peer takes 3.
const fewDescriptors = 256

// examineHost looks at what can be known without listening.
func (x *examination) examineHost() {
	x.examineInterfaces()
	x.examineSystem()
}

func (x *examination) examineInterfaces() {
	var view netif.View
	defer view.Close()
	x.judgeInterfaces(view.Interfaces())
}

// judgeInterfaces says which of the interfaces of this host a node would use, and what is
// wrong with that.
func (x *examination) judgeInterfaces(host []netif.Interface, err error) {
	if err != nil {
		x.report.fault("interfaces", "the interfaces of this host cannot be listed: "+err.Error(),
			"let the process use netlink sockets (RestrictAddressFamilies=AF_NETLINK of systemd, seccomp of a container)")
		return
	}
	x.host = host
	choice, err := netif.Choose(x.Interface, host, nil)
	x.links = choice.Links
	for _, h := range host {
		i := Interface{Name: h.Name, Kind: kindOf(h)}
		for _, p := range h.Prefixes {
			i.Addrs = append(i.Addrs, p.String())
		}
		if x.isLink(h.Index) {
			i.Chosen = choice.Reason
		}
		x.report.Interfaces = append(x.report.Interfaces, i)
	}
	switch {
	case err != nil:
		x.report.fault("no-interface", err.Error(), "give a name or an address from the list above to SetInterface or --interface")
	case len(x.links) == 0:
		x.report.fault("no-network", "a node would use no interface: "+choice.Reason, "take an interface up and give it an address; a running node follows by itself")
	}
	for _, l := range x.links {
		x.judgeLink(l)
	}
}

// kindOf says what an interface is, in a few words.
func kindOf(h netif.Interface) string {
	switch {
	case h.Flags&net.FlagUp == 0:
		return "down"
	case h.Flags&net.FlagLoopback != 0:
		return "loopback"
	case h.Flags&net.FlagPointToPoint != 0:
		return "tunnel"
	case h.Port:
		return "port of a bridge"
	case h.Flags&net.FlagRunning == 0:
		return "no carrier"
	case h.IsVirtual():
		return "virtual: of containers, virtual machines or a tunnel"
	case h.Flags&net.FlagBroadcast == 0:
		return "no broadcast"
	}
	return "network"
}

func (x *examination) interfaceOf(l netif.Link) netif.Interface {
	i := slices.IndexFunc(x.host, func(h netif.Interface) bool { return h.Index == l.Index })
	if i < 0 {
		return netif.Interface{}
	}
	return x.host[i]
}

// judgeLink says what is wrong with an interface that a node would use.
func (x *examination) judgeLink(l netif.Link) {
	h := x.interfaceOf(l)
	switch {
	case h.Flags&net.FlagLoopback != 0:
		if x.Interface == "" || x.Interface == netif.All {
			x.report.fault("only-loopback", "a node would use loopback, because no other interface is up: nobody on another host can see it",
				"take an interface up and give it an address, or name one by SetInterface or --interface")
		}
	case !x.Beaconing: // all that matters is that TCP passes
	case h.Flags&net.FlagPointToPoint != 0, h.Flags&net.FlagBroadcast == 0 && l.Addr.Is4():
		x.report.fault("tunnel", fmt.Sprintf("a node would use %s, a tunnel: beacons do not pass it", l.Name),
			"use a gossip hub (zyre hub, GossipConnect), or name another interface by SetInterface or --interface")
	case h.IsVirtual() && x.Interface == "":
		x.report.fault("virtual", fmt.Sprintf("a node would use %s, which leads to containers or virtual machines of this host only, because there is nothing better", l.Name),
			"take a real interface up, or name one by SetInterface or --interface")
	}
	if l.IsPublic() && x.PublicKey == "" {
		x.report.fault("public", fmt.Sprintf("a node would be open to the internet at %s: anybody can take part", l.Addr),
			"use certificates (zyre cert new, SetZCert, SetAuthorizedKeys), or another interface")
	}
}

func (x *examination) examineSystem() {
	x.around = surroundings(os.DirFS("/"))
	for _, where := range x.around {
		x.report.fact("system", "%s", where)
	}
	if err := transport.CheckNetlink(); err != nil {
		x.report.fault("netlink", "the system does not tell the interfaces to programs (netlink is refused): a node works, but follows changes of the network only every 10 s, and SetEndpoint takes no names",
			"allow netlink: RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK of systemd, or the seccomp profile of the container")
	}
	if limit, ok := descriptorLimit(); ok {
		x.judgeDescriptors(limit)
	}
}

func (x *examination) judgeDescriptors(limit uint64) {
	x.report.fact("descriptors", "a process may have %d files open; a peer takes 3", limit)
	if limit < fewDescriptors {
		x.report.fault("descriptors", fmt.Sprintf("a process may have %d files open: a node has room for %d peers at most", limit, limit/3),
			"raise the limit: ulimit -n 4096, or LimitNOFILE= of systemd")
	}
}

// judgeUDP says why the UDP port cannot be opened.
func (x *examination) judgeUDP(err error) {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		x.report.fault("udp-port", fmt.Sprintf("another program has UDP port %d and does not share it: a node cannot start", x.Port),
			fmt.Sprintf("end it (ss -ulnp sport = :%d shows which it is), or use another port on all hosts by SetPort or --port", x.Port))
	default:
		x.report.fault("udp-port", fmt.Sprintf("UDP port %d cannot be opened: %v", x.Port, err), "use another port on all hosts by SetPort or --port")
	}
}

// judgeStart says why a node cannot start.
func (x *examination) judgeStart(err error) {
	for _, f := range x.report.Faults {
		if f.ID == "no-interface" || f.ID == "udp-port" { // says the same
			return
		}
	}
	do := "mend the setting that is named"
	var e *zyre.Error
	if errors.As(err, &e) && errors.Is(err, syscall.EADDRINUSE) {
		do = "end the program that has the port (ss -tlnp shows which it is), or use another port"
	}
	x.report.fault("start", strings.TrimPrefix(err.Error(), "zyre: ")+": a node cannot start", do)
}

// isLocalAddr reports whether an address is one of this host.
func (x *examination) isLocalAddr(addr netip.Addr) bool {
	return slices.ContainsFunc(x.host, func(h netif.Interface) bool {
		return slices.ContainsFunc(h.Prefixes, func(p netip.Prefix) bool { return p.Addr() == addr.WithZone("") })
	})
}

// inSubnet reports whether an address is in a subnet of an interface.
func (x *examination) inSubnet(addr netip.Addr, index int) bool {
	return slices.ContainsFunc(x.host, func(h netif.Interface) bool {
		return h.Index == index && slices.ContainsFunc(h.Prefixes, func(p netip.Prefix) bool { return p.Masked().Contains(addr) })
	})
}
