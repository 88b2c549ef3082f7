package zyre

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// simNode is a host that runs a node of ours.
type simNode struct {
	simSite
	n       *node
	born    int // tells the processes of one UUID apart
	told    map[[16]byte]int
	peers   map[string]*simWatch
	history []string // events but messages
	deaf    bool     // the application does not read its events
	leaders simLeaders
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
	if change != nil {
		change(&cfg, &h.simSite)
	}
	h.n = newNode(h.uuid, cfg, &simTransport{s, &h.simSite}, newEventQueue(newEventChannel(), cfg.queueLimit))
	h.n.outbox = newOutbox(func() {})
	ap := netip.MustParseAddrPort(strings.TrimPrefix(h.endpoint, "tcp://"))
	h.n.net.links = []netif.Link{{Name: "sim", Addr: ap.Addr(), Prefix: netip.PrefixFrom(ap.Addr(), 24).Masked()}}
	h.n.net.endpoints, h.n.net.port = []string{h.endpoint}, ap.Port()
	s.add(h)
	return h
}

// nodes starts some nodes with the default configuration.
func (s *sim) nodes(count int) []*simNode {
	var list []*simNode
	for range count {
		list = append(list, s.node(nil))
	}
	return list
}

// simTransport gives a node its connections.
type simTransport struct {
	net   *sim
	owner *simSite
}

func (tr *simTransport) Listen(transport.ListenOptions) (transport.Inbox, error) {
	return nil, transport.ErrAgain
}
func (tr *simTransport) Close() error { return nil }
func (tr *simTransport) Dial(endpoint string, _ transport.DialOptions) (transport.Mailbox, error) {
	return tr.net.dial(tr.owner, endpoint), nil
}

func (h *simNode) take(from [16]byte, header []byte, frames [][]byte) {
	h.n.receive(h.net.now, &transport.Packet{From: appendIdentity(nil, from), Header: header, Frames: frames})
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

func (h *simNode) sight(uuid [16]byte, endpoint string) {
	if !h.n.known.has(uuid, endpoint) {
		h.n.sighted(h.net.now, uuid, endpoint)
		h.turn()
	}
}

func (h *simNode) bye(uuid [16]byte) {
	h.n.goodbye(h.net.now, uuid)
	h.turn()
}

// awaited says whether something lies in the inbox of h.
func (s *sim) awaited(h *simNode) bool {
	return slices.ContainsFunc(s.deliverable(), func(c *simConn) bool { return s.host(c.to) == simHost(h) })
}

// turn is one round of node.run without its reading.
func (h *simNode) turn() {
	n := h.n
	if n.events.full() {
		n.pause()
	}
	if n.electing {
		n.elect(h.net.now)
	}
	n.unclog(h.net.now)
	if !h.net.now.Before(n.tickAt) {
		n.tick(h.net.now)
	}
	n.events.pump()
	n.resume()
	if n.blind > 0 && !n.paused && !h.net.awaited(h) {
		n.caughtUp(h.net.now)
	}
	for !h.deaf && len(n.events.ch) > 0 {
		h.see(<-n.events.ch)
		n.events.pump()
	}
	if err := simInvariants(n); err != nil {
		h.net.fatalf("%s: %v", simName(h.uuid), err)
	}
}

func (h *simNode) thaw(frozenFor time.Duration) {
	if frozenFor > h.n.coarse {
		h.n.excuse(frozenFor)
	}
}

// see checks one event against what the application has seen before.
func (h *simNode) see(e *Event) {
	h.seeLeader(e)
	if e.Type == eventLeader {
		return
	}
	w := h.peers[e.PeerUUID]
	if w == nil {
		w = &simWatch{}
		w.uuid, _ = parseUUID(e.PeerUUID)
		h.peers[e.PeerUUID] = w
	}
	if e.Type == eventWhisper {
		w.whispers++
	} else {
		h.history = append(h.history, strings.TrimSpace(e.Type+" "+e.PeerUUID[:4]+" "+e.Group))
		h.net.note("%s sees %s", simName(h.uuid), h.history[len(h.history)-1])
	}
	if w.here == (e.Type == eventEnter) {
		h.net.fatalf("%s: %s of %s, here %t", simName(h.uuid), e.Type, e.PeerUUID[:4], w.here)
	}
	switch e.Type {
	case eventEnter:
		w.here, w.born = true, 0
		w.enters++
	case eventExit:
		w.here = false
	case eventWhisper:
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
	if p := h.n.peers[to]; p == nil || !p.entered() {
		return
	}
	h.told[to]++
	h.whisperText(to, fmt.Sprintf("w %d %d", h.born, h.told[to]))
}

func (h *simNode) whisperText(to [16]byte, text string) *receipt {
	r := newReceipt()
	h.n.handle(h.net.now, []call{{kind: callWhisper, peer: to, payload: []byte(text), receipt: r}})
	h.turn()
	return r
}

func (h *simNode) join(group string) {
	h.n.join(h.net.now, group)
	h.turn()
}

func (h *simNode) leave(group string) {
	h.n.leave(h.net.now, group)
	h.turn()
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
	entered, clogged := 0, 0
	for id, p := range n.peers {
		switch {
		case p.uuid != id:
			return fmt.Errorf("peer %s filed under %s", simName(p.uuid), simName(id))
		case p.state == peerWaiting && p.mailbox != nil:
			return fmt.Errorf("waiting peer %s has a mailbox", simName(id))
		case p.state != peerWaiting && p.mailbox == nil:
			return fmt.Errorf("%s peer %s has no mailbox", p.state, simName(id))
		case p.state != peerWaiting && n.addressed[p.endpoint] != p:
			return fmt.Errorf("%s peer %s is not at its address", p.state, simName(id))
		case p.entered() && !n.known.has(id, p.endpoint):
			return fmt.Errorf("peer %s entered, but is not known", simName(id))
		case p.clogged() != n.slow[p]:
			return fmt.Errorf("peer %s clogged %t, slow %t", simName(id), p.clogged(), n.slow[p])
		case !p.entered() && len(p.groups) > 0:
			return fmt.Errorf("%s peer %s in groups", p.state, simName(id))
		}
		if p.entered() {
			entered++
		}
		if p.clogged() {
			clogged++
		}
		for name, g := range p.groups {
			if n.groups[name] != g || !slices.Contains(g.peers, p) {
				return fmt.Errorf("group %s does not hold peer %s", name, simName(id))
			}
		}
	}
	return simTables(n, entered, clogged)
}

// simTables checks the tables that point into the peers.
func simTables(n *node, entered, clogged int) error {
	if n.known.len() != entered || len(n.slow) != clogged {
		return fmt.Errorf("%d entered, %d known; %d clogged, %d slow", entered, n.known.len(), clogged, len(n.slow))
	}
	for endpoint, p := range n.addressed {
		if n.peers[p.uuid] != p || p.endpoint != endpoint {
			return fmt.Errorf("%s is the address of a peer that is gone", endpoint)
		}
	}
	for name, g := range n.groups {
		if len(g.peers) == 0 {
			return fmt.Errorf("group %s is empty", name)
		}
		for _, p := range g.peers {
			if n.peers[p.uuid] != p || p.groups[name] != g {
				return fmt.Errorf("group %s holds %s, which is gone", name, simName(p.uuid))
			}
		}
	}
	for id := range n.outbox.peerGates {
		if p := n.peers[id]; p == nil || !p.clogged() {
			return fmt.Errorf("gate of %s is shut", simName(id))
		}
	}
	for name := range n.outbox.groupGates {
		if g := n.groups[name]; g == nil || !g.clogged() {
			return fmt.Errorf("gate of group %s is shut", name)
		}
	}
	return nil
}
