package zyre

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// simNode is a host that runs a node of ours.
type simNode struct {
	simSite
	n         *node
	inbox     simInbox
	wake      time.Time // when the node wants to work again
	unchecked bool      // do not compare its tables after each turn
	born      int       // tells the processes of one UUID apart
	told      map[[16]byte]int
	peers     map[string]*simWatch
	history   []string // events but messages
	deaf      bool     // the application does not read its events
	leaders   simLeaders
}

// simWatch is what the application has seen of one peer.
type simWatch struct {
	uuid         [16]byte
	here         bool
	enters       int
	born, number int // of the last whisper
	whispers     int
}

// node starts a node; change may alter its configuration and site first.
func (s *sim) node(change func(cfg *config, site *simSite)) *simNode {
	h := &simNode{simSite: s.site(), told: map[[16]byte]int{}, peers: map[string]*simWatch{}}
	h.born = s.made
	cfg := defaultConfig()
	cfg.evasive, cfg.expired = defaultEvasive, defaultExpired
	if s.window > 0 {
		cfg.window = s.window
	}
	if change != nil {
		change(&cfg, &h.simSite)
	}
	for _, o := range s.hosts {
		if at := o.base().endpoint; s.requires && at != h.endpoint {
			cfg.require(requiredPeer{uuid: seedUUID(at), endpoint: at, seed: true})
		}
	}
	cfg.iface, cfg.name = simInterface, simName(h.uuid)
	h.inbox.host = h
	h.n = newNode(h.uuid, cfg, seams{
		transport: &simTransport{s, h}, interfaces: h.interfaces,
		openGossip: func(string, *config, *transport.Policy, *slog.Logger) (*gossiping, error) { return nil, nil },
	}, newEventQueue(newEventChannel(), cfg.queueLimit))
	if err := h.n.start(s.now); err != nil {
		s.fatalf("start: %v", err)
	}
	s.add(h)
	h.turn()
	return h
}

// simInterface is the one interface of each host.
const simInterface = "sim"

func (h *simNode) interfaces() ([]netif.Interface, error) {
	ap := netip.MustParseAddrPort(strings.TrimPrefix(h.endpoint, "tcp://"))
	return []netif.Interface{{
		Name: simInterface, Index: 1, Flags: net.FlagUp | net.FlagBroadcast,
		Prefixes: []netip.Prefix{netip.PrefixFrom(ap.Addr(), 24)},
	}}, nil
}

// nodes starts some nodes with the default configuration.
func (s *sim) nodes(count int) []*simNode {
	var list []*simNode
	for range count {
		list = append(list, s.node(nil))
	}
	return list
}

// simTransport gives a node its inbox and its connections.
type simTransport struct {
	net   *sim
	owner *simNode
}

func (tr *simTransport) Listen(transport.ListenOptions) (transport.Inbox, error) {
	return &tr.owner.inbox, nil
}

func (tr *simTransport) Dial(endpoint string, _ transport.DialOptions) (transport.Mailbox, error) {
	return tr.net.dial(&tr.owner.simSite, endpoint), nil
}

func (tr *simTransport) Close() error { return nil }

// simInbox holds what the simulation has handed over and the node has not read.
type simInbox struct {
	host  *simNode
	queue []transport.Packet
}

// Recv says ErrNotPolled as long as something is on its way that could be handed over.
func (in *simInbox) Recv(p *transport.Packet) error {
	switch {
	case len(in.queue) > 0:
		*p = in.queue[0]
		in.queue = in.queue[1:]
		return nil
	case in.host.net.awaited(in.host):
		return transport.ErrNotPolled
	}
	return transport.ErrAgain
}

func (in *simInbox) Bind(string) (string, error) { return in.host.endpoint, nil }
func (in *simInbox) Unbind(string) error         { return nil }
func (in *simInbox) StopOffering()               {}
func (in *simInbox) Guard() *transport.Guard     { return nil }
func (in *simInbox) Wait(time.Time)              {}
func (in *simInbox) Wake()                       {}
func (in *simInbox) Close() error                { return nil }

func (h *simNode) take(from [16]byte, header []byte, frames [][]byte) {
	h.inbox.queue = append(h.inbox.queue, transport.Packet{
		From: appendIdentity(nil, from), Header: header, Frames: frames, Address: thisHost,
	})
	h.turn()
}

// hear gives the node a message that no host sent.
func (h *simNode) hear(from [16]byte, sequence uint16, m *ZreMsg) {
	m.sequence = sequence
	header, err := m.append(nil)
	if err != nil {
		h.net.fatalf("encode %d: %v", m.id, err)
	}
	h.take(from, header, m.content())
}

// hello makes a HELLO as a stranger would send it.
func simHello(endpoint string, groups ...string) *ZreMsg {
	return &ZreMsg{id: HelloID, Endpoint: endpoint, Groups: groups, Status: byte(len(groups)), Name: "stranger"}
}

func (h *simNode) sight(uuid [16]byte, endpoint string) { h.hearBeacon(uuid, endpoint, false) }

func (h *simNode) bye(uuid [16]byte) { h.hearBeacon(uuid, "tcp://10.0.0.1:0", true) }

func (h *simNode) hearBeacon(uuid [16]byte, endpoint string, goodbye bool) {
	at := netip.MustParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	if goodbye {
		at = netip.AddrPortFrom(at.Addr(), 0)
	}
	h.do(command{kind: cmdTake, news: sighting{beaconOrigin: beaconOrigin{uuid, at}}})
}

// do gives the node a command and lets it work.
func (h *simNode) do(c command) {
	_ = h.n.commands.put(c)
	h.turn()
}

// awaited says whether something lies in the inbox of h.
func (s *sim) awaited(h *simNode) bool {
	return slices.ContainsFunc(s.deliverable(), func(c *simConn) bool { return s.host(c.to) == simHost(h) })
}

// turn lets the node work until it would sleep, and the application read its events.
func (h *simNode) turn() {
	for again := true; again; {
		again = h.n.step(h.net.now)
		h.wake = h.n.plan(h.net.now, again)
		for !h.deaf && len(h.n.events.ch) > 0 {
			h.see(<-h.n.events.ch)
			again = true
		}
	}
	if h.unchecked {
		return
	}
	if err := simInvariants(h.n); err != nil {
		h.net.fatalf("%s: %v", simName(h.uuid), err)
	}
}

func (h *simNode) wakeAt() time.Time { return h.wake }

// see checks one event against what the application has seen before.
func (h *simNode) see(e *Event) {
	h.seeLeader(e)
	if e.Type == EventLeader {
		return
	}
	w := h.peers[e.PeerUUID]
	if w == nil {
		w = &simWatch{}
		w.uuid, _ = parseUUID(e.PeerUUID)
		h.peers[e.PeerUUID] = w
	}
	if e.Type == EventWhisper {
		w.whispers++
		h.delivered(string(e.Msg))
	} else {
		h.history = append(h.history, strings.TrimSpace(e.Type+" "+e.PeerUUID[:4]+" "+e.Group))
		h.net.note("%s sees %s %s", simName(h.uuid), h.history[len(h.history)-1], e.Reason)
	}
	if w.here == (e.Type == EventEnter) {
		h.net.fatalf("%s: %s of %s, here %t", simName(h.uuid), e.Type, e.PeerUUID[:4], w.here)
	}
	switch e.Type {
	case EventEnter:
		w.here, w.born = true, 0
		w.enters++
	case EventExit:
		w.here = false
		h.exits[w.uuid]++
	case EventWhisper:
		var born, number int
		if _, err := fmt.Sscanf(string(e.Msg), "w %d %d", &born, &number); err != nil {
			return
		}
		if c := h.router[w.uuid]; c != nil && c.headless || h.net.forged {
			w.born = 0
		}
		if w.born != 0 && (born != w.born || number != w.number+1) {
			h.net.fatalf("%s: whisper %d/%d of %s after %d/%d, no EXIT between",
				simName(h.uuid), born, number, e.PeerUUID[:4], w.born, w.number)
		}
		w.born, w.number = born, number
	}
}

// whisper sends the next numbered whisper, if the peer is here.
func (h *simNode) whisper(to [16]byte) {
	if p := h.n.zre.peers[to]; p == nil || !p.isEntered() {
		return
	}
	h.told[to]++
	l := h.net.post(h, to, fmt.Sprintf("w %d %d", h.born, h.told[to]))
	l.outcome = h.whisperText(to, h.net.pad(l.text, h.net.rng.Intn))
}

func (h *simNode) whisperText(to [16]byte, text string) *outcome {
	o := newOutcome()
	h.do(command{kind: cmdWhisper, message: message{peer: to, payload: []byte(text), receipt: o.receipt}})
	return o
}

func (h *simNode) join(group string) {
	h.do(command{kind: cmdTake, news: func(now time.Time) { h.n.zre.join(now, group) }})
}

func (h *simNode) leave(group string) {
	h.do(command{kind: cmdTake, news: func(now time.Time) { h.n.zre.leave(now, group) }})
}

// sees lists the peers that the application believes to be here.
func (h *simNode) sees() []string {
	var ids []string
	for id, w := range h.peers {
		if w.here {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// count counts the events of a type about a peer.
func (h *simNode) count(kind string, peer [16]byte) (n int) {
	for _, line := range h.history {
		if strings.HasPrefix(line+" ", kind+" "+simName(peer)+" ") {
			n++
		}
	}
	return n
}

// simInvariants checks that a node's tables agree with each other.
func simInvariants(n *node) error {
	z := n.zre
	entered, blocked := 0, 0
	for id, p := range z.peers {
		held := p.handshake.state == helloHeld
		switch {
		case p.uuid != id:
			return fmt.Errorf("peer %s filed under %s", simName(p.uuid), simName(id))
		case held != (p.mailbox == nil):
			return fmt.Errorf("peer %s: HELLO %s, mailbox %t", simName(id), p.handshake.state, p.mailbox != nil)
		case !held && z.addressed[p.endpoint] != p:
			return fmt.Errorf("peer %s is not at its address", simName(id))
		case p.backlog.isBlocked() != z.blocked[p]:
			return fmt.Errorf("peer %s blocked %t, listed %t", simName(id), p.backlog.isBlocked(), z.blocked[p])
		case p.isEntered() != (p.halfOpen == nil), p.isEntered() && p.held != nil:
			return fmt.Errorf("peer %s: HELLO %s, half-open %t, held %t", simName(id), p.handshake.state, p.halfOpen != nil, p.held != nil)
		case p.backlog.queue.Len() > 0 != (p.intake != nil):
			return fmt.Errorf("%d messages wait for peer %s, and its intake is watched: %t", p.backlog.queue.Len(), simName(id), p.intake != nil)
		case !p.isEntered() && len(p.groups) > 0:
			return fmt.Errorf("peer %s has not entered, but is in groups", simName(id))
		case (p.presence.state == presenceAlive) && p.presence.isPinged():
			return fmt.Errorf("peer %s alive, but pinged", simName(id))
		}
		if p.isEntered() {
			entered++
		}
		if p.backlog.isBlocked() {
			blocked++
		}
		for name, g := range p.groups {
			if z.groups[name] != g || !slices.Contains(g.peers, p) {
				return fmt.Errorf("group %s does not hold peer %s", name, simName(id))
			}
		}
	}
	if z.entered != entered || len(z.blocked) != blocked {
		return fmt.Errorf("%d entered, %d counted; %d blocked, %d listed", entered, z.entered, blocked, len(z.blocked))
	}
	return simTables(n)
}

// simTables checks the tables that point into the peers.
func simTables(n *node) error {
	z := n.zre
	for endpoint, p := range z.addressed {
		if z.peers[p.uuid] != p || p.endpoint != endpoint {
			return fmt.Errorf("%s is the address of a peer that is gone", endpoint)
		}
	}
	for name, g := range z.groups {
		if len(g.peers) == 0 {
			return fmt.Errorf("group %s is empty", name)
		}
		for _, p := range g.peers {
			if z.peers[p.uuid] != p || p.groups[name] != g {
				return fmt.Errorf("group %s holds %s, which is gone", name, simName(p.uuid))
			}
		}
	}
	for id := range n.commands.blockedPeers {
		if p := z.peers[id]; p == nil || p.backlog.queue.Len() == 0 || z.lettingGo {
			return fmt.Errorf("senders to %s wait for nothing", simName(id))
		}
	}
	for name := range n.commands.blockedGroups {
		if g := z.groups[name]; g == nil || !slices.ContainsFunc(g.peers, z.holdsShouts) || !z.blockedGroups[name] {
			return fmt.Errorf("senders to group %s wait for nothing", name)
		}
	}
	return nil
}

// simStranger makes a node and a peer in it that is no host.
func simStranger(tb testing.TB) (*sim, *simNode, [16]byte) {
	s := newSim(tb, 1)
	a := s.node(nil)
	peer := [16]byte{1}
	a.hear(peer, 1, simHello("tcp://10.0.0.9:9"))
	return s, a, peer
}
