package zyre

import (
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// size is how many bytes a message has.
func (m *simMessage) size() uint64 {
	n := len(m.header)
	for _, f := range m.frames {
		n += len(f)
	}
	return uint64(n)
}

// schedule says when a message is on its way: when what was sent before it on the same
// connection has left, for as long as its bytes take.
func (s *sim) schedule(c *simConn, m *simMessage) {
	m.begun = s.now
	if n := len(c.queue); n > 0 && s.rate > 0 && c.queue[n-1].due.After(m.begun) {
		m.begun = c.queue[n-1].due
	}
	m.due = m.begun.Add(s.latency)
	if s.rate > 0 {
		m.due = m.due.Add(time.Duration(m.size()) * time.Second / time.Duration(s.rate))
	}
}

// arrived is how many bytes have arrived on a connection, those of messages under way
// included.
func (c *simConn) arrived() uint64 {
	n := c.delivered
	for _, m := range c.queue {
		switch now := c.net.now; {
		case !now.Before(m.due):
			n += m.size()
		case now.After(m.begun):
			n += m.size() * uint64(now.Sub(m.begun)) / uint64(m.due.Sub(m.begun))
		}
	}
	return n
}

// Moved tells what a system tells of the bytes between two hosts, on links that have a rate.
func (c *simConn) Moved(time.Time, transport.Conn) (moved transport.Moved) {
	to := c.net.host(c.to)
	if c.net.rate == 0 || to == nil || !c.net.hear(c.from, to.base()) {
		return moved
	}
	moved.Sent = c.arrived()
	moved.Waiting = len(c.queue) > 0
	for _, o := range c.net.conns {
		if o.from == to.base() && o.to == c.from.endpoint {
			moved.Received += o.arrived()
		}
	}
	return moved
}

// pad makes a whisper take time on a link that has a rate.
func (s *sim) pad(text string, pick func(n int) int) string {
	if s.rate == 0 || pick(6) != 0 {
		return text
	}
	return text + strings.Repeat(".", pick(25*s.rate))
}

// hurry makes all links as fast as can be.
func (s *sim) hurry() {
	s.rate = 0
	for _, c := range s.conns {
		for i := range c.queue {
			if c.queue[i].due.After(s.now) {
				c.queue[i].due = s.now
			}
		}
	}
}
