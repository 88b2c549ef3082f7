package zyre

import "errors"

// receipt follows a message until it is known what became of it, for somebody who waits to
// know. All methods do nothing on a nil receipt.
type receipt struct {
	answer  func(err error) // called once, on the node's goroutine
	waiting int             // peers that have not taken the message yet
	err     error           // for the answer
	shout   bool            // a peer that goes is no error
}

// expect says how many peers the message goes to; at least one.
func (r *receipt) expect(peers int, shout bool) {
	if r != nil {
		r.waiting, r.shout = peers, shout
	}
}

// noteOutcome notes that one more peer took the message, or never will.
func (r *receipt) noteOutcome(err error) {
	if r == nil {
		return
	}
	r.waiting--
	if err != nil && !(r.shout && errors.Is(err, ErrUnknownPeer)) {
		r.err = err
	}
	if r.waiting == 0 {
		r.answer(r.err)
	}
}

// finish answers for a message that reached nobody.
func (r *receipt) finish(err error) {
	if r != nil {
		r.answer(err)
	}
}
