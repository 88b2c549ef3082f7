package zyre

import (
	"slices"
	"time"
)

// pings are the questions of the application for the round trip to a peer. PING has no
// number, and each is answered in its turn, so the answers are counted.
type pings struct {
	unanswered int // our PINGs, for whatever reason, that a PING-OK is still to come for: see askAgain
	requests   []*pingRequest
}

// pingRequest is one question.
type pingRequest struct {
	ahead  int                                      // PING-OKs to come, its own included
	sentAt time.Time                                // the first PING that the PING-OK may answer
	answer func(roundTrip time.Duration, err error) // called once, on the node's goroutine
}

// sent counts a PING.
func (s *pings) sent() { s.unanswered++ }

// answered counts a PING-OK, and answers those who asked by its PING.
func (s *pings) answered(now time.Time) {
	s.unanswered = max(s.unanswered-1, 0)
	s.requests = slices.DeleteFunc(s.requests, func(r *pingRequest) bool {
		r.ahead--
		if r.ahead > 0 {
			return false
		}
		r.answer(now.Sub(r.sentAt), nil)
		return true
	})
}

// askAgain sends a PING for those who wait for a PING-OK, because one of the connections is a
// fresh one: answers on the one before may be lost. One that comes all the same may be to
// either PING, so the round trip counts from the first: it is never too short.
func (z *zre) askAgain(now time.Time, p *peer) {
	s := &p.pings
	s.unanswered = 0
	if p.backlog.pingQueued {
		s.unanswered = 1 // it has yet to go
	}
	if len(s.requests) == 0 {
		return
	}
	z.ping(now, p)
	for _, r := range s.requests {
		r.ahead = s.unanswered
	}
}

// fail tells those who asked that there will be no answer.
func (s *pings) fail(err error) {
	for _, r := range s.requests {
		r.answer(0, err)
	}
	s.requests = nil
}

// requestPing sends a PING, and calls answer when the peer has answered it or exits. It
// does so at once, and returns nil, if the peer has not entered.
func (z *zre) requestPing(now time.Time, id [16]byte, answer func(roundTrip time.Duration, err error)) *pingRequest {
	p := z.peers[id]
	if p == nil || !p.isEntered() {
		answer(0, ErrUnknownPeer)
		return nil
	}
	z.ping(now, p)
	r := &pingRequest{ahead: p.pings.unanswered, sentAt: now, answer: answer}
	if r.ahead == 0 { // the connection failed, and the peer is going
		answer(0, ErrUnknownPeer)
		return nil
	}
	p.pings.requests = append(p.pings.requests, r)
	return r
}

// withdrawPing forgets a question that nobody waits for any more.
func (z *zre) withdrawPing(id [16]byte, r *pingRequest) {
	if p := z.peers[id]; p != nil {
		p.pings.requests = slices.DeleteFunc(p.pings.requests, func(other *pingRequest) bool { return other == r })
	}
}
