package zyre

import "time"

// handshakeState is how far this node and a peer have come with saying HELLO to each
// other, each on a connection of its own.
type handshakeState uint8

const (
	// helloHeld: where to reach the peer is not known or in dispute. There is no connection
	// to it yet. Its HELLO, if it has come, is kept. It has not entered.
	helloHeld handshakeState = iota
	// helloSent: we said HELLO; the peer's own has not come. It has not entered.
	helloSent
	// helloUnconfirmed: both have said HELLO, but the peer may not have taken ours. Its HELLO is
	// kept until it shows that it has. It has not entered.
	helloUnconfirmed
	// helloReturned: the peer said HELLO first, and we answered it. It has entered. Most
	// implementations answer every HELLO, so another one may come, which is no restart.
	helloReturned
	// helloExchanged: the peer's HELLO came after ours. It has entered. Whether it has
	// taken ours is not known.
	helloExchanged
	// helloConfirmed: the peer has entered and has shown that it took our HELLO.
	helloConfirmed
)

func (s handshakeState) String() string {
	return [...]string{"held", "sent", "unconfirmed", "returned", "exchanged", "confirmed"}[s]
}

// maxResends is how often the patience is doubled.
const maxResends = 5

// handshake is the exchange of HELLO with one peer.
type handshake struct {
	sentAt    time.Time     // our last HELLO
	roundTrip time.Duration // of the last ping that the peer answered
	state     handshakeState
	resends   uint8 // times that we said HELLO again since it last answered a ping, up to maxResends
	reported  bool  // the log says that it does not answer our HELLO
}

// isEntered reports whether the application knows the peer: between ENTER and EXIT.
func (h *handshake) isEntered() bool { return h.state >= helloReturned }

// isHelloReceived reports whether what the peer sends follows a HELLO that was taken.
func (h *handshake) isHelloReceived() bool { return h.state >= helloUnconfirmed }

// isEnteredUnconfirmed reports whether a peer that has entered may not have taken our HELLO.
func (h *handshake) isEnteredUnconfirmed() bool {
	return h.state == helloReturned || h.state == helloExchanged
}

// sent notes our HELLO on a fresh connection.
func (h *handshake) sent(now time.Time) {
	h.sentAt = now
	switch {
	case h.isEntered():
		h.state = helloReturned
	case h.state != helloUnconfirmed:
		h.state = helloSent
	}
}

// resent counts that HELLO is said again because no answer came.
func (h *handshake) resent() {
	h.resends = min(h.resends+1, maxResends)
}

// received notes the peer's HELLO, which makes it enter.
func (h *handshake) received() { h.state = helloExchanged }

// unconfirmed notes that both have said HELLO, and that the peer may not have taken ours.
func (h *handshake) unconfirmed() { h.state = helloUnconfirmed }

// answered notes that our last HELLO answered the peer's.
func (h *handshake) answered() {
	if h.isEntered() {
		h.state = helloReturned
	}
}

// helloTaken notes that a peer in helloUnconfirmed has a HELLO of ours, which makes it enter.
// If that was said again, the answer to the last one may be yet to come.
func (h *handshake) helloTaken() {
	h.state = helloExchanged
	if h.resends > 0 {
		h.state = helloReturned
	}
}

// exited notes that the application believes the peer to be gone.
func (h *handshake) exited() { h.state = helloSent }

// pingAnswered notes that the peer answered a ping of ours, which it only does after
// our HELLO. If that was said again, it may be the HELLO before, and the answer to this one
// is yet to come.
func (h *handshake) pingAnswered(roundTrip time.Duration) {
	if h.resends == 0 {
		h.confirm()
	}
	h.roundTrip, h.resends = roundTrip, 0
}

// messageReceived notes a message that a peer sends only to those whose HELLO it has.
// One that comes soon after our HELLO may answer the HELLO before.
func (h *handshake) messageReceived(now time.Time, verify time.Duration) {
	if now.Sub(h.sentAt) >= verify {
		h.confirm()
	}
}

func (h *handshake) confirm() {
	if h.isEntered() {
		h.state = helloConfirmed
	}
}

// patience is how long to wait for an answer before saying HELLO again: longer on a
// slow network, and each time twice as long, for the answer may still be under way.
func (h *handshake) patience(least time.Duration) time.Duration {
	return max(least, 2*h.roundTrip) << h.resends
}

// repeatedHello is what a further HELLO of a peer that has entered means.
type repeatedHello uint8

const (
	helloRestarts repeatedHello = iota // its session restarts: EXIT, HELLO to it, ENTER
	helloAnswers                       // it answers our HELLO
	helloRepeats                       // it answers our HELLO, and not for the first time
)

func (r repeatedHello) String() string {
	return [...]string{"restarts", "answers", "repeats"}[r]
}

// classify says what a further HELLO of the peer means.
//
// Most implementations answer a HELLO by a HELLO on a fresh connection. Two nodes that
// both do so go on for ever. So we answer only if our own HELLO is confirmed, or must
// have been answered long ago; until then the peer's HELLO counts as the answer to ours.
// A HELLO with another endpoint than the last is always a restart.
func (h *handshake) classify(now time.Time, sameEndpoint bool, verify, expired time.Duration) repeatedHello {
	since := now.Sub(h.sentAt)
	switch {
	case !sameEndpoint:
		return helloRestarts
	case h.state == helloReturned && since < expired:
		return helloAnswers
	case h.state == helloExchanged && since < verify:
		return helloRepeats
	}
	return helloRestarts
}
