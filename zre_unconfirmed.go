package zyre

import (
	"slices"
	"time"
)

// Where it is not certain that a peer has our HELLO, its own is kept (helloUnconfirmed), and it
// is pinged. It enters when it answers; until then HELLO is said again, ever more rarely.
// Our application has not seen an ENTER by then. The peer's may have: if our HELLO comes to
// it twice, it sees EXIT and ENTER.
//
// A peer that is heard and cannot be reached, because a firewall lets TCP pass in one
// direction only, or the endpoint that it announces is wrong, enters once, and exits without
// an answer. From then on, for a time, it enters only when it answers.
const (
	unreachedTime = 60 * time.Minute // how long that holds
	maxUnreached  = 10_000           // of such peers; those beyond it enter as others do
)

// noteReached notes of a peer that exits whether it has confirmed our HELLO. One that
// says goodbye, or had no time to answer, shows neither.
func (z *zre) noteReached(now time.Time, p *peer, reason string) {
	switch {
	case !p.handshake.isEnteredUnconfirmed():
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

// mayLackHello reports whether a peer may not have taken our HELLO, though its own has come
// since.
func (z *zre) mayLackHello(p *peer, endpoint string, reachable bool) bool {
	switch {
	case p.handshake.state == helloUnconfirmed:
	case z.throttles[p.uuid] != nil, p.handshake.resends > 0:
		// It may be a zyre.js that knew us from before, took our HELLO for the end of
		// that session, and says this HELLO to a node that it believes to be new.
	case reachable && endpoint != p.endpoint:
		// It may not be where we said HELLO.
	case z.secure:
		// It may have refused our key until now: libzmq then never connects again.
	default:
		return false
	}
	return true
}

// enterIfReached makes a peer enter whose HELLO has come, and reports whether it did.
func (z *zre) enterIfReached(now time.Time, p *peer, its hello) (entered bool) {
	if _, unreached := z.unreached[p.uuid]; unreached {
		z.keepUnconfirmed(now, p, its)
		return false
	}
	z.enter(now, p, its)
	return true
}

// keepUnconfirmed keeps the HELLO of a peer that may not have ours, and asks for an answer.
func (z *zre) keepUnconfirmed(now time.Time, p *peer, its hello) {
	z.adoptHello(now, p, its)
	p.awaitAnswer(its.groups)
	z.startProbe(now, p, probe{kind: probeHello})
}

// awaitAnswer keeps a peer that is in some groups from entering until it shows that it has our
// HELLO.
func (p *peer) awaitAnswer(groups []string) {
	p.handshake.unconfirmed()
	p.hold(hello{groups: groups})
}

// enterIfAnswered makes a peer in helloUnconfirmed enter if its message shows that it has our
// HELLO. PING, JOIN and LEAVE show nothing: many send them to whoever may be there.
func (z *zre) enterIfAnswered(now time.Time, p *peer, id uint8) {
	switch id {
	case PingOkID:
		if p.presence.unanswered == 0 {
			return // it answers a ping of a connection before
		}
	case WhisperID, ShoutID, ElectID, LeaderID:
	default:
		return
	}
	p.handshake.helloTaken()
	z.announce(now, p, p.held.groups)
	p.held, p.probe = nil, nil
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
