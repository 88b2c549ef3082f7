package transport

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	zmq "github.com/pebbe/zmq4"
)

// inprocOffer lets mailboxes of the same process connect to an inbox by inproc. Such a
// connection costs a third of the memory and of the time that one over TCP does, and one descriptor
// instead of three. Only the connection differs; peers find each other, and are told
// endpoints, as ever.
//
// A secure inbox makes no offer, for inproc knows no CURVE. That of one that is bound to
// all addresses is not found, for peers are told an address of its own.
//
// What a mailbox has sent by inproc is in the inbox at once: linger means nothing, and
// libzmq keeps a closed mailbox, with its descriptor, until the inbox has read that.
type inprocOffer struct {
	endpoint  string
	withdrawn atomic.Bool // its inbox was closed: nothing connects it again, unlike TCP
}

// inprocOffers tell which endpoints are inboxes of this very process.
type inprocOffers struct {
	// mark ends the routing id of who connects by inproc. It never goes on the wire, and nobody
	// can guess it: libzmq tells nothing else by which to know inproc from a connection of ZMTP 2.
	mark string

	mu     sync.Mutex
	offers map[string]*inprocOffer // by endpoints that an inbox is bound to
	made   int
}

// newOffer returns an offer with an endpoint that nobody has.
func (s *inprocOffers) newOffer() *inprocOffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	return &inprocOffer{endpoint: fmt.Sprintf("inproc://zyre-inbox-%d", s.made)}
}

func (s *inprocOffers) add(endpoint string, offer *inprocOffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offers == nil {
		s.offers = map[string]*inprocOffer{}
	}
	s.offers[endpoint] = offer
}

// connect takes the offer for an endpoint, under a routing id, and returns it; nil if there is
// none. Meanwhile nothing withdraws it: libzmq would wait for somebody to bind it again.
func (s *inprocOffers) connect(soc *zmq.Socket, endpoint, identity string) (*inprocOffer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offer := s.offers[endpoint]
	if offer == nil {
		return nil, nil
	}
	return offer, errors.Join(soc.SetIdentity(identity+s.mark), soc.Connect(offer.endpoint))
}

// remove withdraws the offer for an endpoint, if it is this one.
func (s *inprocOffers) remove(endpoint string, offer *inprocOffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offers[endpoint] == offer {
		delete(s.offers, endpoint)
	}
}

// removeAll withdraws an offer for all endpoints.
func (s *inprocOffers) removeAll(offer *inprocOffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.offers, func(_ string, other *inprocOffer) bool { return other == offer })
}

// offerInproc lets those who dial an endpoint, to which the inbox is bound, connect by
// inproc. That this failed would cost them no more than a connection over TCP.
func (in *zmqInbox) offerInproc(bound string) {
	if in.transport.noInproc || in.stoppedOffering || in.domain != "" || !strings.HasPrefix(bound, "tcp://") {
		return
	}
	s := &in.transport.context.inproc
	if in.offer == nil {
		offer := s.newOffer()
		if in.soc.Bind(offer.endpoint) != nil {
			return
		}
		in.offer = offer
	}
	s.add(bound, in.offer)
}

// StopOffering has those who dial from now on connect over TCP.
func (in *zmqInbox) StopOffering() {
	in.stoppedOffering = true
	in.transport.context.inproc.removeAll(in.offer)
}

// connect connects a mailbox by inproc, if it may and that is offered, or else by the
// endpoint itself.
func (m *zmqMailbox) connect(mayInproc bool) (err error) {
	offers := &m.transport.context.inproc
	if mayInproc && !m.transport.noInproc {
		m.offer, err = offers.connect(m.soc, m.endpoint, m.identity)
		if m.offer != nil {
			return err
		}
	}
	identity := m.identity
	if strings.HasPrefix(m.endpoint, "inproc:") {
		identity += offers.mark
	}
	return errors.Join(m.soc.SetIdentity(identity), m.soc.Connect(m.endpoint))
}

// reconnectOverTCP connects again by TCP if the inbox that was connected to by inproc is
// closed, and reports whether it did. A connection by TCP from the start would have found
// whoever is at the endpoint next, too: libzmq connects it again.
func (m *zmqMailbox) reconnectOverTCP() bool {
	if m.offer == nil || !m.offer.withdrawn.Load() {
		return false
	}
	m.offer = nil
	return m.connect(false) == nil
}
