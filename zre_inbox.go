package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// inboxLag is how far the node's reading lags behind what peers have sent. While it
// does, a peer's silence may be the node's own doing.
type inboxLag struct {
	backlogged bool      // something is left in the inbox
	grace      int       // peers' messages to read, after a pause, until silence means something again
	anybodys   int       // messages of anybody, strangers included, after which it does too
	graceSince time.Time // when the pause was
	goodbyes   bool      // the goodbye beacon of some peer overtook what it had sent: see goodbyeWaits
}

// isGrace reports whether silence means nothing at present.
func (l *inboxLag) isGrace() bool { return l.grace > 0 }

// inboxPaused notes that the node does not read its inbox for now. From then on nobody's
// silence counts, until so much has been read again that every peer had its turn: batch
// is how many messages the node reads at once, and strangers how many connections there may be
// that are no peers'. A further pause until then makes it no longer.
//
// libzmq takes a message of each connection in turn that has any. So what strangers say does
// not bring a peer's turn nearer, unless it is so much that each of their connections had its
// turn as well.
func (z *zre) inboxPaused(now time.Time, batch, strangers int) {
	in := &z.inbox
	in.backlogged = true
	if in.isGrace() {
		return
	}
	in.grace = 2*len(z.peers) + batch
	in.anybodys = in.grace + 2*strangers
	in.graceSince = now
}

// inboxBacklogged notes that something is left in the inbox.
func (z *zre) inboxBacklogged() { z.inbox.backlogged = true }

// inboxRead notes that one message was read from the inbox, under a routing id.
func (z *zre) inboxRead(now time.Time, from []byte) {
	in := &z.inbox
	if !in.isGrace() {
		return
	}
	in.anybodys--
	if z.isHeard(from) {
		in.grace--
	}
	if in.grace > 0 && in.anybodys > 0 {
		return
	}
	in.grace = 0
	for _, p := range z.peers {
		// However long ago its turn was: the application may be as slow as that.
		if p.presence.messageAt.After(in.graceSince) {
			p.presence.heardAt = now
		}
	}
	z.tick(now) // now: a short while later the node may pause again
}

// isHeard reports whether a routing id is that of a peer whose HELLO was taken.
func (z *zre) isHeard(from []byte) bool {
	uuid, ok := parseIdentity(from)
	if !ok {
		return false
	}
	p := z.peers[uuid]
	return p != nil && p.handshake.isHelloReceived() && p.routingByte == from[0]
}

// inboxDrained notes that nothing is left in the inbox: who is silent now is silent.
func (z *zre) inboxDrained(now time.Time) {
	z.inbox.grace, z.inbox.backlogged = 0, false
	if !z.inbox.goodbyes {
		return
	}
	z.inbox.goodbyes = false
	for _, p := range z.inOrder() {
		waits := p.goodbyeWaits
		p.goodbyeWaits = false
		switch {
		case !waits || z.peers[p.uuid] != p:
		case p.isEntered():
			z.startProbe(now, p, probe{kind: probeGoodbye})
		default:
			z.goodbyeHalfOpen(p)
		}
	}
	clear(z.ordered)
}

// heard lists where the peers are heard whose HELLO was taken, but for those of this host by
// inproc and ipc.
func (z *zre) heard(yield func(transport.Heard) bool) {
	for _, p := range z.peers {
		if p.handshake.isHelloReceived() && (p.conn.IsKnown() || !p.from.IsValid()) &&
			!yield(transport.Heard{Conn: p.conn, Host: p.host()}) {
			return
		}
	}
}
