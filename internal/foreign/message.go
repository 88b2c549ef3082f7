package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-zyre/zyre/internal/wire"
)

// The commands of ZRE. RFC 36 has the first seven, libzyre all ten.
const (
	HelloID   = 1
	WhisperID = 2
	ShoutID   = 3
	JoinID    = 4
	LeaveID   = 5
	PingID    = 6
	PingOkID  = 7
	ElectID   = 8
	LeaderID  = 9
	GoodbyeID = 10
)

const (
	signature  = 0xAAA1
	version    = 2
	sequenceAt = 4 // offset in the header
)

// What [Parse] reports beside wire.ErrShort.
var (
	ErrSignature = errors.New("foreign: not a ZRE message")
	ErrVersion   = errors.New("foreign: another version of ZRE")
	ErrUnknownID = errors.New("foreign: unknown command")
)

// A Header is one pair of the dictionary in HELLO.
type Header struct {
	Key   string // at most 255 bytes
	Value string // at most 4 GiB
}

// A Message is one ZRE message:
//
//	signature 0xAAA1 | id (1) | version 2 (1) | sequence (2) | fields
//
// Fields that its command does not have are zero.
type Message struct {
	ID       uint8  // the command
	Sequence uint16 // counts the messages on a connection from 1

	Endpoint string   // HELLO
	Groups   []string // HELLO
	Status   uint8    // HELLO, JOIN, LEAVE
	Name     string   // HELLO
	Headers  []Header // HELLO, in the order of the wire

	Group     string // SHOUT, JOIN, LEAVE, ELECT, LEADER
	Candidate string // ELECT, LEADER: 32 upper-case hexadecimal digits

	Content [][]byte // WHISPER, SHOUT: the frames after the header
}

// Append adds the header frame to b. Commands that are not known have no fields.
func (m *Message) Append(b []byte) ([]byte, error) {
	a := wire.NewAppender(b)
	a.Uint16(signature)
	a.Uint8(m.ID)
	a.Uint8(version)
	a.Uint16(m.Sequence)
	switch m.ID {
	case HelloID:
		m.appendHello(&a)
	case ShoutID:
		a.String(m.Group)
	case JoinID, LeaveID:
		a.String(m.Group)
		a.Uint8(m.Status)
	case ElectID, LeaderID:
		a.String(m.Group)
		a.String(m.Candidate)
	}
	b, err := a.Bytes()
	if err != nil {
		return nil, fmt.Errorf("foreign: encode command %d: %w", m.ID, err)
	}
	return b, nil
}

func (m *Message) appendHello(a *wire.Appender) {
	a.String(m.Endpoint)
	a.Count(len(m.Groups))
	for _, g := range m.Groups {
		a.Longstr(g)
	}
	a.Uint8(m.Status)
	a.String(m.Name)
	a.Count(len(m.Headers))
	for _, h := range m.Headers {
		a.String(h.Key)
		a.Longstr(h.Value)
	}
}

// Frames returns the whole message, header first.
func (m *Message) Frames() ([][]byte, error) {
	header, err := m.Append(nil)
	if err != nil {
		return nil, err
	}
	return append([][]byte{header}, m.Content...), nil
}

// Parse decodes a header frame. Together with wire.ErrShort it returns the fields
// before the one that was cut, because libzyre and gyre go on with those; together
// with ErrVersion and ErrUnknownID the id and the sequence. Bytes that are left over
// are no error: no implementation minds them.
func Parse(header []byte) (Message, error) {
	c := wire.NewCursor(header)
	if c.Uint16() != signature || c.Err() != nil {
		return Message{}, ErrSignature
	}
	m := Message{ID: c.Uint8()}
	v := c.Uint8()
	m.Sequence = c.Uint16()
	switch {
	case len(header) > sequenceAt-1 && v != version:
		return m, ErrVersion
	case c.Err() != nil:
		return m, wire.ErrShort
	case m.ID < HelloID || m.ID > GoodbyeID:
		return m, ErrUnknownID
	}
	switch m.ID {
	case HelloID:
		m.parseHello(&c)
	case ShoutID:
		m.Group = string(c.String())
	case JoinID, LeaveID:
		m.Group = string(c.String())
		m.Status = c.Uint8()
	case ElectID, LeaderID:
		m.Group = string(c.String())
		m.Candidate = string(c.String())
	}
	return m, c.Err()
}

// parseHello reads as many groups and headers as there are, whatever their number
// is said to be.
func (m *Message) parseHello(c *wire.Cursor) {
	m.Endpoint = string(c.String())
	for n := c.Uint32(); n > 0; n-- {
		g := c.Longstr()
		if c.Err() != nil {
			return
		}
		m.Groups = append(m.Groups, string(g))
	}
	m.Status = c.Uint8()
	m.Name = string(c.String())
	for n := c.Uint32(); n > 0; n-- {
		key, value := c.String(), c.Longstr()
		if c.Err() != nil {
			return
		}
		m.Headers = append(m.Headers, Header{string(key), string(value)})
	}
}

// SetSequence writes a sequence number into an encoded header frame.
func SetSequence(header []byte, sequence uint16) {
	binary.BigEndian.PutUint16(header[sequenceAt:], sequence)
}
