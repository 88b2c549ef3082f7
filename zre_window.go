package zyre

import "github.com/go-zyre/zyre/internal/fifo"

// pingsPerWindow is how often a peer is asked to confirm what a window holds.
const pingsPerWindow = 4

// maxPings bounds what is kept of PINGs to a peer that answers none: 16 bytes of each. Of
// those beyond it is only known how many there are, so their answers confirm less than they could.
const maxPings = 1024

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
	pings     fifo.Queue[pinged] // those that are not answered
	large     uint64             // bytes sent up to and with the last message that a peer with default settings refuses
}

// pinged is what a PING asked about, and those that came when there was no room for them.
type pinged struct {
	sent  uint64 // bytes
	count int    // PINGs; 1 or more
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
	if w.pings.Len() >= maxPings {
		w.pings.Back().count++
		return
	}
	w.pinged = w.sent
	w.pings.Push(pinged{w.sent, 1})
}

// pingAnswered counts a PING-OK.
func (w *window) pingAnswered() {
	if w.pings.Len() == 0 {
		return
	}
	oldest := w.pings.Front()
	w.confirmed = oldest.sent
	if oldest.count--; oldest.count == 0 {
		w.pings.Pop()
	}
}

// answersLost notes that the peer has a fresh connection to us: answers on the one before
// may be lost. What was asked about is asked again. If an answer comes all the same, more is
// confirmed for a moment than the peer has read.
func (w *window) answersLost() {
	w.pings = fifo.Queue[pinged]{}
	w.pinged = w.confirmed
}
