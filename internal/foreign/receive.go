package foreign

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-zyre/zyre/internal/wire"
)

// Message gives the model a message that came to its mailbox: the routing id of the
// sender, the header frame, and the frames after that.
func (m *Model) Message(now time.Time, from, header []byte, frames [][]byte) {
	uuid, ok := m.sender(from)
	if !ok || m.crashed {
		return
	}
	msg, err := Parse(header)
	if !m.takes(&msg, err) {
		return
	}
	if !m.read(&msg, frames) {
		m.crash("text or content that it cannot read")
		return
	}
	m.receive(now, uuid, &msg)
	if !m.crashed {
		m.lookAtMembers()
		m.hearElection(uuid, &msg)
	}
}

// sender returns whose a routing id is. The first byte is never looked at.
func (m *Model) sender(from []byte) (uuid [16]byte, ok bool) {
	if len(from) < 2 || m.traits.RoutingIDSize > 0 && len(from) != m.traits.RoutingIDSize {
		return uuid, false
	}
	copy(uuid[:], from[1:])
	return uuid, true
}

// takes decides about a message by what Parse said.
func (m *Model) takes(msg *Message, err error) bool {
	switch {
	case errors.Is(err, ErrSignature):
		return false
	case m.traits.ParsesHalf && (errors.Is(err, ErrVersion) || msg.ID > m.traits.LastID || errors.Is(err, ErrUnknownID)):
		*msg = Message{ID: msg.ID}
		return true
	case errors.Is(err, ErrVersion):
		return false
	case msg.ID > m.traits.LastID || errors.Is(err, ErrUnknownID):
		return m.react(m.traits.UnknownID, "a command that it does not know")
	case errors.Is(err, wire.ErrShort):
		return m.react(m.traits.Malformed, "a message cut short")
	}
	return msg.ID != HelloID || msg.Sequence == 1 || !m.traits.HelloFirst
}

// react reports whether to go on.
func (m *Model) react(r Reaction, reason string) bool {
	if r == Crash {
		m.crash(reason)
	}
	return r == Accept
}

// read puts the content into a message, and its texts as the implementation sees them.
// It reports whether the implementation survives that.
func (m *Model) read(msg *Message, frames [][]byte) bool {
	if msg.ID == WhisperID || msg.ID == ShoutID {
		if len(frames) == 0 && m.traits.NoContent == Crash {
			return false
		}
		if len(frames) > 1 && !m.traits.AllFrames {
			frames = frames[:1]
		}
		msg.Content = frames
	}
	texts := []*string{&msg.Endpoint, &msg.Name, &msg.Group, &msg.Candidate}
	for i := range msg.Groups {
		texts = append(texts, &msg.Groups[i])
	}
	for i := range msg.Headers {
		texts = append(texts, &msg.Headers[i].Key, &msg.Headers[i].Value)
	}
	for _, s := range texts {
		if m.traits.BadText == Crash && !utf8.ValidString(*s) {
			return false
		}
		if m.traits.ReplacesText {
			*s = strings.ToValidUTF8(*s, "\uFFFD")
		}
		if m.traits.CString {
			*s, _, _ = strings.Cut(*s, "\x00")
		}
	}
	return true
}

// receive is the state machine of a peer.
func (m *Model) receive(now time.Time, uuid [16]byte, msg *Message) {
	p := m.find(uuid)
	if msg.ID == HelloID {
		if p != nil && p.ready && m.traits.RepeatedHello == Accept {
			m.remove(p)
		}
		if p = m.require(now, uuid, msg.Endpoint); p == nil {
			return
		}
		p.ready = true
	}
	switch {
	case p == nil:
		return
	case !p.ready && m.traits.BeforeHello == Remove:
		m.remove(p)
		return
	case !p.ready && m.traits.BeforeHello == Ignore:
		return
	case msg.Sequence != p.want:
		if m.traits.Gap == Remove {
			m.remove(p)
		}
		return
	}
	p.want = m.next(p.want)
	p.refresh(now)
	m.dispatch(p, msg)
}

// dispatch carries out a command that is in sequence.
func (m *Model) dispatch(p *peer, msg *Message) {
	switch msg.ID {
	case HelloID:
		m.enter(p, msg)
	case WhisperID:
		m.report(p, Event{Type: Whisper, Content: msg.Content})
	case ShoutID:
		if !m.traits.OwnGroupsOnly || slices.Contains(m.groups, msg.Group) {
			m.report(p, Event{Type: Shout, Group: msg.Group, Content: msg.Content})
		}
	case JoinID:
		if !slices.Contains(p.groups, msg.Group) {
			p.groups = append(p.groups, msg.Group)
		}
		m.report(p, Event{Type: Join, Group: msg.Group})
		m.changed(p, msg.Status)
	case LeaveID:
		p.groups = slices.DeleteFunc(p.groups, func(g string) bool { return g == msg.Group })
		m.report(p, Event{Type: Leave, Group: msg.Group})
		m.changed(p, msg.Status)
	case PingID:
		m.send(p, Message{ID: PingOkID})
	case GoodbyeID:
		if m.cfg.Gossip && m.traits.LastID >= GoodbyeID {
			m.remove(p)
		}
	}
}

// enter takes what HELLO says of a peer, and reports it.
func (m *Model) enter(p *peer, msg *Message) {
	m.memberEnters(p.uuid)
	p.name, p.status = msg.Name, msg.Status
	joins := func() {
		for _, g := range msg.Groups {
			if !slices.Contains(p.groups, g) {
				p.groups = append(p.groups, g)
			}
			m.report(p, Event{Type: Join, Group: g})
		}
	}
	if m.traits.JoinFirst {
		joins()
	}
	p.entered = true
	m.report(p, Event{Type: Enter, Headers: m.headers(msg.Headers)})
	if !m.traits.JoinFirst {
		joins()
	}
}

// headers drops all but one of equal headers.
func (m *Model) headers(all []Header) []Header {
	var list []Header
	for _, h := range all {
		i := slices.IndexFunc(list, func(o Header) bool { return o.Key == h.Key })
		switch {
		case i < 0:
			list = append(list, h)
		case !m.traits.CString:
			list[i] = h
		}
	}
	return list
}

// changed checks the status of JOIN and LEAVE.
func (m *Model) changed(p *peer, status uint8) {
	if status != p.status+1 && m.traits.BadStatus == Crash {
		m.crash("JOIN or LEAVE with a wrong status")
	}
	p.status = status
}
