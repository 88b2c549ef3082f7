package zyre

import (
	"encoding/binary"
	"fmt"
	"time"
)

// simKind is an implementation that a model peer behaves like.
type simKind string

const (
	simLibzyre  simKind = "libzyre"
	simGoZeromq simKind = "go-zeromq"
	simZyreJS   simKind = "zyre.js"
)

// simForeign is a host with a model of another implementation.
type simForeign struct {
	simSite
	kind    simKind
	groups  []string // that its HELLO names
	peers   map[[16]byte]*simForeignPeer
	history []string
	heard   map[string]int // content of whispers
	pinged  time.Time
}

type simForeignPeer struct {
	uuid       [16]byte
	endpoint   string
	conn       *simConn
	ready      bool
	sent, want uint16
	heardAt    time.Time
	received   int
}

func (s *sim) foreign(kind simKind) *simForeign {
	h := &simForeign{simSite: s.site(), kind: kind, peers: map[[16]byte]*simForeignPeer{}, heard: map[string]int{}}
	s.add(h)
	return h
}

// next counts a sequence number on.
func (h *simForeign) next(seq uint16) uint16 {
	if h.kind == simZyreJS {
		return uint16((int(seq) + 1) % 65535)
	}
	return seq + 1
}

func (h *simForeign) send(p *simForeignPeer, m *ZreMsg) {
	p.sent = h.next(p.sent)
	m.sequence = p.sent
	header, err := m.append(nil)
	if err != nil {
		h.net.fatalf("encode %d: %v", m.id, err)
	}
	_ = p.conn.Send(header, m.content())
}

// require makes a peer, with a fresh connection and our HELLO on it.
func (h *simForeign) require(uuid [16]byte, endpoint string) *simForeignPeer {
	p := h.peers[uuid]
	if p != nil {
		return p
	}
	p = &simForeignPeer{uuid: uuid, endpoint: endpoint, conn: h.net.dial(&h.simSite, endpoint), want: 1, heardAt: h.net.now}
	h.peers[uuid] = p
	h.send(p, &ZreMsg{id: HelloID, Endpoint: h.endpoint, Name: string(h.kind), Groups: h.groups, Status: byte(len(h.groups))})
	return p
}

func (h *simForeign) remove(p *simForeignPeer) {
	if p.ready {
		h.see("EXIT", p)
	}
	_ = p.conn.Close(0)
	delete(h.peers, p.uuid)
}

func (h *simForeign) see(event string, p *simForeignPeer) {
	h.history = append(h.history, event+" "+simName(p.uuid))
	h.net.note("%s %s sees %s %s", h.kind, simName(h.uuid), event, simName(p.uuid))
}

func (h *simForeign) take(from [16]byte, header []byte, frames [][]byte) {
	id, seq := header[2], binary.BigEndian.Uint16(header[4:])
	p := h.peers[from]
	if id == HelloID {
		var v zreView
		if v.parse(header) != nil {
			return
		}
		if p != nil && p.ready {
			h.remove(p)
			if h.kind == simZyreJS {
				return
			}
		}
		p = h.require(from, string(v.endpoint))
		p.ready = true
		h.see("ENTER", p)
	}
	switch {
	case p == nil || !p.ready:
		return
	case seq != p.want && h.kind == simGoZeromq:
		return // for ever
	case seq != p.want:
		h.remove(p)
		return
	}
	p.want, p.heardAt = h.next(p.want), h.net.now
	switch id {
	case PingID:
		h.send(p, NewZreMsg(PingOkID))
	case WhisperID:
		h.heard[string(frames[0])]++
		p.received++
	}
}

func (h *simForeign) sight(uuid [16]byte, endpoint string) {
	p := h.require(uuid, endpoint)
	if h.kind != simLibzyre {
		p.heardAt = h.net.now
	}
}

func (h *simForeign) bye(uuid [16]byte) {
	if p := h.peers[uuid]; p != nil {
		h.remove(p)
	}
}

func (h *simForeign) thaw(time.Duration) {}

// turn pings and expires peers, each second.
func (h *simForeign) turn() {
	if h.net.now.Sub(h.pinged) < time.Second {
		return
	}
	h.pinged = h.net.now
	evasive, expired := 5*time.Second, 30*time.Second
	if h.kind == simGoZeromq {
		evasive, expired = 3*time.Second, 5*time.Second
	}
	for _, p := range h.peers {
		idle := h.net.now.Sub(p.heardAt)
		if idle >= expired {
			h.remove(p)
		} else if idle >= evasive {
			h.send(p, NewZreMsg(PingID))
		}
	}
}

// whisper sends a whisper to a peer that is ready, and tells if it was one.
func (h *simForeign) whisper(to [16]byte, text string) bool {
	p := h.peers[to]
	if p == nil || !p.ready {
		return false
	}
	m := NewZreMsg(WhisperID)
	m.Content = []byte(text)
	h.send(p, m)
	return true
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
		if b.heard[text] != 1 {
			s.fatalf("%s did not get %q", b.kind, text)
		}
		if got := w.whispers - before; !sent || got != 1 {
			s.fatalf("whisper %q of %s: sent %t, arrived %d times", text, b.kind, sent, got)
		}
	default:
		s.fatalf("exchange with %s", fmt.Sprintf("%T", h))
	}
}
