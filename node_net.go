package zyre

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// network is how a node is found and reached: the beacon, the links it is sent
// on, and the endpoints at which the inbox is bound, one for each link. The node
// owns it.
type network struct {
	beacon     *Beacon       // nil if gossip or required peers take its place
	heard      chan struct{} // closed when the goroutine that hears beacons has ended
	port       uint16        // TCP port of the inbox on every link; 0 before it is bound
	lastPort   uint16        // the one before, which peers still know; 0 if there was none
	host       netif.View    // where there is no beacon
	links      []netif.Link
	endpoints  []string             // as bound, or the one that was set
	boundOn    map[bindPlace]string // those of endpoints that are bound on a link
	advertised string               // by the application; may be empty
	watchAt    time.Time
	bindAgain  bool // the inbox could not be bound on the links of now
}

// bindPlace is what a bound socket depends on: it lasts as long as its address and, if
// that is of IPv6, its interface.
type bindPlace struct {
	addr  netip.Addr
	index int
}

func placeOf(l netif.Link) bindPlace {
	if l.Addr.Is4() {
		return bindPlace{addr: l.Addr}
	}
	return bindPlace{l.Addr, l.Index}
}

// beaconing says whether the node sends beacons: setting an endpoint or gossip turns
// them off, calling SetPort keeps them on.
func (c *config) beaconing() bool {
	return c.portSet || c.endpoint == "" && !c.gossip.enabled()
}

// startNetwork starts what finds peers, and binds the inbox on the links chosen.
func (n *node) startNetwork() (err error) {
	if n.cfg.beaconing() {
		err = n.startBeacon()
	} else {
		n.net.links, err = n.net.linksNow(n.cfg.iface)
		if err != nil || n.cfg.endpoint != "" { // it is not looked at again
			n.net.host.Close()
		}
	}
	if err != nil {
		return err
	}
	if err = n.bind(); err == nil {
		err = n.gossip.start(n)
	}
	if err != nil {
		n.net.close(n)
		return err
	}
	n.publish()
	now := time.Now()
	for _, r := range n.cfg.required {
		n.expect(now, r.uuid, &standing{endpoint: r.endpoint, key: r.key, required: true})
	}
	return nil
}

// startBeacon opens the UDP port and learns which links the beacon uses.
func (n *node) startBeacon() error {
	b := newBeacon(beaconConfig{logger: n.log, linkSignals: true, awaitPublish: true, dull: n.knows})
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: n.cfg.iface},
		{ID: "INTERVAL", Payload: n.cfg.interval},
		{ID: "SUBSCRIBE", Payload: "ZRE"},
		{ID: "CONFIGURE", Payload: n.cfg.port},
	} {
		if reply := b.SetBeaconCmd(c); reply.Err != nil {
			b.Close()
			return fmt.Errorf("beacon on UDP port %d: %w", n.cfg.port, reply.Err)
		}
	}
	if links := b.links.Load(); links != nil {
		n.net.links = *links
	}
	n.net.beacon, n.net.heard = b, make(chan struct{})
	go n.hear(b)
	return nil
}

// linksNow chooses links without a beacon.
func (w *network) linksNow(iface string) ([]netif.Link, error) {
	host, err := w.host.Interfaces()
	if err != nil {
		return nil, err
	}
	chosen, err := netif.Choose(iface, host, w.links)
	return chosen.Links, err
}

// watch looks for changes of the links where no beacon does, and binds again what could
// not be bound.
func (n *node) watch(now time.Time) {
	if n.cfg.endpoint != "" || now.Before(n.net.watchAt) {
		return
	}
	n.net.watchAt = now.Add(maxCoarseness)
	if n.net.bindAgain {
		n.rebind()
	}
	if n.net.beacon != nil {
		return
	}
	if links, err := n.net.linksNow(n.cfg.iface); err == nil {
		n.relink(links)
	}
}

// knows says whether a beacon tells nothing new: a peer that has entered is where it
// was. Any goroutine may call it.
func (n *node) knows(s *Signal) bool {
	v, err := parseBeacon(s.Transmit)
	return err == nil && v.port != 0 && n.known.has(v.uuid, beaconEndpoint(s, v))
}

// hear passes on what the beacon signals. It ends when the beacon is closed.
func (n *node) hear(b *Beacon) {
	defer close(n.net.heard)
	for s := range b.Signals {
		if s.Transmit == nil {
			_ = n.outbox.put(call{kind: callSignal, signal: s})
			continue
		}
		if !n.outbox.offer(call{kind: callSignal, signal: s}) {
			b.stats.droppedFull.Add(1)
		}
	}
}

// signal handles what the beacon has heard, or a change of the links.
func (n *node) signal(now time.Time, s *Signal) {
	if s.Transmit == nil {
		n.relink(s.links)
		return
	}
	v, err := parseBeacon(s.Transmit)
	if err != nil || v.secure != n.security.enabled {
		n.counters.badBeacons++
		n.log.Debug("zyre: refused a beacon", "address", s.Addr, "secure", v.secure, "err", err)
		return
	}
	key := ""
	if v.secure {
		key = transport.Z85FromRaw(v.key)
	}
	if v.port != 0 {
		n.sightedWithKey(now, v.uuid, beaconEndpoint(s, v), key)
		return
	}
	if p := n.peers[v.uuid]; p != nil && p.key != key {
		n.refuseKey(now, "goodbye", v.uuid, "", key)
		return
	}
	n.goodbye(now, v.uuid)
}

// beaconEndpoint is where a beacon says its sender can be reached: at the
// datagram's source address and the port in it.
func beaconEndpoint(s *Signal, v beaconView) string {
	return "tcp://" + net.JoinHostPort(s.Addr, strconv.Itoa(int(v.port)))
}

// bind binds the inbox on every link, with one port for all, since the beacon has
// room for one only. Without a link there is nothing to bind yet.
func (n *node) bind() error {
	if n.cfg.endpoint != "" {
		return n.bindEndpoint()
	}
	if len(n.net.links) == 0 {
		n.log.Warn("zyre: no network; waiting for one")
		return nil
	}
	port := "*"
	if known := cmp.Or(n.cfg.peerPort, int(n.net.lastPort)); known != 0 {
		port = strconv.Itoa(known)
	}
	var err error
	for range 5 { // a port that is free on one link may be taken on another
		if err = n.bindAll(port); err == nil {
			return nil
		}
		n.unbind(nil)
		if n.cfg.peerPort != 0 {
			break
		}
		port = "*"
	}
	return err
}

// bindEndpoint binds the inbox where the application said.
func (n *node) bindEndpoint() error {
	if n.security.enabled && strings.HasPrefix(n.cfg.endpoint, "inproc:") {
		return fmt.Errorf("%w: CURVE needs tcp or ipc, not %s", ErrInvalid, n.cfg.endpoint)
	}
	endpoint, err := n.inbox.Bind(n.cfg.endpoint)
	if err != nil {
		return fmt.Errorf("bind inbox on %s: %w", n.cfg.endpoint, err)
	}
	n.net.endpoints = []string{endpoint}
	if ap, err := transport.ParseEndpoint(endpoint); err == nil && ap.IsValid() {
		n.net.port = ap.Port()
	}
	return nil
}

// bindAll binds the inbox on every link, where it is not yet, to a port; "*" is the one
// that the first link finds free.
func (n *node) bindAll(port string) error {
	for _, l := range n.net.links {
		if n.net.boundOn[placeOf(l)] != "" {
			continue
		}
		want := "tcp://" + net.JoinHostPort(l.Addr.String(), port)
		endpoint, err := n.inbox.Bind(want)
		if err != nil {
			return fmt.Errorf("bind inbox on %s: %w", want, err)
		}
		if n.net.boundOn == nil {
			n.net.boundOn = map[bindPlace]string{}
		}
		n.net.boundOn[placeOf(l)] = endpoint
		n.net.endpoints = append(n.net.endpoints, endpoint)
		port = endpoint[strings.LastIndexByte(endpoint, ':')+1:]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	n.net.port, n.net.lastPort = uint16(number), uint16(number)
	return err
}

// unbind takes the inbox off every link but those kept.
func (n *node) unbind(kept []netif.Link) {
	w := &n.net
	for place, e := range w.boundOn {
		if slices.ContainsFunc(kept, func(l netif.Link) bool { return placeOf(l) == place }) {
			continue
		}
		if err := n.inbox.Unbind(e); err != nil {
			n.log.Debug("zyre: unbind", "endpoint", e, "err", err)
		}
		delete(w.boundOn, place)
		w.endpoints = slices.DeleteFunc(w.endpoints, func(o string) bool { return o == e })
	}
	if len(w.boundOn) == 0 {
		w.port = 0
	}
}

// relink follows a change of the host's network: the inbox moves to the new
// addresses and the beacon announces it there. It stays bound where nothing changed,
// and keeps its port if it can, so that peers find it by themselves.
func (n *node) relink(links []netif.Link) {
	if slices.Equal(links, n.net.links) {
		n.publish() // the beacon is silent after a change, and this one was undone
		return
	}
	if n.cfg.endpoint != "" {
		n.net.links = links
		n.publish()
		return
	}
	n.log.Info("zyre: network changed", "from", n.net.links, "to", links)
	n.counters.networkChanges++
	n.unbind(links)
	n.net.links = links
	n.rebind()
}

// rebind binds the inbox on the links of now. What fails is tried again.
func (n *node) rebind() {
	err := n.bind()
	if err != nil && !n.net.bindAgain {
		n.log.Warn("zyre: network changed, trying again", "err", err)
	}
	n.net.bindAgain = err != nil
	if err == nil {
		n.publish()
	}
}

// publish has the beacon and gossip announce the node, once it can be reached.
func (n *node) publish() {
	if n.net.beacon != nil && n.net.port != 0 {
		n.net.command(n, "PUBLISH", n.beaconDatagram(n.net.port))
	}
	n.gossip.publish(n)
}

// beaconDatagram encodes the node's beacon; port 0 is its goodbye.
func (n *node) beaconDatagram(port uint16) []byte {
	msg := newBeaconMsg(n.uuid, port)
	if n.security.enabled {
		raw, _ := transport.RawFromZ85(n.cfg.curve.publicKey)
		msg = newSecureBeaconMsg(n.uuid, port, raw)
	}
	b, err := msg.append(nil)
	if err != nil {
		n.log.Error("zyre: encode the beacon", "err", err)
	}
	return b
}

// command gives the beacon a command.
func (w *network) command(n *node, id string, payload any) {
	if reply := w.beacon.SetBeaconCmd(&Cmd{ID: id, Payload: payload}); reply.Err != nil {
		n.log.Warn("zyre: beacon", "command", id, "err", reply.Err)
	}
}

// close tells the network that the node leaves, and closes the beacon.
func (w *network) close(n *node) {
	w.host.Close()
	if w.beacon == nil {
		return
	}
	if w.port != 0 {
		w.beacon.farewell(n.beaconDatagram(0))
	}
	w.beacon.Close()
	<-w.heard
}

// isOurs says whether an endpoint is one of the node's own.
func (w *network) isOurs(endpoint string) bool {
	if slices.Contains(w.endpoints, endpoint) || w.advertised != "" && w.advertised == endpoint {
		return true
	}
	ap, err := transport.ParseEndpoint(endpoint)
	return err == nil && ap.IsValid() && ap.Port() == w.port &&
		slices.ContainsFunc(w.links, func(l netif.Link) bool { return l.Addr == ap.Addr() })
}

// toward returns the link on which a peer's endpoint can be reached: the one with
// the peer's subnet, else the first.
func (w *network) toward(endpoint string) (i int) {
	host, _, err := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		return 0
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return 0
	}
	i = slices.IndexFunc(w.links, func(l netif.Link) bool {
		return l.Prefix.Contains(addr.WithZone("")) && (addr.Zone() == "" || addr.Zone() == l.Name)
	})
	return max(i, 0)
}

// onLoopback says whether one of the links is the loopback interface.
func (w *network) onLoopback() bool {
	return slices.ContainsFunc(w.links, func(l netif.Link) bool { return l.Addr.IsLoopback() })
}

// cutOff says whether there is no network on which a peer could be reached: a HELLO
// would arrive later, and tell an endpoint that is of no use to the peer.
func (w *network) cutOff(endpoint string) bool {
	ap, err := transport.ParseEndpoint(endpoint)
	if err != nil || !ap.IsValid() || ap.Addr().IsLoopback() {
		return false
	}
	return !slices.ContainsFunc(w.links, func(l netif.Link) bool { return !l.Addr.IsLoopback() })
}

// announced returns the endpoint at which a peer can reach this node: the one the
// application advertises, the one it set, or the one on the peer's network. The zone of
// an IPv6 address means nothing to others and is left out. It is empty while there is
// no network.
func (w *network) announced(n *node, peer string) string {
	if w.advertised != "" {
		return w.advertised
	}
	var addr netip.Addr
	if n.cfg.endpoint != "" {
		ap, err := transport.ParseEndpoint(w.endpoints[0])
		if err != nil || !ap.IsValid() {
			return w.endpoints[0] // ipc or inproc
		}
		addr = ap.Addr()
	}
	if !addr.IsValid() || addr.IsUnspecified() {
		i := w.toward(peer)
		if i >= len(w.links) {
			return ""
		}
		addr = w.links[i].Addr
	}
	if w.port == 0 {
		return ""
	}
	return "tcp://" + net.JoinHostPort(addr.WithZone("").String(), strconv.Itoa(int(w.port)))
}

// helloTo makes the HELLO for a peer.
func (n *node) helloTo(p *Peer) *ZreMsg {
	return &ZreMsg{
		id: HelloID, Endpoint: n.net.announced(n, p.endpoint), Groups: n.ownGroups(), Status: n.status,
		Name: n.cfg.name, Headers: n.cfg.headers,
	}
}

var errUnreachable = errors.New("zyre: endpoint can't be reached")

// helloEndpoint returns where a HELLO, or gossip, says a node can be reached, in the form
// in which endpoints are compared. An IPv6 link-local address gets our zone. A host
// name comes back as it is, with transport.ErrNeedsLookup. Local endpoints are taken only by a
// node whose application uses such itself: else a stranger could make it knock at any
// socket of this host.
func (n *node) helloEndpoint(endpoint string) (string, error) {
	ap, err := transport.ParseEndpoint(endpoint)
	addr := ap.Addr().Unmap()
	switch {
	case err != nil:
		return endpoint, err
	case !ap.IsValid() && n.cfg.local():
		return endpoint, nil
	case !addr.IsValid(), addr.Zone() != "", addr.IsUnspecified(), addr.IsMulticast(),
		addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "", errUnreachable
	}
	if addr.IsLoopback() && !n.cfg.local() && !n.net.onLoopback() {
		return "", errUnreachable // it is on this host, or has no network
	}
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		if len(n.net.links) != 1 {
			return "", errUnreachable // on which link, its beacon will tell
		}
		addr = addr.WithZone(n.net.links[0].Name)
	}
	return "tcp://" + netip.AddrPortFrom(addr, ap.Port()).String(), nil
}

// local says whether the application uses an endpoint that only this host can reach.
func (c *config) local() bool {
	used := append([]string{c.endpoint, c.advertised}, c.gossip.binds...)
	for _, h := range c.gossip.hubs {
		used = append(used, h.endpoint)
	}
	for _, r := range c.required {
		used = append(used, r.endpoint)
	}
	return slices.ContainsFunc(used, transport.IsLocal)
}
