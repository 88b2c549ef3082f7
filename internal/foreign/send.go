package foreign

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-zyre/zyre/internal/wire"
)

// Whisper sends to a peer. It reports whether there is such a peer.
func (m *Model) Whisper(to [16]byte, content ...[]byte) bool {
	p := m.find(to)
	if p == nil || m.crashed {
		return false
	}
	m.send(p, Message{ID: WhisperID, Content: m.contentOut(content)})
	return true
}

// Shout sends to all peers in a group, and returns how many there are.
func (m *Model) Shout(group string, content ...[]byte) int {
	if m.crashed {
		return 0
	}
	n := 0
	for _, p := range m.peers {
		if slices.Contains(p.groups, group) {
			m.send(p, Message{ID: ShoutID, Group: group, Content: m.contentOut(content)})
			n++
		}
	}
	return n
}

// Join joins a group and tells all peers.
func (m *Model) Join(group string) {
	if m.crashed || slices.Contains(m.groups, group) && !m.traits.RepeatsJoin {
		return
	}
	m.groups = append(m.groups, group)
	m.tellChange(JoinID, group)
}

// Leave leaves a group and tells all peers.
func (m *Model) Leave(group string) {
	i := slices.Index(m.groups, group)
	if m.crashed || i < 0 {
		return
	}
	m.groups = slices.Delete(m.groups, i, i+1)
	m.tellChange(LeaveID, group)
}

func (m *Model) tellChange(id uint8, group string) {
	m.status++
	if m.status == m.traits.StatusModulo {
		if m.traits.StatusOverflow {
			m.crash("its own status is too great")
			return
		}
		m.status = 0
	}
	for _, p := range m.peers {
		m.send(p, Message{ID: id, Group: group, Status: uint8(m.status)})
	}
}

// Hello returns the model's HELLO, as it is now.
func (m *Model) Hello() Message {
	return Message{
		ID: HelloID, Endpoint: m.cfg.Endpoint, Groups: slices.Clone(m.groups), Status: uint8(m.status),
		Name: m.cfg.Name, Headers: m.cfg.Headers,
	}
}

// SayHelloAgain opens a fresh connection to a peer and says HELLO on it, but goes on to
// hold the peer ready: what an implementation never does by itself. Tests begin storms
// with it. More than once it says the same HELLO as many times.
func (m *Model) SayHelloAgain(uuid [16]byte, times int) {
	p := m.find(uuid)
	if p == nil || m.crashed {
		return
	}
	m.disconnect(p)
	if m.port.Dial(uuid, p.endpoint) == nil {
		p.connected = true
		for range times {
			p.sent = 0
			m.send(p, m.Hello())
		}
	}
}

// contentOut is what the implementation sends of some frames.
func (m *Model) contentOut(frames [][]byte) [][]byte {
	if !m.traits.AllFrames && len(frames) > 1 {
		return frames[:1]
	}
	return frames
}

// send sends a message with the next sequence number. One that cannot be encoded is
// not sent: implementations report an error to their application.
func (m *Model) send(p *peer, msg Message) {
	if !p.connected {
		return
	}
	msg.Sequence = m.next(p.sent)
	m.spell(&msg)
	header, err := msg.Append(nil)
	if err != nil {
		return
	}
	p.sent = msg.Sequence
	m.port.Send(p.uuid, header, msg.Content)
}

// next counts a sequence number on.
func (m *Model) next(sequence uint16) uint16 {
	return uint16((int(sequence) + 1) % m.traits.SequenceModulo)
}

// spell writes the texts of a message as the implementation does.
func (m *Model) spell(msg *Message) {
	msg.Endpoint, msg.Name, msg.Group = m.short(msg.Endpoint), m.short(msg.Name), m.short(msg.Group)
	for i, g := range msg.Groups {
		msg.Groups[i] = m.long(g)
	}
	headers := slices.Clone(msg.Headers)
	for i, h := range headers {
		headers[i] = Header{m.short(h.Key), m.long(h.Value)}
	}
	msg.Headers = headers
}

// short is how a text with a one-byte length is written.
func (m *Model) short(s string) string {
	if m.traits.CString && len(s) > wire.MaxString {
		s = s[:wire.MaxString]
	}
	return m.long(s)
}

// long is how a text with a four-byte length is written.
func (m *Model) long(s string) string {
	if m.traits.CountsRunes {
		return s[:utf8.RuneCountInString(s)]
	}
	return s
}

// canConnect reports whether libzmq takes an endpoint.
func canConnect(endpoint string) bool {
	scheme, address, ok := strings.Cut(endpoint, "://")
	switch {
	case !ok || address == "":
		return false
	case scheme == "tcp":
		i := strings.LastIndexByte(address, ':')
		return i > 0 && i < len(address)-1
	}
	return scheme == "ipc" || scheme == "inproc"
}
