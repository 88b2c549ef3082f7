package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
)

// judgeOwn checks that the node's own beacons come back.
func (x *examination) judgeOwn() {
	if !x.Beaconing || len(x.links) == 0 || !x.links[0].Addr.Is4() {
		return
	}
	own := slices.ContainsFunc(x.heard.list(), func(s sighting) bool { return s.uuid == x.ownUUID() && s.received })
	if own {
		return
	}
	stats := x.Node.Stats().Beacon
	if stats.Sent == 0 && stats.SendErrors > 0 {
		x.report.fault("own-beacon", "this host sends no beacons: the system refuses them",
			fmt.Sprintf("let UDP port %d out in the firewall of this host (nft list ruleset, iptables -L), and check its routes (ip route)", x.Port))
		return
	}
	x.report.fault("own-beacon", fmt.Sprintf("the beacons of this host do not come back to it on %s: UDP is blocked here, or broadcasts are", x.links[0].Name),
		fmt.Sprintf("let UDP port %d in and out in the firewall of this host (ufw allow %d/udp, firewall-cmd --add-port=%d/udp)", x.Port, x.Port, x.Port))
}

// judgeNodes says of each node what keeps it and this host apart.
func (x *examination) judgeNodes() {
	for _, n := range x.report.Nodes {
		switch {
		case n.Entered && n.Answered: // whatever else is odd about it, it works
			x.judgeDropped(n)
		case n.Entered:
			x.judgeSilent(n)
		case n.Source == "beacon" && !x.Beaconing:
			x.report.fact("beacons", "%s sends beacons, which a node with gossip or an endpoint does not use, unless SetPort or --port is given", n.called())
		case n.Source == "beacon" && len(x.links) == 0: // no node starts here, and why was said
		case n.Source == "beacon" && x.judgeBeacons(n): // it has said why
		case n.Secure != (x.PublicKey != ""), n.Mechanism == "CURVE" && x.PublicKey == "", n.Mechanism == "NULL" && x.PublicKey != "":
			x.judgeSecurity(n)
		default:
			x.judgeTCP(n)
		}
	}
	for _, s := range x.heard.strangers() {
		x.report.fault("version", "beacons of no known version come from "+s, "no node can use them; see what sends to the port there")
	}
}

// judgeBeacons says why the beacons of a node do not reach a node here, and reports
// whether that is so.
func (x *examination) judgeBeacons(n *Node) bool {
	addr, err := netip.ParseAddr(n.Address)
	if err != nil {
		return false
	}
	received := slices.ContainsFunc(n.sightings, func(s sighting) bool { return s.received })
	onLink := slices.ContainsFunc(n.sightings, func(s sighting) bool { return s.received && x.isLink(s.ifIndex) })
	best := slices.MaxFunc(n.sightings, func(a, b sighting) int { return x.rank(a) - x.rank(b) })
	switch {
	case n.UDPPort != x.Port:
		x.report.fault("other-port", fmt.Sprintf("%s uses UDP port %d for its beacons, and this host %d: they do not hear each other", n.called(), n.UDPPort, x.Port),
			"use the same port on both: SetPort, zyre_set_port or --port")
	case !received && !x.inSubnet(addr, best.ifIndex):
		x.judgeSubnet(n)
	case !received:
		x.judgeDropped(n)
	case onLink && !n.Entered && n.TCP != tcpOpen && !x.inSubnet(addr, best.ifIndex) && !x.isLocalAddr(addr):
		x.judgeSubnet(n)
	case onLink:
		return false
	case x.isLoopback(best.ifIndex):
		x.report.fault("loopback", fmt.Sprintf("%s keeps to loopback of this host: only nodes that use loopback too see it", n.called()),
			`let it use another interface (SetInterface, zyre_set_interface), or all use "lo"`)
	default:
		x.report.fault("wrong-interface", fmt.Sprintf("%s is heard on %s, and a node here would use %s", n.called(), n.Interface, x.linkNames()),
			fmt.Sprintf(`name the interface: SetInterface("%s"), zyre_set_interface or --interface %s; "*" takes all`, n.Interface, n.Interface))
	}
	return true
}

// judgeDropped finds beacons that were seen on the wire and that no socket gets.
func (x *examination) judgeDropped(n *Node) {
	seen := slices.ContainsFunc(n.sightings, func(s sighting) bool { return s.udpPort == x.Port && s.count > 1 })
	received := slices.ContainsFunc(n.sightings, func(s sighting) bool { return s.received })
	if !x.Beaconing || !seen || received {
		return
	}
	x.report.fault("udp-in", fmt.Sprintf("the beacons of %s reach this host on %s, and do not pass its firewall", n.called(), n.Interface),
		fmt.Sprintf("let UDP port %d in (ufw allow %d/udp, firewall-cmd --add-port=%d/udp)", x.Port, x.Port, x.Port))
}

func (x *examination) judgeSubnet(n *Node) {
	var own []string
	for _, l := range x.links {
		own = append(own, l.Prefix.String())
	}
	x.report.fault("other-subnet", fmt.Sprintf("%s is in another subnet than this host (%s), though on the same wire", n.called(), strings.Join(own, ", ")),
		"give both hosts addresses and masks of one subnet (ip addr), or use a gossip hub (zyre hub)")
}

func (x *examination) linkNames() string {
	var names []string
	for _, l := range x.links {
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (x *examination) isLoopback(index int) bool {
	return slices.ContainsFunc(x.host, func(h netif.Interface) bool { return h.Index == index && h.Flags&net.FlagLoopback != 0 })
}

// judgeSecurity says that one node is secure and the other is not.
func (x *examination) judgeSecurity(n *Node) {
	if x.PublicKey == "" {
		x.report.fault("plain-secure", fmt.Sprintf("%s is secure (CURVE), and a node here would be plain: they never talk", n.called()),
			"give this one a certificate too (zyre cert new, SetZCert, zyre_set_zcert, --cert), or none to both")
		return
	}
	x.report.fault("plain-secure", fmt.Sprintf("%s is plain, and a node here would be secure (CURVE): they never talk", n.called()),
		"give that one a certificate too (zyre cert new, SetZCert, zyre_set_zcert), or none to both")
}

// judgeTCP says why a node whose beacons are heard, or that a hub told of, has not entered.
func (x *examination) judgeTCP(n *Node) {
	own := strings.TrimPrefix(x.ownEndpoint, "tcp://")
	switch n.TCP {
	case tcpOpen:
		if n.Mechanism == "CURVE" {
			x.judgeKeys(n)
			return
		}
		x.report.fault("tcp-in", fmt.Sprintf("%s does not answer HELLO, though its port can be reached: it most likely cannot connect to this host at %s", n.called(), own),
			"let TCP in on this host: SetBeaconPeerPort or --peer-port fixes the port, and the firewall must let it pass (ufw allow PORT/tcp). If its program hangs, start it again")
	case notZeroMQ:
		x.report.fault("not-zeromq", fmt.Sprintf("%s is not there: what listens at its port does not speak ZeroMQ, or does not answer", n.called()),
			"see what runs there; a process that is stopped or hangs looks the same")
	case "":
		x.report.fault("endpoint", fmt.Sprintf("%s names an endpoint that cannot be used from here: %s", n.called(), n.Endpoint),
			"let it announce an address that others can reach: SetEndpoint, SetAdvertisedEndpoint, zyre_set_endpoint")
	default:
		x.report.fault("tcp-both", fmt.Sprintf("%s is announced, and there is no connection in either direction: its port %s (%s)", n.called(), portState(n.TCP), n.TCP),
			"let TCP pass in both directions, in the firewalls of both hosts and between them; SetBeaconPeerPort or --peer-port fixes a node's port. If the node was killed a moment ago, its beacons are old")
	}
}

func portState(tcp string) string {
	if tcp == tcpRefused {
		return "refuses connections"
	}
	return "cannot be reached"
}

// judgeSilent says why a node that has said HELLO does not answer.
func (x *examination) judgeSilent(n *Node) {
	if n.TCP == tcpOpen {
		x.report.fault("silent", fmt.Sprintf("%s has said HELLO and does not answer PING: it hangs, or is overloaded", n.called()),
			"look at its process; start it again")
		return
	}
	x.report.fault("tcp-out", fmt.Sprintf("%s reaches this host, and this host does not reach it: its port %s", n.called(), portState(n.TCP)),
		"let TCP in on its host: SetBeaconPeerPort, zyre_set_beacon_peer_port or --peer-port fixes the port, and the firewall there must let it pass")
}

// judgeKeys says why two secure nodes do not talk.
func (x *examination) judgeKeys(n *Node) {
	if x.Restricted && n.Key != "" && !slices.Contains(x.Authorized, n.Key) {
		x.report.fault("key", fmt.Sprintf("%s has a key that this host does not let in: %s", n.called(), n.Key),
			"import its certificate here (zyre cert import, SetAuthorizedKeys)")
		return
	}
	x.report.fault("key", fmt.Sprintf("%s does not answer HELLO, though its port can be reached: it does not let the key of this host in, or cannot connect to %s", n.called(), strings.TrimPrefix(x.ownEndpoint, "tcp://")),
		fmt.Sprintf("import this host's certificate there (its key is %s), and let TCP in on this host", x.PublicKey))
}

// judgeNames finds nodes that cannot be told apart.
func (x *examination) judgeNames() {
	byName := map[string][]string{}
	for _, n := range x.report.Nodes {
		if n.Name != "" {
			byName[n.Name] = append(byName[n.Name], fmt.Sprintf("%s at %s", n.UUID[:6], strings.TrimPrefix(n.Endpoint, "tcp://")))
		}
	}
	for name, nodes := range byName {
		if len(nodes) > 1 {
			slices.Sort(nodes)
			x.report.fault("same-name", fmt.Sprintf("%d nodes are called %s: %s", len(nodes), name, strings.Join(nodes, ", ")),
				"give each a name of its own, or let programs use UUIDs")
		}
	}
	for _, n := range x.report.Nodes {
		var places []string
		for _, s := range n.sightings {
			place := netip.AddrPortFrom(s.addr, s.tcpPort).String()
			samePort := slices.ContainsFunc(n.sightings, func(o sighting) bool { return o.tcpPort == s.tcpPort && o.addr.Less(s.addr) })
			if isCurrent(s) && !samePort && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
		if len(places) > 1 {
			slices.Sort(places)
			x.report.fault("same-uuid", fmt.Sprintf("%d nodes have the UUID %s: %s", len(places), n.UUID, strings.Join(places, ", ")),
				"give each a UUID of its own; a copied virtual machine or file of settings may have it (SetUUID)")
		}
	}
}

// isCurrent reports whether a node still beacons there.
func isCurrent(s sighting) bool { return s.count > 1 && time.Since(s.last) < 5*time.Second }

// judgeSilence says what to do if nobody else is there.
func (x *examination) judgeSilence() {
	for _, f := range x.report.Faults {
		if f.ID != "public" && f.ID != "netlink" && f.ID != "descriptors" {
			return // that is enough to explain it
		}
	}
	if len(x.report.Nodes) > 0 {
		return
	}
	switch {
	case x.Target != "":
		x.report.fault("against", fmt.Sprintf("nothing is heard of %s%s", x.Target, x.whereIs()),
			"see that a node runs there, with the same UDP port; then zyre doctor --pair WORD --against HOST on both hosts shows which direction fails")
	case !x.Beaconing && len(x.Hubs) > 0:
		x.report.fault("no-others", "no other node is connected to the gossip hub", "see that the other nodes connect to the same hub, under the same address")
	case !x.Beaconing:
		x.report.fault("no-others", "no other node is here, and without beacons or gossip none can find this one", "use beacons (SetPort, --port), a gossip hub (--hub), or RequirePeer")
	default:
		what := fmt.Sprintf("no beacon of another node was heard on %s within %v, though this host's own come back", x.linkNames(), x.Listen)
		for _, where := range x.around {
			what += "; this host is " + where
		}
		x.report.fault("no-others", what,
			"see that other nodes run, with the same UDP port. If they do, the network between eats broadcasts (guest and mesh wifi, hotspots, virtual machines behind NAT, containers, clouds): zyre doctor --pair WORD --against HOST on both hosts shows it; a gossip hub (zyre hub) does without broadcasts")
	}
}

// whereIs says where a host is, if that explains why it is not heard.
func (x *examination) whereIs() string {
	for _, addr := range x.Against {
		for _, l := range x.links {
			if l.Prefix.Contains(addr) {
				return ""
			}
		}
	}
	if len(x.links) == 0 {
		return ""
	}
	return ", which is not in the subnet of this host: beacons do not pass routers, a gossip hub (zyre hub) does"
}
