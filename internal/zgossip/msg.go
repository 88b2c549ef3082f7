package zgossip

import (
	"bytes"
	"errors"

	"github.com/go-zyre/zyre/internal/wire"
)

// Commands of the protocol.
const (
	idHello   = 1
	idPublish = 2
	idPing    = 3
	idPong    = 4
	idInvalid = 5
)

const (
	signature = 0xAAA0
	version   = 1

	// MaxKey is the longest key in bytes: its length is one byte on the wire.
	MaxKey = wire.MaxString
	// MaxValue is the longest value in bytes that is taken or published. An
	// endpoint with a name of 253 characters and a CURVE key has less than 400.
	MaxValue = 1024
)

// The reasons for which a frame is refused.
var (
	errShort     = errors.New("zgossip: frame cut short")
	errSignature = errors.New("zgossip: wrong signature")
	errVersion   = errors.New("zgossip: unknown version")
	errID        = errors.New("zgossip: unknown command")
	errKey       = errors.New("zgossip: bad key")
	errValue     = errors.New("zgossip: bad value")
)

// msg is one parsed frame. key and value borrow from the frame.
type msg struct {
	id    byte
	key   []byte
	value []byte
	ttl   uint32 // in ms; ignored, because CZMQ sends whatever value its memory holds
}

// parse reads frame into m, or refuses it whole. Bytes after the last field
// are ignored, as CZMQ does.
func (m *msg) parse(frame []byte) error {
	*m = msg{}
	c := wire.NewCursor(frame)
	sign, id, v := c.Uint16(), c.Uint8(), c.Uint8()
	switch {
	case c.Err() != nil:
		return errShort
	case sign != signature:
		return errSignature
	case id < idHello || id > idInvalid:
		return errID
	case v != version:
		return errVersion
	case id == idPublish:
		return m.parsePublish(&c)
	}
	m.id = id
	return nil
}

func (m *msg) parsePublish(c *wire.Cursor) error {
	key, value, ttl := c.String(), c.Longstr(), c.Uint32()
	switch {
	case c.Err() != nil:
		return errShort
	// For a program in C a NUL would end the key, which would be another one then.
	case len(key) == 0 || bytes.IndexByte(key, 0) >= 0:
		return errKey
	case len(value) > MaxValue || bytes.IndexByte(value, 0) >= 0:
		return errValue
	}
	*m = msg{id: idPublish, key: key, value: value, ttl: ttl}
	return nil
}

// appendHead appends a whole frame of a command that has no fields.
func appendHead(b []byte, id byte) []byte {
	return append(b, signature>>8, signature&0xFF, id, version)
}

// appendPublish appends a PUBLISH frame. The key must not exceed MaxKey.
func appendPublish(b []byte, key, value string, ttl uint32) []byte {
	a := wire.NewAppender(appendHead(b, idPublish))
	a.String(key)
	a.Longstr(value)
	a.Uint32(ttl)
	b, _ = a.Bytes() // no error: keys and values are checked before they get into the table
	return b
}
