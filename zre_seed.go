package zyre

import (
	"net/netip"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// A seed is an endpoint at which the application requires a node without knowing its UUID.
// We say HELLO there; the peer is whoever answers. Until then it stands among the peers
// under a UUID that is made from the endpoint.

// seedPeer returns the peer that a seed has led to: the one that has answered, as long as
// it is where the seed is, or else the one that stands for it; nil if there is neither.
func (z *zre) seedPeer(uuid [16]byte, k *knownNode) *peer {
	if p := z.peers[k.holder]; p != nil && k.heldAt != "" && p.endpoint == k.heldAt {
		return p
	}
	return z.peers[uuid]
}

// sightedKnown goes to a known node at a numeric endpoint. Where a peer is already, nobody
// else is to be met: HELLO on a second connection would end the first.
func (z *zre) sightedKnown(now time.Time, uuid [16]byte, endpoint, key string) {
	k, holder := z.known[uuid], z.addressed[endpoint]
	if k != nil && k.seed && holder != nil && holder.uuid != uuid {
		k.heldBy(holder)
		return
	}
	if k != nil && k.corrects {
		if p := z.peers[uuid]; p != nil && p.handshake.state == helloSent && p.endpoint != endpoint && p.key == key {
			if due := p.handshake.sentAt.Add(correctionTime); now.Before(due) {
				k.next = due
				z.wakeBy(due)
				return
			}
			k.correctedAt = now
			z.forgetPeer(p)
		}
		k.corrects = false
	}
	z.sightedWithKey(now, uuid, endpoint, key)
}

// isOpenSeed reports whether a peer stands for a seed that nobody has answered yet, and
// that the holder of a key may answer.
func (z *zre) isOpenSeed(p *peer, key string) bool {
	if p == nil || z.peers[p.uuid] != p || p.handshake.state != helloSent || p.backlog.isBlocked() {
		return false
	}
	k := z.known[p.uuid]
	return k != nil && k.seed && (!z.secure || p.key == key)
}

// answerSeed looks whether a HELLO answers ours to a seed. It returns the peer whose HELLO
// it is: p, or the one that stood for the seed if p is nil or has no connection.
func (z *zre) answerSeed(now time.Time, uuid [16]byte, p *peer, endpoint string, m *transport.Packet) *peer {
	s := z.seedAt(endpoint, m)
	switch {
	case s == nil, s == p, z.isThrottled(now, uuid):
		return p
	case p != nil && p.handshake.state != helloHeld: // it was met at another endpoint before
		z.known[s.uuid].heldBy(p)
		z.forgetPeer(s)
		return p
	case p != nil:
		z.forgetPeer(p)
	}
	z.nameSeed(s, uuid)
	return s
}

// seedAt returns the peer that stands for the seed at which the sender of a HELLO is, or
// nil. A host with several addresses may name another one in HELLO than the seed's. If it
// has the same port, and connects from the seed's address, it is there; else that is tested.
func (z *zre) seedAt(endpoint string, m *transport.Packet) *peer {
	if s := z.addressed[endpoint]; z.isOpenSeed(s, m.UserID) {
		return s
	}
	from := m.Conn.Remote().Addr()
	its, err := transport.ParseEndpoint(endpoint)
	if err != nil || !from.IsValid() || z.addressed[endpoint] != nil && z.addressed[endpoint].isEntered() {
		return nil
	}
	for uuid := range z.seeds {
		s := z.peers[uuid]
		if !z.isOpenSeed(s, m.UserID) {
			continue
		}
		at, err := transport.ParseEndpoint(s.endpoint)
		if err == nil && at.Port() == its.Port() && z.location.isSameHost(at.Addr(), from) {
			return s
		}
	}
	return nil
}

// nameSeed gives the peer that stands for a seed the UUID of the node that is there.
func (z *zre) nameSeed(s *peer, uuid [16]byte) {
	k := z.known[s.uuid]
	delete(z.peers, s.uuid)
	s.uuid, s.id = uuid, uuidString(uuid)
	z.peers[uuid], z.keys[uuid] = s, s.key
	k.heldBy(s)
}

// checkHolder looks whether the process that answered a seed is gone. Another one at the
// same endpoint does not know us, and only HELLO makes it answer.
func (z *zre) checkHolder(now time.Time, p *peer) {
	if p.conn == (transport.Conn{}) || p.mailbox == nil || !p.mailbox.Moved(now, p.conn).Replaced {
		return
	}
	p.conn = transport.Conn{} // to ask once
	z.startProbe(now, p, probe{kind: probeEndpoint})
}

// heldBy notes which peer is where a seed is.
func (k *knownNode) heldBy(p *peer) { k.holder, k.heldAt = p.uuid, p.endpoint }

// isSameHost reports whether two addresses are those of one host: the same, or both this
// host's.
func (l *location) isSameHost(a, b netip.Addr) bool {
	ours := func(a netip.Addr) bool { return a.IsLoopback() || l.has(a.WithZone("")) }
	return a.WithZone("") == b.WithZone("") || ours(a) && ours(b)
}
