package zyre

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/ratelimit"
	"github.com/go-zyre/zyre/internal/transport"
)

// peer is another node as the protocol knows it. The exported [Peer] is for programs
// that speak ZRE by themselves.
type peer struct {
	uuid     [16]byte
	id       string // uuid as 32 upper-case hexadecimal digits
	key      string // its CURVE public key, Z85; empty on a plain network
	endpoint string // where we connect to; empty while that is not known

	// what its last HELLO said, and what followed
	name          string
	headers       map[string]string
	helloEndpoint string
	from          netip.Addr        // of the host that it came from; invalid by ZMTP 1 and 2
	groups        map[string]*group // nil if it was in none
	groupBytes    int               // of their names
	status        byte              // its count of joins and leaves
	routingByte   byte              // the first of the routing id that it is heard under

	handshake handshake
	presence  presence
	pings     pings
	progress  *progress            // nil: there was no look in this silence
	probe     *probe               // nil: no suspicion
	triedAt   map[string]time.Time // hosts at which it was looked for in vain, at most maxTriedHosts; nil if one
	held      *heldHello           // what a peer in helloHeld or helloUnconfirmed said; nil: nothing
	claimant  *peer                // another node that claims the same endpoint; it gets it if the probe fails

	in             sequenceIn
	sentSinceHello bool      // it was sent more than HELLO and pings on this connection
	goodbyeWaits   bool      // a goodbye beacon came before what it had sent was read
	seedTests      seedTests // of a seed: whether a peer that has entered is there

	out     sequenceOut
	conn    transport.Conn    // that it is heard on
	mailbox transport.Mailbox // nil in helloHeld
	window  window
	backlog backlog
	intake  *intake // nil: it takes what it is sent
	batch   batch

	halfOpen    *halfOpen // nil while the application knows it
	enteredAt   time.Time
	restartedAt time.Time // when it last restarted its session
	receivedAt  time.Time // its last message other than HELLO, PING and PING-OK; zero: none since it entered
	spokeAt     time.Time // our last message of any kind

	received, sent uint64 // messages, for Stats

	viewAnswers *ratelimit.Bucket // how often it is told this node's view; nil: it has not asked
}

// hello is what a peer says of itself in HELLO.
type hello struct {
	endpoint string // as it came
	name     string
	headers  map[string]string
	groups   []string
	status   byte

	routingByte byte           // the first of the routing id under which it came
	conn        transport.Conn // that it came on
	from        netip.Addr     // of the host that it came from; invalid by ZMTP 1 and 2
}

// hasCome reports whether there is one: a peer in helloHeld may be known by its beacon alone.
func (h hello) hasCome() bool { return h.headers != nil }

// heldHello is the HELLO of a peer that has not entered yet, and what is done about it.
type heldHello struct {
	hello
	lookUps  int // of the host name in endpoint
	lookUpAt time.Time
	suspects []*peer // of a peer in helloHeld: the seeds that it may be at, still to be tested
}

// hold keeps a HELLO until the peer enters.
func (p *peer) hold(its hello) {
	if p.held == nil {
		p.held = &heldHello{}
	}
	p.held.hello = its
}

// said returns the HELLO that is held, or the zero hello.
func (p *peer) said() hello {
	if p.held == nil {
		return hello{}
	}
	return p.held.hello
}

// newPeer makes a peer that is not connected.
func (z *zre) newPeer(uuid [16]byte, endpoint string, now time.Time) *peer {
	return &peer{
		uuid: uuid, id: uuidString(uuid), endpoint: endpoint, halfOpen: newHalfOpen(now, endpoint),
		presence: presence{heardAt: now}, window: window{limit: z.window},
	}
}

// host returns what the peer's host is counted by: the address that its HELLO came from, which
// it cannot choose as it can the endpoint in it, or the one to connect to if none has come.
func (p *peer) host() netip.Addr {
	switch {
	case p.held != nil && p.held.from.IsValid():
		return netif.HostOf(p.held.from)
	case p.from.IsValid():
		return netif.HostOf(p.from)
	case p.halfOpen != nil:
		return netif.HostOf(p.halfOpen.address)
	}
	return netif.HostOf(addressOf(p.endpoint).Addr())
}

// isEntered reports whether the application knows the peer: between ENTER and EXIT.
func (p *peer) isEntered() bool { return p.handshake.isEntered() }

// halfOpen is what is known of a peer that has not entered, or has exited and stays.
type halfOpen struct {
	since     time.Time  // when we first heard of it, or it exited
	sightedAt time.Time  // when it was last sighted; zero if it is not known by sightings alone
	address   netip.Addr // its endpoint's; invalid if that has a name, or is not TCP
}

func newHalfOpen(now time.Time, endpoint string) *halfOpen {
	return &halfOpen{since: now, address: addressOf(endpoint).Addr()}
}

// halfOpenFor returns for how long a peer has been half-open.
func (p *peer) halfOpenFor(now time.Time) time.Duration {
	if p.halfOpen == nil {
		return 0
	}
	return now.Sub(p.halfOpen.since)
}

// isKnownBySightings reports whether a peer is known by sightings alone.
func (p *peer) isKnownBySightings() bool { return p.halfOpen != nil && !p.halfOpen.sightedAt.IsZero() }

// noteSighted notes a sighting of a peer that is known by sightings alone.
func (p *peer) noteSighted(now time.Time) {
	if p.isKnownBySightings() {
		p.halfOpen.sightedAt = now
	}
}

func (h *halfOpen) shift(by time.Duration) {
	if h == nil {
		return
	}
	h.since = h.since.Add(by)
	if !h.sightedAt.IsZero() {
		h.sightedAt = h.sightedAt.Add(by)
	}
}

// onlyHelloSoFar reports whether the peer has sent nothing but HELLO and pings since it
// entered.
func (p *peer) onlyHelloSoFar() bool { return p.receivedAt.IsZero() }

// adopt takes over what the peer says of itself in HELLO.
func (p *peer) adopt(its hello) {
	p.helloEndpoint, p.name, p.headers, p.status = its.endpoint, its.name, its.headers, its.status
	p.routingByte, p.from, p.conn = its.routingByte, its.from, its.conn
	p.held = nil
}

// inherit keeps what was learnt of a peer in the session before.
func (p *peer) inherit(before *peer) {
	p.in.wrap, p.out.assumed = before.in.wrap, before.out.assumed
	p.handshake.roundTrip, p.handshake.resends = before.handshake.roundTrip, before.handshake.resends
}

// compareUUIDs orders UUIDs as they are written.
func compareUUIDs(a, b [16]byte) int { return strings.Compare(string(a[:]), string(b[:])) }

// groupNames lists the peer's groups in order.
func (p *peer) groupNames() []string { return slices.Sorted(maps.Keys(p.groups)) }

// info returns a copy of what is known of the peer, for the application.
func (p *peer) info(now time.Time) *PeerInfo {
	return &PeerInfo{
		UUID: p.id, Name: p.name, Endpoint: p.endpoint, Headers: maps.Clone(p.headers), Groups: p.groupNames(),
		PublicKey: p.key, RTT: p.handshake.roundTrip, Since: p.enteredAt, Idle: p.presence.idle(now),
	}
}

// readdress notes a peer's new endpoint, without connecting to it.
func (z *zre) readdress(p *peer, endpoint string) {
	if z.addressed[p.endpoint] == p {
		delete(z.addressed, p.endpoint)
	}
	p.endpoint = endpoint
	if p.halfOpen != nil {
		p.halfOpen.address = addressOf(endpoint).Addr()
	}
	z.addressed[endpoint] = p
}

// hostOf returns what a node is counted by that is not known yet: the address that its HELLO came
// from, or the one that somebody says that it is at.
func hostOf(from netip.Addr, endpoint string) netip.Addr {
	if from.IsValid() {
		return netif.HostOf(from)
	}
	return netif.HostOf(addressOf(endpoint).Addr())
}

// addressOf returns the address and port of an endpoint; an invalid one if it has a name,
// or is not TCP.
func addressOf(endpoint string) netip.AddrPort {
	at, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return netip.AddrPort{}
	}
	return at
}

// heardFrom notes a sign of life. It is no answer to our HELLO.
func (z *zre) heardFrom(now time.Time, p *peer) {
	p.presence.heard(now)
	p.progress = nil
	if p.isEntered() && p.probe.isPending() && !p.probe.isRemoval() {
		z.probeAnswered(p)
	}
}

// removePeer ends a peer: EXIT if it had entered, and nothing of it is left. A claimant
// of its endpoint gets it.
func (z *zre) removePeer(now time.Time, p *peer, reason string) {
	claimant := p.claimant
	p.claimant = nil
	if p.isEntered() {
		z.emitExit(now, p, reason)
	}
	z.forgetPeer(p)
	switch {
	case claimant == nil || z.peers[claimant.uuid] != claimant:
	case claimant.presence.idle(now) < z.timeouts.evasive:
		z.connectHeld(now, claimant, claimant.endpoint)
	default:
		z.forgetPeer(claimant) // it may be gone as well
	}
}

// emitExit tells the application that a peer is gone. The peer itself stays. A connection
// that broke after a message that the peer may have refused broke because of it.
func (z *zre) emitExit(now time.Time, p *peer, reason string) {
	z.noteReached(now, p, reason)
	switch reason {
	case ReasonRestarted, ReasonNoHello:
		if p.window.mayBeTooLarge() {
			reason = ReasonTooLarge
		}
	}
	z.log.Info("exit", "peer", p.id, "name", p.name, "reason", reason)
	for _, g := range p.groups {
		z.removeMember(p, g)
	}
	z.forgetName(p)
	z.entered--
	z.enteredChanges++
	z.departures++
	z.port.deliver(exitEvent(p, reason))
	z.dropQuestions(p)
	p.handshake.exited()
	p.halfOpen = newHalfOpen(now, p.endpoint)
	p.pings.fail(ErrUnknownPeer)
	p.probe = nil
}

// forgetPeer drops a peer without an event.
func (z *zre) forgetPeer(p *peer) {
	z.dropBacklog(p, ErrUnknownPeer)
	z.closeMailbox(p, 0)
	if z.addressed[p.endpoint] == p {
		delete(z.addressed, p.endpoint)
	}
	if z.peers[p.uuid] == p {
		delete(z.peers, p.uuid)
	}
	if p.claimant != nil {
		z.forgetPeer(p.claimant)
	}
}
