package zyre

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
)

// Limits on what strangers can make a node do. A beacon or HELLO of a peer not
// known before opens a connection and waits for the peer's HELLO: it is half
// open.
const (
	maxHalfOpen   = 1024 // beyond it the oldest gives way
	halfOpenRate  = 500  // new ones a second, in the long run
	halfOpenBurst = 250  // at once: each costs the node some 0.3 ms

	maxVerifyTime = time.Second // how long a peer in doubt has to answer a ping

	handshakeRate   = 1.0 // times a second that a peer may begin anew, in the long run
	handshakeBurst  = 10
	handshakeBar    = 5 * time.Second // how long a peer that began anew more often is shut out
	handshakeMemory = time.Minute
	maxHandshakes   = 4096 // peers whose beginnings are remembered
)

// sighted handles the news, from a beacon, that a node with this UUID can be
// reached at this endpoint.
func (n *node) sighted(now time.Time, uuid [16]byte, endpoint string) {
	if uuid == n.uuid || n.net.isOurs(endpoint) {
		n.counters.ownBeacons++
		return
	}
	p := n.peers[uuid]
	switch {
	case p == nil:
		n.meet(now, uuid, endpoint)
	case p.state == peerWaiting:
		n.settleWaiting(now, p, endpoint)
	case p.endpoint == endpoint:
		// nothing new: only its own messages show that a peer lives
	case p.state == peerConnected:
		if now.Sub(p.saidHello) >= n.verifyTime() && n.addressed[endpoint] == nil {
			n.readdress(p, endpoint)
			if !n.greet(now, p) {
				n.discard(p)
			}
		}
	case now.Sub(p.heard) >= n.cfg.evasive:
		n.doubt(now, p, probe{reason: "moved", moved: endpoint})
	}
}

// meet connects to a node not known before.
func (n *node) meet(now time.Time, uuid [16]byte, endpoint string) {
	if n.barred(now, uuid) || !n.admit(now) {
		n.counters.sightingsRefused++
		return
	}
	if other := n.addressed[endpoint]; other != nil && other.entered() {
		n.contest(now, other, uuid, endpoint)
		return
	}
	n.connect(now, uuid, endpoint)
}

// contest handles a newcomer that claims the endpoint of a peer that has entered.
// Either the old process is gone, or the claim is false: a ping to the old one
// decides, and the newcomer waits.
func (n *node) contest(now time.Time, holder *Peer, uuid [16]byte, endpoint string) *Peer {
	p := newPeer(uuid, endpoint, now)
	p.key = n.security.keys[uuid]
	n.peers[uuid] = p
	if holder.claimant != nil {
		n.discard(holder.claimant)
	}
	holder.claimant = p
	n.doubt(now, holder, probe{reason: "another took its endpoint"})
	return p
}

// settleWaiting connects to a peer whose HELLO came before it was known where to
// reach it.
func (n *node) settleWaiting(now time.Time, p *Peer, endpoint string) {
	if other := n.addressed[endpoint]; other != nil && other != p {
		if other.entered() {
			if other.claimant != p {
				n.contest(now, other, p.uuid, endpoint).hello = p.hello
			} else {
				p.heard = now
				n.doubt(now, other, probe{reason: "another took its endpoint"})
			}
			return
		}
		n.discard(other)
	}
	hello := p.hello
	delete(n.peers, p.uuid)
	q := n.connect(now, p.uuid, endpoint)
	if q != nil && hello.headers != nil {
		n.enter(now, q, hello)
		q.greeted = false
	}
}

// connect makes a peer, connects to it and says HELLO. It returns nil if that is
// not possible now; the next sighting tries again.
func (n *node) connect(now time.Time, uuid [16]byte, endpoint string) *Peer {
	if other := n.addressed[endpoint]; other != nil {
		n.discard(other)
	}
	p := newPeer(uuid, "", now)
	p.key = n.security.keys[uuid]
	n.peers[uuid] = p
	n.readdress(p, endpoint)
	if !n.greet(now, p) {
		n.discard(p)
		return nil
	}
	return p
}

// readdress notes a peer's new endpoint, without connecting to it.
func (n *node) readdress(p *Peer, endpoint string) {
	if n.addressed[p.endpoint] == p {
		delete(n.addressed, p.endpoint)
	}
	p.endpoint = endpoint
	n.addressed[endpoint] = p
}

// greet opens a fresh connection to a peer and says HELLO on it, and whether that
// worked. What waited on the old connection is lost: the application has seen, or
// will see, an EXIT.
func (n *node) greet(now time.Time, p *Peer) bool {
	n.abandon(p, ErrUnknownPeer)
	n.closeMailbox(p)
	box, err := n.transport.Dial(p.endpoint, n.dialOptions(p))
	if err != nil {
		n.counters.dialErrors++
		n.log.Log(context.Background(), n.warnings.Level(now), "zyre: connect", "peer", p.Identity, "endpoint", p.endpoint, "err", err)
		return false
	}
	p.mailbox, p.sent, p.pings, p.probe = box, 0, 0, probe{}
	p.saidHello, p.pinged = now, time.Time{}
	p.greeted, p.answers = false, false
	if p.state == peerWaiting {
		p.state = peerConnected
	}
	n.command(p, now, n.helloTo(p))
	return true
}

// closeMailbox drops a peer's connection and what libzmq still holds for it, which over
// inproc is nothing: the peer has it.
func (n *node) closeMailbox(p *Peer) {
	if p.mailbox == nil {
		return
	}
	if err := p.mailbox.Close(0); err != nil {
		n.log.Warn("zyre: close a mailbox", "peer", p.Identity, "err", err)
	}
	p.mailbox = nil
}

// remove ends a peer: EXIT if it had entered, and nothing of it is left. Who waits
// for its endpoint gets it.
func (n *node) remove(now time.Time, p *Peer, reason string) {
	claimant := p.claimant
	p.claimant = nil
	if p.entered() {
		n.exit(p, reason)
	}
	n.discard(p)
	switch {
	case claimant == nil || n.peers[claimant.uuid] != claimant:
	case now.Sub(claimant.heard) < n.cfg.evasive:
		n.settleWaiting(now, claimant, claimant.endpoint)
	default:
		n.discard(claimant) // it may be gone as well
	}
}

// exit tells the application that a peer is gone.
func (n *node) exit(p *Peer, reason string) {
	n.log.Debug("zyre: exit", "peer", p.Identity, "name", p.Name, "reason", reason)
	for _, g := range p.groups {
		n.forgetMember(p, g)
	}
	n.known.remove(p.uuid)
	n.events.push(peerEvent(eventExit, p))
	p.state, p.probe = peerConnected, probe{}
}

// discard forgets a peer without an event.
func (n *node) discard(p *Peer) {
	n.abandon(p, ErrUnknownPeer)
	n.closeMailbox(p)
	if n.addressed[p.endpoint] == p {
		delete(n.addressed, p.endpoint)
	}
	if n.peers[p.uuid] == p {
		delete(n.peers, p.uuid)
	}
	if p.claimant != nil {
		n.discard(p.claimant)
	}
}

// goodbye handles a zero-port beacon. Datagrams can be forged, and can come late,
// from before a peer began anew: then, and always to a secure node, silence has to
// confirm them.
func (n *node) goodbye(now time.Time, uuid [16]byte) {
	p := n.peers[uuid]
	switch {
	case p == nil || uuid == n.uuid:
	case !p.entered():
		n.discard(p)
	case n.behind:
		// What it sent before has not been read yet.
		if !slices.Contains(n.leaving, uuid) {
			n.leaving = append(n.leaving, uuid)
		}
	case n.security.enabled, now.Sub(p.anewAt) < n.verifyTime():
		n.doubt(now, p, probe{reason: "said goodbye"})
	default:
		n.remove(now, p, "said goodbye")
	}
}

// admit says whether one more half-open peer may be made, and makes room for it.
func (n *node) admit(now time.Time) bool {
	if !n.admission.Take(now) {
		return false
	}
	if len(n.peers)-n.known.len() < maxHalfOpen {
		return true
	}
	var oldest *Peer
	for _, p := range n.peers {
		if !p.entered() && (oldest == nil || p.born.Before(oldest.born)) {
			oldest = p
		}
	}
	if oldest != nil {
		n.counters.evicted++
		n.discard(oldest)
	}
	return true
}

// handshakes remembers how often a peer began anew.
type handshakes struct {
	ratelimit.Bucket
	barredUntil time.Time
}

// handshake takes note that a peer begins anew, and says whether it may: one that
// does so without end is shut out for a while.
func (n *node) handshake(now time.Time, uuid [16]byte) bool {
	h := n.history[uuid]
	if h == nil {
		if len(n.history) >= maxHandshakes {
			return false
		}
		h = &handshakes{Bucket: ratelimit.Bucket{Rate: handshakeRate, Burst: handshakeBurst}}
		n.history[uuid] = h
	}
	if now.Before(h.barredUntil) {
		return false
	}
	if !h.Take(now) {
		h.barredUntil = now.Add(handshakeBar)
		n.counters.barred++
		n.log.Warn("zyre: peer begins anew too often", "peer", uuidString(uuid), "ignored for", handshakeBar)
		return false
	}
	return true
}

// barred says whether a peer is shut out.
func (n *node) barred(now time.Time, uuid [16]byte) bool {
	h := n.history[uuid]
	return h != nil && now.Before(h.barredUntil)
}

// acquaintances is what the goroutine that reads beacons must know to keep those
// from the node that tell it nothing new: peers that have entered, and where.
type acquaintances struct {
	mu sync.Mutex
	at map[[16]byte]string
}

func newAcquaintances() *acquaintances {
	return &acquaintances{at: map[[16]byte]string{}}
}

func (a *acquaintances) add(uuid [16]byte, endpoint string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[uuid] = endpoint
}

func (a *acquaintances) remove(uuid [16]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.at, uuid)
}

func (a *acquaintances) has(uuid [16]byte, endpoint string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[uuid] == endpoint
}

func (a *acquaintances) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}
