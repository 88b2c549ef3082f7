package zyre

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	zmq "github.com/pebbe/zmq4"
)

// shortcut is the way to an inbox from within its process: inproc. Such a connection
// costs a third of the memory and of the time that one over TCP does, and one descriptor
// instead of three. Only the connection differs; peers find each other, and are told
// endpoints, as ever.
//
// A secure inbox has none, for inproc knows no CURVE. One that is bound to all addresses
// is not found, for peers are told an address of its own.
//
// What a mailbox has sent by a shortcut is in the inbox at once: linger means nothing, and
// libzmq keeps a closed mailbox, with its descriptor, until the inbox has read that.
type shortcut struct {
	inproc string
	gone   atomic.Bool // its inbox was closed: nothing connects it again, unlike TCP
}

// shortcuts tell which endpoints are inboxes of this very process.
type shortcuts struct {
	mu   sync.Mutex
	to   map[string]*shortcut // by endpoints that an inbox is bound to
	made int
}

// reserve returns a shortcut that nobody has.
func (s *shortcuts) reserve() *shortcut {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	return &shortcut{inproc: fmt.Sprintf("inproc://zyre-shortcut-%d", s.made)}
}

func (s *shortcuts) add(endpoint string, to *shortcut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		s.to = map[string]*shortcut{}
	}
	s.to[endpoint] = to
}

// connect connects by the shortcut to an endpoint and returns it; nil if there is none.
// Meanwhile nothing ends it: libzmq would wait for somebody to bind it again.
func (s *shortcuts) connect(soc *zmq.Socket, endpoint string) (*shortcut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.to[endpoint]
	if to == nil {
		return nil, nil
	}
	return to, soc.Connect(to.inproc)
}

// remove ends the shortcut to an endpoint, if it is this one.
func (s *shortcuts) remove(endpoint string, to *shortcut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to[endpoint] == to {
		delete(s.to, endpoint)
	}
}

// removeAll ends a shortcut for all endpoints.
func (s *shortcuts) removeAll(to *shortcut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.to, func(_ string, other *shortcut) bool { return other == to })
}

// offerShortcut lets those who dial an endpoint, to which the inbox is bound, take the
// shortcut. That this failed would cost them no more than a connection over TCP.
func (in *zmqInbox) offerShortcut(bound string) {
	if in.transport.noShortcuts || in.retired || in.domain != "" || !strings.HasPrefix(bound, "tcp://") {
		return
	}
	s := &in.transport.ctx.shortcuts
	if in.shortcut == nil {
		made := s.reserve()
		if in.soc.Bind(made.inproc) != nil {
			return
		}
		in.shortcut = made
	}
	s.add(bound, in.shortcut)
}

// retire has those who dial from now on connect over TCP.
func (in *zmqInbox) retire() {
	in.retired = true
	in.transport.ctx.shortcuts.removeAll(in.shortcut)
}

// connect connects a mailbox by the shortcut, if there is one and it may, or else by the
// endpoint itself.
func (m *zmqMailbox) connect(mayCut bool) (err error) {
	if mayCut && !m.transport.noShortcuts {
		m.shortcut, err = m.transport.ctx.shortcuts.connect(m.soc, m.endpoint)
		if m.shortcut != nil {
			return err
		}
	}
	return m.soc.Connect(m.endpoint)
}

// reconnect takes the place of a shortcut that has come to its end, and says whether it
// had: over TCP, as it would be without, libzmq connects again to whoever is there next.
func (m *zmqMailbox) reconnect() bool {
	if m.shortcut == nil || !m.shortcut.gone.Load() {
		return false
	}
	if m.soc.Connect(m.endpoint) != nil {
		return false
	}
	m.shortcut = nil
	return true
}
