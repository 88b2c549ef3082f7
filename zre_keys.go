package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// publicKeyHeader carries a secure node's public key in its HELLO.
const publicKeyHeader = "X-PUBLICKEY"

// isTrusted reports whether a secure node may go to the holder of a key that somebody
// named.
func (z *zre) isTrusted(key string) bool {
	_, ok := transport.RawFromZ85(key)
	return ok && z.port.isAuthorized(key)
}

// isKeyRight reports whether a message came from the holder of the right key: p's, or
// for a HELLO of a peer that has not entered the one that the HELLO names, and never another than
// the application gave. key is the one that the sender holds, as CURVE has made sure.
func (z *zre) isKeyRight(uuid [16]byte, p *peer, key string, v *zreView) bool {
	if !z.mayBe(uuid, key) {
		return false
	}
	if !z.secure {
		return true
	}
	isHello := v.id == HelloID
	if key == "" || p != nil && p.key != key && (p.handshake.isHelloReceived() || !isHello) {
		return false
	}
	return !isHello || v.header(publicKeyHeader) == key && z.port.isAuthorized(key)
}

// mayBe reports whether the holder of a key may be the node with a UUID. Of one that the application
// requires it has given the key, and a UUID that was made up for a seed is nobody's.
func (z *zre) mayBe(uuid [16]byte, key string) bool {
	k := z.known[uuid]
	return k == nil || !k.required || !k.seed && (!z.secure || k.key == key)
}

// rejectKey counts a message that came under a wrong key.
func (z *zre) rejectKey(now time.Time, p *peer, uuid [16]byte, key string, v *zreView) {
	z.noteKeyRefused("message", uuid, string(v.endpoint), key)
	if p != nil && p.handshake.isHelloReceived() && p.key != key {
		// libzmq has given the routing id to the newer connection, and hears p no
		// more: bytes that come on its own mean nothing, and only a HELLO makes it
		// connect again.
		p.conn = transport.Conn{}
		z.startProbe(now, p, probe{kind: probeIdentity})
	}
}

// forgetIfOtherKey forgets a peer that was to have another key than the sender of a message
// holds: anybody can name a key in a beacon. It returns the peer, nil if it was forgotten.
func (z *zre) forgetIfOtherKey(p *peer, key string) *peer {
	if p != nil && z.secure && p.key != key {
		z.forgetPeer(p)
		return nil
	}
	return p
}

// authorizationChanged ends the peers whose keys are not authorized any more. It tells
// them, so that they close their connections to this node, and make no new ones.
func (z *zre) authorizationChanged(now time.Time) {
	for _, p := range z.inOrder() {
		if !z.secure || z.peers[p.uuid] != p || z.port.isAuthorized(p.key) {
			continue
		}
		z.dropBacklog(p, ErrUnknownPeer)
		if p.mailbox != nil {
			z.command(now, p, &ZreMsg{id: GoodbyeID})
			z.closeMailbox(p, lingerTime)
		}
		z.removePeer(now, p, ReasonRevoked)
	}
	for _, k := range z.known {
		k.retry.Reset()
		k.next = now
	}
	z.wakeBy(now)
}

// forgetKeys drops the keys of nodes that are no peers any more.
func (z *zre) forgetKeys() {
	for uuid := range z.keys {
		if z.peers[uuid] == nil {
			delete(z.keys, uuid)
		}
	}
}

// noteKeyRefused counts and logs something that came under a wrong key, or none.
func (z *zre) noteKeyRefused(what string, uuid [16]byte, endpoint, key string) {
	z.counters.keysRefused++
	if k := z.known[uuid]; k != nil && k.required && k.key == key {
		key = "as given to RequirePeer" // by mistake that may be a secret one
	}
	z.log.Warn("refused: the key is not the right one, or not authorized",
		"what", what, "peer", uuidString(uuid), "endpoint", endpoint, "key", key)
}
