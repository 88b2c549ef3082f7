package zyre

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-zyre/zyre/internal/wire"
)

// Signature opens every ZRE frame (RFC 36): 0xAAA0 with ZRE's number, 1.
const Signature uint16 = 0xAAA0 | 1

// Version is the protocol version in every ZRE frame. RFC 43, the draft that came
// after RFC 36, says 3, but all implementations write and expect 2.
const Version byte = 2

// The ids of the ZRE commands. The first seven are RFC 36's; ELECT, LEADER and
// GOODBYE are libzyre's, and peers of other make may not know them.
const (
	HelloID   uint8 = 1  // greets a peer, first on every connection
	WhisperID uint8 = 2  // a message to one peer
	ShoutID   uint8 = 3  // a message to a group
	JoinID    uint8 = 4  // the sender joined a group
	LeaveID   uint8 = 5  // the sender left a group
	PingID    uint8 = 6  // asks a peer that is quiet for a sign of life
	PingOkID  uint8 = 7  // the answer to PING
	ElectID   uint8 = 8  // challenges for the lead of a group
	LeaderID  uint8 = 9  // announces the leader of a group
	GoodbyeID uint8 = 10 // the sender stops
)

// identitySize is the length of a node's routing id: the byte 1 and its UUID.
const identitySize = 17

var (
	errBadSignature = errors.New("not a ZRE frame")
	errBadVersion   = errors.New("not ZRE version 2")
	errUnknownID    = errors.New("unknown ZRE command")
	errMalformed    = errors.New("malformed ZRE frame")
	errTooLarge     = errors.New("header frame too large")
	errNilSocket    = errors.New("socket is nil")
	errNilMessage   = errors.New("message is nil")
	errNoRouting    = errors.New("no routing id for the ROUTER socket")
)

// ZreMsg is one message of the ZRE protocol. On the wire it is a header frame and,
// for WHISPER and SHOUT, one or more content frames. The header frame is
//
//	0xAA 0xA1 | id 1 | version 1 (2) | sequence 2 | fields
//
// with numbers in network order, and these fields and content frames:
//
//	 1 HELLO    endpoint string, groups strings, status 1, name string,
//	            headers dictionary
//	 2 WHISPER                                   + content frames
//	 3 SHOUT    group string                     + content frames
//	 4 JOIN     group string, status 1
//	 5 LEAVE    group string, status 1
//	 6 PING
//	 7 PING-OK
//	 8 ELECT    group string, challenger string
//	 9 LEADER   group string, leader string
//	10 GOODBYE
//
//	string     = length 1, bytes
//	longstr    = length 4, bytes
//	strings    = count 4, longstr...
//	dictionary = count 4, (key string, value longstr)...
//
// Only the fields of the message's own command are sent and received. A ZreMsg is
// not safe for use by several goroutines while one of them changes it. It is for programs
// that speak ZRE by themselves.
type ZreMsg struct {
	Endpoint string            // HELLO: where the sender's mailbox is, as tcp://host:port
	Groups   []string          // HELLO: the groups the sender is in, at most 255 bytes each
	Status   byte              // HELLO, JOIN, LEAVE: the sender's joins and leaves, modulo 256
	Name     string            // HELLO: the sender's name, at most 255 bytes
	Headers  map[string]string // HELLO: the sender's headers, keys of at most 255 bytes
	Content  []byte            // WHISPER, SHOUT: the first content frame
	Group    string            // SHOUT, JOIN, LEAVE, ELECT, LEADER: at most 255 bytes

	// Frames are all content frames of a WHISPER or SHOUT: nil if it came with
	// none, otherwise Frames[0] is Content. When sent, Frames go out if there are
	// any and Content is ignored; without Frames, Content is the only frame.
	Frames [][]byte

	id        uint8
	sequence  uint16
	routing   []byte // routing id of the sender, from and for a ROUTER
	candidate string // ELECT: the challenger; LEADER: the leader; 32 hexadecimal digits
}

// NewZreMsg returns an empty message with the command id, one of HelloID to
// GoodbyeID. With another id it can be made, but not sent. Headers is ready for
// use in a HELLO.
func NewZreMsg(id uint8) *ZreMsg {
	m := &ZreMsg{id: id}
	if id == HelloID {
		m.Headers = make(map[string]string)
	}
	return m
}

// content returns the content frames that m is sent with: at least one for a
// WHISPER or SHOUT, none for the others.
func (m *ZreMsg) content() [][]byte {
	switch {
	case m.id != WhisperID && m.id != ShoutID:
		return nil
	case len(m.Frames) > 0:
		return m.Frames
	}
	return [][]byte{m.Content}
}

// append adds m's header frame to b. After an error b is as it was.
func (m *ZreMsg) append(b []byte) ([]byte, error) {
	a := wire.NewAppender(appendPlain(b, m.id, m.sequence))
	switch m.id {
	case HelloID:
		m.appendHello(&a)
	case WhisperID, PingID, PingOkID, GoodbyeID:
	case ShoutID:
		a.String(m.Group)
	case JoinID, LeaveID:
		a.String(m.Group)
		a.Uint8(m.Status)
	case ElectID, LeaderID:
		a.String(m.Group)
		a.String(m.candidate)
	default:
		return b, fmt.Errorf("%w %d", errUnknownID, m.id)
	}
	frame, err := a.Bytes()
	if err != nil {
		return b, fmt.Errorf("encode command %d: %w", m.id, err)
	}
	return frame, nil
}

// appendHello adds the fields of a HELLO, headers sorted by key so that equal
// messages are equal frames.
func (m *ZreMsg) appendHello(a *wire.Appender) {
	a.String(m.Endpoint)
	a.Count(len(m.Groups))
	for _, group := range m.Groups {
		a.Limit(len(group), wire.MaxString) // JOIN and SHOUT hold no longer one
		a.Longstr(group)
	}
	a.Uint8(m.Status)
	a.String(m.Name)
	a.Count(len(m.Headers))
	var few [16]string // spares the usual node an allocation
	keys := few[:0]
	for key := range m.Headers {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		a.String(key)
		a.Longstr(m.Headers[key])
	}
}

// appendPlain adds a header frame without fields: all of a WHISPER, PING, PING-OK
// or GOODBYE.
func appendPlain(b []byte, id uint8, sequence uint16) []byte {
	return append(b, byte(Signature>>8), byte(Signature&0xFF), id, Version,
		byte(sequence>>8), byte(sequence))
}

// putSequence changes the sequence number of an encoded header frame, so that a
// SHOUT is encoded once for all its receivers. A frame without room is left alone.
func putSequence(frame []byte, sequence uint16) {
	if len(frame) >= 6 {
		frame[4], frame[5] = byte(sequence>>8), byte(sequence)
	}
}
