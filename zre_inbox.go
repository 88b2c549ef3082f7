package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// inboxLag is how far the node's reading lags behind what peers have sent. While it
// does, a peer's silence may be the node's own doing.
type inboxLag struct {
	backlogged bool // something is left in the inbox
	grace      int  // messages to read, after a pause, until silence means something again
	goodbyes   bool // the goodbye beacon of some peer overtook what it had sent: see goodbyeWaits
}

// isGrace reports whether silence means nothing at present.
func (l *inboxLag) isGrace() bool { return l.grace > 0 }

// inboxPaused notes that the node has stopped reading its inbox. From now on nobody's
// silence counts, until so much has been read again that every peer had its turn: batch
// is how many messages the node reads at once.
func (z *zre) inboxPaused(batch int) {
	z.inbox.backlogged = true
	if z.inbox.grace == 0 {
		z.inbox.grace = 2*len(z.peers) + batch
	}
	z.counters.pauses++
}

// inboxBacklogged notes that something is left in the inbox.
func (z *zre) inboxBacklogged() { z.inbox.backlogged = true }

// inboxRead notes that one message was read from the inbox.
func (z *zre) inboxRead(now time.Time) {
	if z.inbox.grace == 0 {
		return
	}
	z.inbox.grace--
	if z.inbox.grace == 0 {
		z.tick(now) // now: a short while later the node may pause again
	}
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
