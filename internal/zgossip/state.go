package zgossip

import (
	"time"

	zmq "github.com/pebbe/zmq4"
)

// HubState is what is known of a hub that a member is a client of.
type HubState struct {
	Endpoint  string    // as given to Connect
	Address   string    // the endpoint connected to, with the address of a host name; empty while there is none
	Since     time.Time // when the hub first answered on this connection; zero if it does not
	LastError string    // why it does not; empty once it answers
}

// failed notes why there is no connection.
func (s *HubState) failed(why string) { s.Since, s.LastError = time.Time{}, why }

// lost notes that a hub that answered does not any more.
func (s *HubState) lost() {
	if !s.Since.IsZero() {
		s.failed("the connection was lost, or the hub stopped answering")
	}
}

// answered notes that the hub answers.
func (s *HubState) answered(now time.Time) {
	if s.Since.IsZero() {
		s.Since, s.LastError = now, ""
	}
}

// failureEvents are the events of a connection that cannot be made. libzmq 4.2 does not
// tell of a handshake that fails.
func failureEvents() zmq.Event {
	if ConnectedEvent() == zmq.EVENT_CONNECTED {
		return zmq.EVENT_CONNECT_RETRIED
	}
	return zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_HANDSHAKE_FAILED_AUTH |
		zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
}

// onEvent notes why libzmq could not connect. The failure of a handshake says more than
// that it is tried again.
func (s *HubState) onEvent(event zmq.Event) {
	switch {
	case event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
		s.failed("the hub refused this node's key")
	case event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
		s.failed("the handshake failed: is the hub's key right?")
	case event == zmq.EVENT_CONNECT_RETRIED && (s.LastError == "" || s.LastError == notTried):
		s.failed("nothing answers at this address")
	}
}

// notTried is the LastError of a hub that was not heard of yet.
const notTried = "not connected yet"

// Hubs returns the state of each hub that was given to Connect; after Close as it was at
// the end.
func (g *Gossip) Hubs() (states []HubState) {
	if g.do(func(time.Time) { states = g.hubStates() }) != nil {
		<-g.done
		states = g.hubStates()
	}
	return states
}

func (g *Gossip) hubStates() []HubState {
	states := make([]HubState, len(g.hubs))
	for i, h := range g.hubs {
		states[i] = h.state
	}
	return states
}
