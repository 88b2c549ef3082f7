package zgossip

import (
	"bytes"
	"encoding/binary"
	"errors"
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
	headSize  = 4

	// MaxKey is the longest key in bytes: its length is one byte on the wire.
	MaxKey = 255
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
	ttl   uint32 // ms; CZMQ sends what happens to lie there, so nobody reads it
}

// parse reads frame into m, or refuses it whole. Bytes after the last field
// are ignored, as CZMQ does.
func (m *msg) parse(frame []byte) error {
	*m = msg{}
	switch {
	case len(frame) < headSize:
		return errShort
	case binary.BigEndian.Uint16(frame) != signature:
		return errSignature
	case frame[2] < idHello || frame[2] > idInvalid:
		return errID
	case frame[3] != version:
		return errVersion
	case frame[2] == idPublish:
		return m.parsePublish(frame[headSize:])
	}
	m.id = frame[2]
	return nil
}

func (m *msg) parsePublish(b []byte) error {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return errShort
	}
	end := 1 + int(b[0])
	key, b := b[1:end], b[end:]
	if len(b) < 4 {
		return errShort
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(len(b)) < uint64(n)+4 {
		return errShort
	}
	value := b[:n]
	// A NUL ends a string in C: its owner there would see another key.
	if len(key) == 0 || bytes.IndexByte(key, 0) >= 0 {
		return errKey
	}
	if len(value) > MaxValue || bytes.IndexByte(value, 0) >= 0 {
		return errValue
	}
	*m = msg{id: idPublish, key: key, value: value, ttl: binary.BigEndian.Uint32(b[n:])}
	return nil
}

// appendHead appends a whole frame of a command that has no fields.
func appendHead(b []byte, id byte) []byte {
	return append(b, signature>>8, signature&0xFF, id, version)
}

// appendPublish appends a PUBLISH frame. The key must not exceed MaxKey.
func appendPublish(b []byte, key, value string, ttl uint32) []byte {
	b = appendHead(b, idPublish)
	b = append(b, byte(len(key)))
	b = append(b, key...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	return binary.BigEndian.AppendUint32(b, ttl)
}
