package zyre

import "github.com/go-zyre/zyre/internal/fifo"

// pingsPerWindow is how often a peer is asked to confirm what a window holds.
const pingsPerWindow = 4

// window bounds what is under way to a peer: sent, and not confirmed. RFC 36 knows no
// acknowledgement, but every implementation answers PING by PING-OK in the order in which
// messages come, so that a PING-OK confirms all that was sent before its PING.
//
// Without it, what waits on either side of a connection is bounded in messages only, of
// whatever size.
type window struct {
	limit     uint64             // bytes; a message passes as long as fewer are under way
	sent      uint64             // bytes sent on this connection
	confirmed uint64             // of those
	pinged    uint64             // of those: what the last PING asked about
	pings     fifo.Queue[uint64] // for each PING that is not answered: what it asked about
	large     uint64             // bytes sent up to and with the last message that a peer with default settings refuses
}

// restart begins to count again, on a fresh connection.
func (w *window) restart() { *w = window{limit: w.limit} }

// isFull reports whether nothing more may be sent for now.
func (w *window) isFull() bool { return w.sent-w.confirmed >= w.limit }

// isConfirmed reports whether the peer has confirmed all that was sent.
func (w *window) isConfirmed() bool { return w.confirmed >= w.sent }

// isPingDue reports whether enough was sent since the last PING to ask again.
func (w *window) isPingDue() bool { return w.sent-w.pinged >= w.limit/pingsPerWindow }

// messageSent counts a message.
func (w *window) messageSent(bytes int) {
	w.sent += uint64(bytes)
	if bytes > defaultMaxMessage {
		w.large = w.sent
	}
}

// mayBeTooLarge reports whether a message was sent that the peer may have refused: it is
// larger than what a node takes by default, and not confirmed.
func (w *window) mayBeTooLarge() bool { return w.large > w.confirmed }

// pingSent notes that all that was sent so far is asked about.
func (w *window) pingSent() {
	w.pinged = w.sent
	w.pings.Push(w.sent)
}

// pingAnswered counts a PING-OK.
func (w *window) pingAnswered() {
	if w.pings.Len() > 0 {
		w.confirmed = w.pings.Pop()
	}
}

// answersLost notes that the peer has a fresh connection to us: answers on the one before
// may be lost. What was asked about is asked again. If an answer comes all the same, more is
// confirmed for a moment than the peer has read.
func (w *window) answersLost() {
	w.pings = fifo.Queue[uint64]{}
	w.pinged = w.confirmed
}
