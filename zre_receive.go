package zyre

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Limits on what one peer can have the node keep. What is beyond them is refused and
// counted.
const (
	maxPeerGroups  = 10_000  // that a peer may be in
	maxPeerHeaders = 1000    // in a HELLO, repeated ones counted
	maxPeerBytes   = 1 << 20 // of a header frame, so of a HELLO; and of the names of a peer's groups
)

// maxRefusedIDs is how many refused routing ids are logged.
const maxRefusedIDs = 20

// headerSize is the size of a header frame up to and with its sequence number.
const headerSize = 6

// receive handles one message from the inbox. Whatever is wrong with it, it is rejected
// whole and counted.
func (z *zre) receive(now time.Time, m *transport.Packet) {
	uuid, ok := parseIdentity(m.From)
	if !ok || uuid == z.uuid {
		z.rejectIdentity(m)
		return
	}
	v := &z.view
	err := v.parse(m.Header)
	if err != nil && z.rejectHeader(now, uuid, m.Header, err) {
		return
	}
	p := z.peers[uuid]
	if !z.isKeyRight(uuid, p, m.UserID, v) {
		z.rejectKey(now, p, uuid, m.UserID, v)
		return
	}
	p = z.forgetIfOtherKey(p, m.UserID)
	if v.id == HelloID {
		z.counters.received++
		if p == nil && z.secure {
			z.keys[uuid] = m.UserID
		}
		z.receiveHello(now, uuid, p, v, m)
		return
	}
	p = z.decideClaim(now, p, v.sequence, m.From[0])
	if p == nil || !p.handshake.isHelloReceived() || p.routingByte != m.From[0] {
		z.onMessageBeforeHello(now, p, v, m)
		return
	}
	if m.Conn.IsKnown() {
		p.conn = m.Conn // another one than before if libzmq has connected again by itself
	}
	switch {
	case m.Excess:
		z.counters.tooLarge++
		z.onMessagesLost(now, p, v.sequence, ReasonTooLarge)
		return
	case !p.in.accept(v.sequence):
		z.counters.gaps++
		z.onMessagesLost(now, p, v.sequence, ReasonLost)
		return
	}
	z.counters.received++
	p.received++
	if p.handshake.state == helloUnconfirmed {
		z.enterIfAnswered(now, p, v.id)
	}
	z.confirmHello(now, p, v.id)
	z.heardFrom(now, p)
	switch {
	case err == nil:
		z.dispatch(now, p, v, m.Frames)
	case errors.Is(err, errUnknownID):
		z.counters.unknownCommand++
	default:
		z.malformed(uuid, v, err)
	}
}

// rejectHeader rejects a message whose header tells nothing, not even its sequence number, and
// reports whether it is one.
func (z *zre) rejectHeader(now time.Time, uuid [16]byte, header []byte, err error) bool {
	switch {
	case errors.Is(err, errBadSignature) || errors.Is(err, errBadVersion):
		z.rejectForeign(now, uuid, err)
	case z.view.id == HelloID || len(header) < headerSize || errors.Is(err, errTooLarge):
		z.malformed(uuid, &z.view, err)
	default:
		return false
	}
	return true
}

// rejectForeign counts a message that is not of this version of ZRE.
func (z *zre) rejectForeign(now time.Time, uuid [16]byte, err error) {
	z.counters.foreign++
	if errors.Is(err, errBadVersion) && z.foreign.Take(now) {
		z.log.Warn("a node speaks another version of ZRE", "peer", uuidString(uuid))
	}
}

// refusedID is what is kept of a routing id: the first bytes, and how many it had.
type refusedID struct {
	head string
	size int
}

// rejectIdentity counts a message under a routing id that is no node's, or this node's
// own, and logs each id once. Whoever connects chooses it: no more of it is kept and logged than
// a proper one has.
func (z *zre) rejectIdentity(m *transport.Packet) {
	z.counters.badIdentity++
	if len(z.refusedIDs) >= maxRefusedIDs {
		return
	}
	id := refusedID{string(m.From[:min(len(m.From), identitySize)]), len(m.From) + m.Cut}
	if !z.refusedIDs[id] {
		z.refusedIDs[id] = true
		z.log.Warn("refused: a routing id must be one byte and a UUID, and not this node's own",
			"routing_id", fmt.Sprintf("%x", id.head), "length", id.size)
	}
}

// confirmHello notes what a message says about whether our HELLO has arrived. A PING-OK
// without a ping of this connection answers one of the connection before.
func (z *zre) confirmHello(now time.Time, p *peer, id uint8) {
	switch {
	case id == PingOkID && p.presence.isPinged():
		p.handshake.pingAnswered(now.Sub(p.presence.pingedAt))
	case id == WhisperID, id == ShoutID:
		p.handshake.messageReceived(now, z.timeouts.verify())
	}
}

// malformed counts a message that can't be read.
func (z *zre) malformed(uuid [16]byte, v *zreView, err error) {
	z.counters.malformed++
	z.log.Debug("malformed message", "peer", uuidString(uuid), "command", v.id, "err", err)
}

// dispatch does what a well-formed message from a peer that has entered asks for.
func (z *zre) dispatch(now time.Time, p *peer, v *zreView, frames [][]byte) {
	if v.id != PingID && v.id != PingOkID {
		p.receivedAt = now
	}
	switch v.id {
	case WhisperID:
		if z.receiveView(now, p, frames) {
			return
		}
		z.counters.whispersReceived++
		z.port.deliver(messageEvent(EventWhisper, p, "", frames))
	case ShoutID:
		z.receiveShout(p, v, frames)
	case JoinID:
		z.receiveStatus(p, v.status)
		z.joined(p, string(v.group))
	case LeaveID:
		z.receiveStatus(p, v.status)
		z.left(p, string(v.group))
	case PingID:
		z.pong(now, p)
	case ElectID, LeaderID:
		z.receiveElection(now, p, v)
	case PingOkID:
		if z.seedTestAnsweredByPeer(now, p) {
			return
		}
		p.presence.pingAnswered()
		p.pings.answered(now)
		p.window.pingAnswered()
	case GoodbyeID:
		z.removePeer(now, p, ReasonGoodbye)
	}
}

// receiveShout delivers a message to a group that this node is in. The sender need not
// be in it.
func (z *zre) receiveShout(p *peer, v *zreView, frames [][]byte) {
	name, member := z.own[string(v.group)]
	if !member {
		z.counters.lateShouts++
		return
	}
	z.counters.shoutsReceived++
	z.port.deliver(messageEvent(EventShout, p, name, frames))
}

// goodbye handles a zero-port beacon. Datagrams can be forged, and can come late, from
// before a peer restarted its session: then, and always to a secure node, silence has to confirm
// them. A peer in helloUnconfirmed is under a probe already.
func (z *zre) goodbye(now time.Time, uuid [16]byte, key string) {
	p := z.peers[uuid]
	switch {
	case p == nil || uuid == z.uuid:
	case p.key != key:
		z.noteKeyRefused("goodbye", uuid, "", key)
	case z.inbox.backlogged:
		// What it sent before has not been read yet, perhaps not even its HELLO.
		p.goodbyeWaits, z.inbox.goodbyes = true, true
	case !p.isEntered():
		z.goodbyeHalfOpen(p)
	case z.secure, now.Sub(p.restartedAt) < z.timeouts.verify():
		z.startProbe(now, p, probe{kind: probeGoodbye})
	default:
		z.removePeer(now, p, ReasonGoodbye)
	}
}

// goodbyeHalfOpen forgets a peer that has not entered and said goodbye by a beacon. A secure node
// goes on trying: it cannot ask such a peer whether the beacon is true. One in helloUnconfirmed is
// under a probe already.
func (z *zre) goodbyeHalfOpen(p *peer) {
	if !z.secure && p.handshake.state != helloUnconfirmed {
		z.forgetPeer(p)
	}
}
