package zyre

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/foreign"
)

// simKind is an implementation that a model peer behaves like.
type simKind = foreign.Kind

const (
	simLibzyre  = foreign.Libzyre
	simPyre     = foreign.Pyre
	simGoZeromq = foreign.GoZeroMQ
	simZyreJS   = foreign.ZyreJS
	simGyre     = foreign.Gyre
)

// simKinds are those that the simulation has.
var simKinds = []simKind{simLibzyre, simPyre, simGoZeromq, simZyreJS, simGyre}

// simForeign is a host with a model of another implementation, for which it is the
// port to the simulated network.
type simForeign struct {
	simSite
	kind     simKind
	model    *foreign.Model
	conns    map[[16]byte]*simConn
	history  []string // ENTER and EXIT of peers that entered
	told     int      // whispers sent
	wake     time.Time
	contests bool
	leader   string   // of simCrew
	reading  *simConn // whose message it handles
	crashed  bool     // it is to be ended
}

func (s *sim) foreign(kind simKind) *simForeign { return s.foreignAt(kind, "") }

// foreignAt starts a model at an endpoint, or with "" at a new one.
func (s *sim) foreignAt(kind simKind, endpoint string) *simForeign {
	site := s.site()
	if endpoint != "" {
		site.endpoint = endpoint
	}
	h := &simForeign{simSite: site, kind: kind, conns: map[[16]byte]*simConn{}}
	var err error
	h.model, err = foreign.New(foreign.Config{Kind: kind, UUID: h.uuid, Endpoint: h.endpoint, Name: string(kind)}, h)
	if err != nil {
		s.fatalf("%v", err)
	}
	s.add(h)
	return h
}

// Dial, Send, Close and Event are the port of the model.
func (h *simForeign) Dial(peer [16]byte, endpoint string) error {
	h.conns[peer] = h.net.dial(&h.simSite, endpoint)
	return nil
}

func (h *simForeign) Send(peer [16]byte, header []byte, frames [][]byte) {
	_ = h.conns[peer].Send(header, frames) // what does not fit is lost, and the peer sees a gap
}

func (h *simForeign) Close(peer [16]byte) { _ = h.conns[peer].Close(0) }

func (h *simForeign) Event(e foreign.Event) {
	switch e.Type {
	case foreign.Enter, foreign.Exit:
		line := e.Type + " " + simName(e.Peer)
		h.net.note("%s %s sees %s", h.kind, simName(h.uuid), line)
		if e.Type == foreign.Exit && uuidString(e.Peer) == h.leader {
			h.leader = ""
		}
		if e.Type == foreign.Exit {
			h.exits[e.Peer]++
		}
		if e.Type == foreign.Enter || e.Name != "" {
			h.history = append(h.history, line)
		}
	case foreign.Whisper:
		h.delivered(string(slices.Concat(e.Content...)))
	case foreign.Leader:
		h.net.note("%s %s sees LEADER %s", h.kind, simName(h.uuid), simName(e.Peer))
		h.leader = uuidString(e.Peer)
	case foreign.Crashed:
		if h.crashed = h.reading != nil && h.reading.headless; h.crashed {
			return
		}
		h.net.fatalf("%s %s crashed: %s", h.kind, simName(h.uuid), e.Reason)
	}
}

func (h *simForeign) take(from [16]byte, header []byte, frames [][]byte) {
	h.reading = h.router[from]
	h.model.Message(h.net.now, appendIdentity(nil, from), header, frames)
}

func (h *simForeign) sight(uuid [16]byte, endpoint string) {
	h.model.Beacon(h.net.now, uuid, endpoint)
}

func (h *simForeign) bye(uuid [16]byte) { h.model.Goodbye(uuid) }

// simForeignTick is how often a model looks at its timers.
const simForeignTick = 250 * time.Millisecond

func (h *simForeign) turn() {
	h.wake = h.net.now.Add(simForeignTick)
	h.model.Tick(h.net.now)
}

func (h *simForeign) wakeAt() time.Time { return h.wake }

// whisper sends a whisper to a peer that has entered, and tells if it was one.
func (h *simForeign) whisper(to [16]byte, text string) bool {
	return h.model.HasEntered(to) && h.model.Whisper(to, []byte(text))
}

// tell sends the next numbered whisper, if the peer is here.
func (h *simForeign) tell(to [16]byte) {
	if h.model.HasEntered(to) {
		h.told++
		text := h.net.post(h, to, fmt.Sprintf("f %.4x %d", h.uuid, h.told)).text
		h.whisper(to, h.net.pad(text, h.net.rng.Intn))
	}
}

// talk has the application of a foreign host do something.
func (h *simForeign) talk(pick func(n int) int) {
	group := []string{"A", "B", "C"}[pick(3)]
	switch pick(8) {
	case 0:
		h.model.Join(group)
	case 1:
		h.model.Leave(group)
	case 2:
		h.model.Shout(group, []byte("s"))
	default:
		for range 1 + pick(5) {
			h.tell(h.net.hosts[pick(len(h.net.hosts))].base().uuid)
		}
	}
}

// simExchange checks that messages flow both ways between a node and a host.
func simExchange(s *sim, a *simNode, h simHost, text string) {
	s.tb.Helper()
	to := h.base().uuid
	switch b := h.(type) {
	case *simNode:
		simConnected(s)
	case *simForeign:
		a.whisperText(to, text)
		sent := b.whisper(a.uuid, text)
		w := a.peers[uuidString(to)]
		if w == nil || !w.here {
			s.fatalf("%s does not see %s", simName(a.uuid), simName(to))
		}
		before := w.whispers
		s.arrive()
		if b.got[text] != 1 {
			s.fatalf("%s did not get %q", b.kind, text)
		}
		if got := w.whispers - before; !sent || got != 1 {
			s.fatalf("whisper %q of %s: sent %t, arrived %d times", text, b.kind, sent, got)
		}
	default:
		s.fatalf("exchange with %s", fmt.Sprintf("%T", h))
	}
}
