// Package doctor finds out why nodes of ZRE do not see each other. It looks at the host,
// listens to all beacons, connects to all ports that they advertise, and runs a node that
// the others must answer. What it finds wrong are faults, each with what to do about it.
package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/netif"
)

// Config says what to examine.
type Config struct {
	Interface  string // as for SetInterface
	Port       int    // UDP port of the beacons
	PublicKey  string // of the node's certificate, Z85; "" if it is plain
	SecretKey  string
	Authorized []string // keys that the node lets in
	Restricted bool     // whether it lets only those in
	Hubs       []Hub
	Against    []netip.Addr // look only at this host; none means all
	Target     string       // how Against was written
	Beaconing  bool         // whether the node sends beacons

	// Word pairs this doctor with the one that has the same on another host; "" is none.
	Word     string
	PairPort int           // of UDP and TCP, on both
	PairWait time.Duration // for the other

	// Node is a node with these settings that has not started. Run starts and stops it.
	Node *zyre.Zyre

	// Listen is how long to listen. The whole takes at most 4 s more.
	Listen time.Duration
}

// Hub is a gossip hub that the node is a client of.
type Hub struct {
	Endpoint string
	Key      string // its public key, Z85; "" if it is plain
}

// How long things take at most, beside listening.
const (
	connectTime = 2 * time.Second         // for a TCP connection and a greeting
	pingTime    = 1500 * time.Millisecond // for the answer to a PING
	lookTime    = 50 * time.Millisecond   // between two looks at what was heard
)

// examination is one run.
type examination struct {
	Config
	report *Report
	links  []netif.Link
	host   []netif.Interface
	around []string // what the host is, as far as it matters

	heard  *sightings
	probes *prober

	onOther     func(datagram []byte, from netip.Addr) // takes datagrams that are no beacons; may be nil
	ownEndpoint string                                 // at which this host's node can be reached
}

// Run examines the host and the network. It returns an error only if ctx ends.
func Run(ctx context.Context, c Config) (*Report, error) {
	x := &examination{Config: c, report: &Report{}, heard: &sightings{}, probes: newProber()}
	x.examineHost()
	if err := x.watchNetwork(ctx); err != nil {
		return nil, err
	}
	x.judgeNodes()
	x.judgeNames()
	x.judgeSilence()
	return x.report, nil
}

// watchNetwork listens, with a node that runs, and connects to what is heard.
func (x *examination) watchNetwork(ctx context.Context) error {
	defer x.probes.wait()
	pair := x.openPair()
	defer pair.close()
	stopListening := x.listen()
	defer stopListening()
	if err := x.Node.Start(); err != nil {
		x.judgeStart(err)
		x.collect()
		return ctx.Err()
	}
	defer x.Node.Stop()
	go func() { // ends when the node stops
		for range x.Node.Events() {
			continue
		}
	}()
	hubs := x.openHubs()
	defer hubs.close()
	talked := make(chan struct{})
	talking, hush := context.WithCancel(ctx)
	defer hush()
	if pair == nil {
		close(talked)
	} else {
		pair.running.Go(func() { pair.run(talking, talked) })
	}
	x.hear(ctx, hubs, talked)
	x.probes.wait()
	x.ownEndpoint = x.Node.Endpoint()
	x.collect()
	x.addGossip(hubs)
	x.askNode(ctx)
	x.judgeOwn()
	x.judgeHubs(hubs)
	x.judgePair(pair)
	pair.finish(ctx)
	return ctx.Err()
}

// hear listens, and connects to what is heard, for its time and until the doctors have
// talked.
func (x *examination) hear(ctx context.Context, hubs *hubWatch, talked <-chan struct{}) {
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	for begin, isTalking := time.Now(), true; isTalking || time.Since(begin) < x.Listen; {
		select {
		case <-talked:
			talked, isTalking = nil, false
		case <-ticker.C:
			x.probeAll(hubs)
		}
		if ctx.Err() != nil && !isTalking {
			return
		}
	}
}

// probeAll connects to every port that was advertised and not tried yet.
func (x *examination) probeAll(hubs *hubWatch) {
	for _, s := range x.heard.list() {
		if s.tcpPort != 0 && s.uuid != x.ownUUID() && x.isWanted(s.addr) {
			x.probes.start(netip.AddrPortFrom(s.addr, s.tcpPort))
		}
	}
	for _, endpoint := range hubs.endpoints() {
		if at, ok := tcpAddr(endpoint); ok {
			x.probes.start(at)
		}
	}
	for _, p := range x.Node.PeerList() {
		if at, ok := tcpAddr(p.Endpoint); ok && x.isWanted(at.Addr()) {
			x.probes.start(at)
		}
	}
}

// tcpAddr returns the address in an endpoint of tcp; false for others and for names.
func tcpAddr(endpoint string) (netip.AddrPort, bool) {
	rest, isTCP := strings.CutPrefix(endpoint, "tcp://")
	at, err := netip.ParseAddrPort(rest)
	return at, isTCP && err == nil && at.Port() != 0
}

func (x *examination) ownUUID() string { return x.Node.UUID() }

// isWanted reports whether an address is that of a host to look at.
func (x *examination) isWanted(addr netip.Addr) bool {
	return len(x.Against) == 0 || slices.Contains(x.Against, addr.WithZone(""))
}

// askNode asks the node which peers it has, and pings them.
func (x *examination) askNode(ctx context.Context) {
	x.awaitPeers(ctx)
	type answer struct {
		uuid string
		trip time.Duration
		err  error
	}
	peers := x.Node.PeerList()
	answers := make(chan answer, len(peers))
	waiting, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	for _, p := range peers {
		go func() {
			trip, err := x.Node.Ping(waiting, p.UUID)
			answers <- answer{p.UUID, trip, err}
		}()
	}
	pings := map[string]answer{}
	for range peers {
		a := <-answers
		pings[a.uuid] = a
	}
	for _, p := range peers {
		n := x.report.node(p.UUID)
		if n == nil {
			at, _ := tcpAddr(p.Endpoint)
			if !x.isWanted(at.Addr()) {
				continue
			}
			n = x.report.addNode(p.UUID)
			n.Endpoint, n.Source, n.Secure = p.Endpoint, "message", p.PublicKey != ""
		}
		n.Name, n.Entered, n.Peer = p.Name, true, p.Endpoint
		n.Answered, n.RTT = pings[p.UUID].err == nil, pings[p.UUID].trip
		n.RTTMS = float64(n.RTT.Microseconds()) / 1000
	}
}

// awaitPeers gives nodes that were heard a moment more to enter.
func (x *examination) awaitPeers(ctx context.Context) {
	const patience = time.Second
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	for begin := time.Now(); time.Since(begin) < patience; {
		missing := slices.ContainsFunc(x.report.Nodes, func(n *Node) bool {
			_, entered := x.Node.Peer(n.UUID)
			return !entered && n.Secure == (x.PublicKey != "")
		})
		if !missing {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// collect makes nodes of what was heard.
func (x *examination) collect() {
	for _, s := range x.heard.list() {
		if s.uuid == x.ownUUID() || !x.isWanted(s.addr) {
			continue
		}
		if s.isGoodbye() {
			continue // it has stopped
		}
		n := x.report.node(s.uuid)
		if n == nil {
			n = x.report.addNode(s.uuid)
			n.Source = "beacon"
		}
		n.sightings = append(n.sightings, s)
	}
	for _, n := range x.report.Nodes {
		n.describe(x)
	}
}

// describe says of a node what its best sighting shows: one that the node of this host can
// use, too, if there is any.
func (n *Node) describe(x *examination) {
	best := slices.MaxFunc(n.sightings, func(a, b sighting) int { return x.rank(a) - x.rank(b) })
	n.Address, n.Interface, n.Version, n.Secure = best.addr.String(), best.ifName, int(best.version), best.version == versionSecure
	n.Key, n.UDPPort, n.Age = best.key, best.udpPort, time.Since(best.last)
	n.AgeMS = n.Age.Milliseconds()
	n.Endpoint = fmt.Sprintf("tcp://%s", netip.AddrPortFrom(best.addr, best.tcpPort))
	for _, s := range n.sightings {
		n.Beacons += s.count
	}
	if p, ok := x.probes.result(netip.AddrPortFrom(best.addr, best.tcpPort)); ok {
		n.setProbe(p)
	}
}

func (n *Node) setProbe(p probe) {
	n.TCP, n.Mechanism = p.state, p.mechanism
}

// rank orders the sightings of a node by how good they are.
func (x *examination) rank(s sighting) (rank int) {
	if s.received {
		rank += 8
	}
	if x.isLink(s.ifIndex) {
		rank += 4
	}
	if s.udpPort == x.Port {
		rank += 2
	}
	if p, ok := x.probes.result(netip.AddrPortFrom(s.addr, s.tcpPort)); ok && p.state == tcpOpen {
		rank++
	}
	return rank
}

func (x *examination) isLink(index int) bool {
	return slices.ContainsFunc(x.links, func(l netif.Link) bool { return l.Index == index })
}
