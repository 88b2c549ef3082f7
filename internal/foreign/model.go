package foreign

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Port is the world of a model: it carries out what the model decides. The model
// calls it while it handles an input; the port must not call the model back.
type Port interface {
	// Dial opens a fresh connection to a peer. The model has closed the one before.
	Dial(peer [16]byte, endpoint string) error
	// Send sends a message on the connection to a peer.
	Send(peer [16]byte, header []byte, frames [][]byte)
	// Close drops the connection to a peer, and what was not sent yet.
	Close(peer [16]byte)
	// Event tells the application of the model.
	Event(e Event)
}

// The types of events. CRASH is not one of an implementation: it says that the
// process would be dead, or hang, from here on.
const (
	Enter   = "ENTER"
	Exit    = "EXIT"
	Join    = "JOIN"
	Leave   = "LEAVE"
	Whisper = "WHISPER"
	Shout   = "SHOUT"
	Evasive = "EVASIVE"
	Silent  = "SILENT"
	Leader  = "LEADER"
	Crashed = "CRASH"
)

// An Event is what the application of a model sees.
type Event struct {
	Type    string   // Enter, Exit, …
	Peer    [16]byte // for LEADER the leader
	Name    string   // of the peer, "" before its HELLO
	Group   string   // JOIN, LEAVE, SHOUT, LEADER
	Headers []Header // ENTER
	Content [][]byte // WHISPER, SHOUT
	Reason  string   // CRASH
}

// Config says who a model is.
type Config struct {
	Kind     Kind     // the implementation
	UUID     [16]byte // of the model
	Endpoint string   // of its mailbox, for HELLO
	Name     string   // for HELLO
	Headers  []Header // for HELLO

	// RoutingByte comes before the UUID in the routing id, 0 for the usual 1;
	// haskell-zre has the character '1'.
	RoutingByte byte
	// Gossip says that it found its peers by gossip, without beacons: then libzyre
	// says GOODBYE and honours it.
	Gossip           bool
	Evasive, Expired time.Duration // 0: as the implementation has it
}

// A Model behaves as one implementation of ZRE does. It is not safe for concurrent
// use.
type Model struct {
	cfg    Config
	traits Traits
	port   Port

	peers     []*peer // in the order of their making
	groups    []string
	status    int
	reapAt    time.Time
	elections []*election
	crashed   bool
}

// peer is another node, from its first beacon or HELLO on.
type peer struct {
	uuid       [16]byte
	endpoint   string
	connected  bool
	ready      bool // it has said HELLO
	entered    bool // ENTER was reported
	name       string
	status     uint8
	groups     []string
	sent, want uint16 // the last sequence number sent; the next one expected
	heardAt    time.Time
	pings      int // since heardAt
}

// New makes a model. It fails only if the kind is unknown.
func New(cfg Config, port Port) (*Model, error) {
	t, err := TraitsOf(cfg.Kind)
	if err != nil {
		return nil, err
	}
	if cfg.Evasive > 0 {
		t.Evasive = cfg.Evasive
	}
	if cfg.Expired > 0 {
		t.Expired = cfg.Expired
	}
	if cfg.RoutingByte == 0 {
		cfg.RoutingByte = 1
	}
	return &Model{cfg: cfg, traits: t, port: port}, nil
}

// Traits tells how the model behaves.
func (m *Model) Traits() Traits { return m.traits }

// RoutingID is the identity of the model's connections.
func (m *Model) RoutingID() []byte { return append([]byte{m.cfg.RoutingByte}, m.cfg.UUID[:]...) }

// HasCrashed reports whether something that came has ended the process.
func (m *Model) HasCrashed() bool { return m.crashed }

// HasEntered reports whether the application sees a peer.
func (m *Model) HasEntered(uuid [16]byte) bool {
	p := m.find(uuid)
	return p != nil && p.entered
}

// Knows reports whether there is a peer, entered or not.
func (m *Model) Knows(uuid [16]byte) bool { return m.find(uuid) != nil }

// State is what the model holds of its peers, as text: equal if all that follows is equal.
func (m *Model) State(now time.Time) string {
	var b strings.Builder
	fmt.Fprint(&b, m.groups, m.status, m.crashed, now.Sub(m.reapAt))
	for _, p := range m.peers {
		fmt.Fprint(&b, p.uuid, p.endpoint, p.connected, p.ready, p.entered, p.sent, p.want, now.Sub(p.heardAt), p.pings)
	}
	return b.String()
}

// Peers lists the peers that have entered, in the order in which they were found.
func (m *Model) Peers() [][16]byte {
	var list [][16]byte
	for _, p := range m.peers {
		if p.entered {
			list = append(list, p.uuid)
		}
	}
	return list
}

// Beacon tells the model of a beacon. Its own is known by its endpoint; a beacon of
// another process under its UUID is not, and it connects to that.
func (m *Model) Beacon(now time.Time, uuid [16]byte, endpoint string) {
	if m.crashed || uuid == m.cfg.UUID && endpoint == m.cfg.Endpoint {
		return
	}
	p := m.require(now, uuid, endpoint)
	if p != nil && m.traits.BeaconRefreshes {
		p.refresh(now)
	}
	m.lookAtMembers()
}

// Goodbye tells the model of a beacon with port 0.
func (m *Model) Goodbye(uuid [16]byte) {
	if m.crashed {
		return
	}
	switch p := m.find(uuid); {
	case p != nil:
		m.remove(p)
	case m.traits.UnknownGoodbye:
		m.port.Event(Event{Type: Exit, Peer: uuid})
	}
	m.lookAtMembers()
}

// Tick pings and expires peers, if it is time to.
func (m *Model) Tick(now time.Time) {
	if m.crashed || now.Before(m.reapAt) {
		return
	}
	if !m.traits.PingOnce {
		m.reapAt = now.Add(min(time.Second, m.traits.Evasive, m.traits.Expired))
	}
	for _, p := range slices.Clone(m.peers) {
		switch {
		case m.past(now, p.heardAt.Add(m.traits.Expired)):
			m.remove(p)
		case m.past(now, p.heardAt.Add(m.traits.Evasive)):
			m.ping(p)
		}
	}
	m.lookAtMembers()
}

func (m *Model) past(now, due time.Time) bool {
	if m.traits.WholeSeconds {
		return now.Unix() >= due.Unix()
	}
	return !now.Before(due)
}

func (m *Model) ping(p *peer) {
	if m.traits.PingOnce && p.pings > 0 {
		return
	}
	p.pings++
	m.send(p, Message{ID: PingID})
	if m.traits.EvasiveEvents {
		m.report(p, Event{Type: Evasive})
		if p.pings > 1 {
			m.report(p, Event{Type: Silent})
		}
	}
}

// Stop closes all connections, without events. The driver sends the last beacon, if
// the traits say that there is one.
func (m *Model) Stop() {
	for _, p := range m.peers {
		if m.cfg.Gossip && m.traits.LastID >= GoodbyeID && !m.crashed {
			m.send(p, Message{ID: GoodbyeID})
		}
		m.disconnect(p)
	}
	m.peers = nil
}

// Forget removes a peer and connects to it again, as after its expiry and its next
// beacon. It does nothing if there is no such peer.
func (m *Model) Forget(now time.Time, uuid [16]byte) {
	p := m.find(uuid)
	if p == nil || m.crashed {
		return
	}
	m.remove(p)
	m.require(now, uuid, p.endpoint)
	m.lookAtMembers()
}

func (m *Model) find(uuid [16]byte) *peer {
	for _, p := range m.peers {
		if p.uuid == uuid {
			return p
		}
	}
	return nil
}

// require returns a peer. If it has to make it, it opens a connection and says HELLO.
// It returns nil if the endpoint cannot be connected to.
func (m *Model) require(now time.Time, uuid [16]byte, endpoint string) *peer {
	if p := m.find(uuid); p != nil {
		return p
	}
	m.purge(endpoint)
	if !canConnect(endpoint) || m.port.Dial(uuid, endpoint) != nil {
		if m.traits.BadEndpoint == Crash {
			m.crash("connect to " + endpoint)
		}
		return nil
	}
	p := &peer{uuid: uuid, endpoint: endpoint, connected: true, want: 1, heardAt: now}
	m.peers = append(m.peers, p)
	m.send(p, m.Hello())
	return p
}

// purge ends what was at an endpoint before.
func (m *Model) purge(endpoint string) {
	for _, p := range slices.Clone(m.peers) {
		switch {
		case p.endpoint != endpoint || !p.connected:
		case m.traits.SameEndpoint == Accept:
			m.disconnect(p)
			p.ready = false
		case m.traits.SameEndpoint == Remove:
			m.remove(p)
		}
	}
}

func (m *Model) disconnect(p *peer) {
	if p.connected {
		m.port.Close(p.uuid)
		p.connected = false
	}
}

// remove forgets a peer. All implementations report EXIT, also of a peer that never
// entered.
func (m *Model) remove(p *peer) {
	m.disconnect(p)
	m.peers = slices.DeleteFunc(m.peers, func(o *peer) bool { return o == p })
	m.report(p, Event{Type: Exit})
}

func (m *Model) report(p *peer, e Event) {
	e.Peer, e.Name = p.uuid, p.name
	m.port.Event(e)
}

// crash ends the model: it hears and does nothing more.
func (m *Model) crash(reason string) {
	m.crashed = true
	m.port.Event(Event{Type: Crashed, Reason: reason})
}

func (p *peer) refresh(now time.Time) { p.heardAt, p.pings = now, 0 }
