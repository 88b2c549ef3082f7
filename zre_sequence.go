package zyre

import "time"

// wrap says after which number a count of messages starts again at 0. HELLO is
// number 1; RFC 36 lets the count wrap at 16 bits, pyre and zyre.js do so one earlier.
type wrap uint8

const (
	wrapUnknown    wrap = iota // the count has not come so far yet
	wrapAfter65535             // modulo 65536: RFC 36, libzyre, this package
	wrapAfter65534             // modulo 65535: pyre, zyre.js
)

func (w wrap) String() string {
	return [...]string{"unknown", "after 65535", "after 65534"}[w]
}

// sequenceIn counts the messages that come from a peer.
type sequenceIn struct {
	next uint16 // the number that is expected next
	wrap wrap   // learnt when the peer wraps for the first time
}

// expectHello starts the count again: the next message is a HELLO.
func (s *sequenceIn) expectHello() { s.next = 1 }

// helloReceived starts the count again after a HELLO.
func (s *sequenceIn) helloReceived() { s.next = 2 }

// accept counts a message if seq is the expected number, and reports whether it
// was. After a gap the count stays where it was.
func (s *sequenceIn) accept(seq uint16) bool {
	if s.next == 65535 && seq == 0 && s.wrap != wrapAfter65535 {
		s.wrap, s.next = wrapAfter65534, 0
	}
	if seq != s.next {
		return false
	}
	if seq == 65535 {
		s.wrap = wrapAfter65535
	}
	s.next++
	if s.next == 65535 && s.wrap == wrapAfter65534 {
		s.next = 0
	}
	return true
}

// sequenceOut counts the messages that go to a peer on one connection.
type sequenceOut struct {
	last      uint16    // the number used last; 0 before HELLO
	assumed   wrap      // how the peer counts, as far as its silence tells
	wrappedAt time.Time // when the count last wrapped; zero if it has not
}

// restart starts the count again, for a new connection. What was learnt of the peer's
// way to count stays.
func (s *sequenceOut) restart() { s.last = 0 }

// next returns the number of the next message. How the peer itself counts, once it
// has shown that, outweighs what was assumed.
func (s *sequenceOut) next(peer wrap) uint16 {
	seq := s.last + 1
	if peer == wrapUnknown {
		peer = s.assumed
	}
	if seq == 65535 && peer == wrapAfter65534 {
		return 0
	}
	return seq
}

// used notes that a message has gone out under seq.
func (s *sequenceOut) used(seq uint16, now time.Time) {
	if seq < s.last || seq == 65535 {
		s.wrappedAt = now
	}
	s.last = seq
}

// assumeOtherWrap is called when the peer restarts its session. If our count
// wrapped not long before, the peer has probably lost count there, so the next wrap
// is the other one: a mistake costs one EXIT at that wrap.
func (s *sequenceOut) assumeOtherWrap(now time.Time, window time.Duration) {
	changed := !s.wrappedAt.IsZero() && now.Sub(s.wrappedAt) < window
	if changed && s.assumed == wrapAfter65534 {
		s.assumed = wrapUnknown
	} else if changed {
		s.assumed = wrapAfter65534
	}
	s.wrappedAt = time.Time{}
}
