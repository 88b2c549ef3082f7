package zyre

import (
	"slices"
	"time"
)

// A peer may be heard that cannot be reached: a firewall lets TCP pass in one direction
// only, or the endpoint that it announces is wrong. It enters, does not answer, and exits.
// From then on, for a time, its HELLO is kept (helloUnreached) until it has answered ours.
const (
	unreachedTime = 60 * time.Minute // how long that holds
	maxUnreached  = 10_000           // of such peers; those beyond it enter as others do
)

// noteReached notes of a peer that exits whether it has confirmed our HELLO. One that
// says goodbye, or had no time to answer, shows neither.
func (z *zre) noteReached(now time.Time, p *peer, reason string) {
	switch {
	case !p.handshake.isUnconfirmed():
		delete(z.unreached, p.uuid)
	case reason != ReasonGoodbye && now.Sub(p.enteredAt) >= z.timeouts.verify() && len(z.unreached) < maxUnreached:
		z.unreached[p.uuid] = now
	}
}

// forgetUnreached drops what was noted long ago.
func (z *zre) forgetUnreached(now time.Time) {
	for uuid, at := range z.unreached {
		if now.Sub(at) >= unreachedTime {
			delete(z.unreached, uuid)
		}
	}
}

// enterIfReached makes a peer enter whose HELLO has come, and reports whether it did. The
// HELLO of one that was not reached before is kept, and the peer is asked for an answer.
func (z *zre) enterIfReached(now time.Time, p *peer, its hello) (entered bool) {
	if _, unreached := z.unreached[p.uuid]; !unreached {
		z.enter(now, p, its)
		return true
	}
	z.adoptHello(now, p, its)
	p.handshake.kept()
	p.held = its
	z.startProbe(now, p, probe{kind: probeHello})
	return false
}

// enterReached makes a peer enter whose HELLO is kept, if its message shows that it has
// ours. PING, JOIN and LEAVE show nothing: many send them to whoever may be there.
func (z *zre) enterReached(now time.Time, p *peer, id uint8) {
	switch id {
	case PingOkID:
		if p.presence.pings == 0 {
			return // it answers a ping of a connection before
		}
	case WhisperID, ShoutID, ElectID, LeaderID:
	default:
		return
	}
	p.handshake.received()
	z.announce(now, p, p.held.groups)
	p.held, p.probe = hello{}, probe{}
	if id == PingOkID {
		p.handshake.confirm()
	}
}

// join notes that the peer has joined a group since it said HELLO.
func (h *hello) join(group string) {
	bytes := len(group)
	for _, g := range h.groups {
		bytes += len(g)
	}
	if len(h.groups) < maxPeerGroups && bytes <= maxPeerBytes && !slices.Contains(h.groups, group) {
		h.groups = append(h.groups, group)
	}
}

// leave notes that the peer has left a group since it said HELLO.
func (h *hello) leave(group string) {
	h.groups = slices.DeleteFunc(h.groups, func(g string) bool { return g == group })
}
