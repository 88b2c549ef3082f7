package zgossip

import (
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/transport"
)

// link is a connection with one neighbour: a client of our ROUTER, or a hub that we are a
// client of.
type link struct {
	hub   bool   // the neighbour is a hub
	pings bool   // it is a client that sends PING, so its silence means that it is gone
	id    []byte // the routing id of a client
	key   string // its CURVE key, Z85; empty without CURVE
	// instance is the same on all connections of a member with us; empty if that is not known.
	instance string
	host     *host // of a client; those over inproc and ipc share one. See account

	address string // that the host is counted by, or the endpoint of a hub

	conn transport.Conn // that a client is heard on

	heard     time.Time // when the last frame came from it
	downSince time.Time // when its connection was lost; zero while there is one
	checkedAt time.Time // when we last had libzmq say whether a silent client is connected

	sent     uint64 // the order of the last tuple that was sent to it
	joinedAt uint64 // the order of the table at its first HELLO: older tombstones are not sent
	blocked  bool   // it takes no frames at present; the next tick tries again

	sentAll     time.Time       // when, on this connection, all was sent to it; zero if that is not so yet
	sentTo      uint64          // the order of the last tuple then, or since
	askAt       time.Time       // when it is asked for all its tuples, because a reflected value came; zero for never
	wasAsked    bool            // it was, and has not said HELLO since
	reflectedAt time.Time       // when the last one came
	askDelay    backoff.Backoff // how long after a reflected value it is asked: longer each time while they go on

	epoch  uint64 // the number of its HELLOs; its tuples are to be repeated after each
	owned  int    // the number of tuples that it owns
	forgot bool   // tuples ended because it did not repeat them

	// Tuples of it that found no place, or gave way, are asked for again once there is room.
	refillAt    time.Time       // when that is at the earliest; zero if none is missing
	missedAt    time.Time       // when the last one was not kept
	refillDelay backoff.Backoff // longer each time while they go on: places may come and go as fast as somebody wants
	gaveWay     bool            // it is a hub, and other hubs may have what gave way, because of us alone
}

// account is the host that what the neighbour uses up is charged to: one of its own for a hub.
func (l *link) account() *host {
	if l.host == nil {
		l.host = &host{}
	}
	return l.host
}

// ownedByHost is the number of tuples that are charged to the link's account.
func (l *link) ownedByHost() int {
	if l.host == nil {
		return 0
	}
	return l.host.owned
}

// isAtHostOf reports whether what two neighbours use up is charged to one account.
func (l *link) isAtHostOf(other *link) bool {
	return l == other || l.host != nil && l.host == other.host
}

// isSame reports whether two links are with the same member, on whatever connection.
func (l *link) isSame(other *link) bool {
	return l == other || other != nil && l.instance != "" && l.instance == other.instance
}

// hasRead reports whether the neighbour has read the tombstone of t: it was sent long enough ago,
// on this connection.
func (l *link) hasRead(t *tuple, now time.Time) bool {
	return l.joinedAt < t.order && l.sentTo >= t.order && !l.sentAll.IsZero() &&
		now.Sub(t.changed) >= reflectionWindow && now.Sub(l.sentAll) >= reflectionWindow
}

// answerReflected sees to it that l, which sent a value that t had before, is told the tombstone of t, and is
// asked for its tuples once it has read that: what it sent may have been new. Asked, it
// sends tombstones too. Those may end what others have just published again, which brings new
// reflected values; so it is asked later and later, until the others have the time they need.
func (l *link) answerReflected(t *tuple, now time.Time) {
	if now.Sub(l.reflectedAt) > 2*l.askDelay.Current() {
		l.askDelay = backoff.Backoff{Min: reflectionWindow, Max: maxDelay}
	}
	if l.reflectedAt = now; l.askAt.IsZero() {
		l.askAt = now.Add(l.askDelay.Next())
	}
	if l.joinedAt >= t.order {
		l.joinedAt, l.sent, l.sentAll = t.order-1, min(l.sent, t.order-1), time.Time{}
	}
}

// miss notes that a tuple of l is not kept for want of room.
func (l *link) miss(now time.Time) {
	if now.Sub(l.missedAt) > 2*l.refillDelay.Current() {
		l.refillDelay = backoff.Backoff{Min: minRefillDelay, Max: maxDelay}
	}
	if l.missedAt = now; l.refillAt.IsZero() {
		l.refillAt = now.Add(l.refillDelay.Next())
	}
}

// isToBeRefilled reports whether it is time to ask l for the tuples that are missing, if there is
// room for any.
func (l *link) isToBeRefilled(now time.Time) bool {
	return !l.refillAt.IsZero() && !now.Before(l.refillAt)
}

// isToBeAsked reports whether l is to be asked for its tuples now. It is left in peace until
// it has read all: it is sent all again when it is asked.
func (l *link) isToBeAsked(now time.Time) bool {
	return !l.askAt.IsZero() && !now.Before(l.askAt) && !l.sentAll.IsZero() && now.Sub(l.sentAll) >= reflectionWindow
}

// wants reports whether t has to be sent to l.
func (l *link) wants(t *tuple) bool {
	switch {
	case t.from == l:
		return false // it sent us t
	case !t.gone:
		return true
	case l.hub:
		return !t.local
	}
	return t.order > l.joinedAt // otherwise it has never heard of t
}
