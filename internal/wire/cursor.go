package wire

import "encoding/binary"

// Cursor walks through the fields of a frame. What it returns is borrowed: it
// is part of the frame, valid as long as the frame is and not to be written to.
// The first field that the frame is too short for is its error; that field and
// all after it are zero. A Cursor never looks outside the frame, whatever the
// frame says. The zero value is a cursor over an empty frame.
type Cursor struct {
	rest  []byte
	short bool
}

// NewCursor returns a Cursor at the start of frame.
func NewCursor(frame []byte) Cursor { return Cursor{rest: frame} }

// Err returns [ErrShort] if a field was cut off, otherwise nil. Bytes that are
// left over are no error.
func (c *Cursor) Err() error {
	if c.short {
		return ErrShort
	}
	return nil
}

// Rest returns what has not been read: empty after an error.
func (c *Cursor) Rest() []byte { return c.rest }

// Uint8 reads one byte.
func (c *Cursor) Uint8() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads two bytes in network order.
func (c *Cursor) Uint16() uint16 {
	if b := c.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads four bytes in network order.
func (c *Cursor) Uint32() uint32 {
	if b := c.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// String reads a one-byte length and that many bytes.
func (c *Cursor) String() []byte { return c.Bytes(uint32(c.Uint8())) }

// Longstr reads a four-byte length and that many bytes.
func (c *Cursor) Longstr() []byte { return c.Bytes(c.Uint32()) }

// Count reads a four-byte number of items of at least size bytes each, size
// being 1 or more. It is an error if what is left cannot hold as many, so
// the number may safely size an allocation.
func (c *Cursor) Count(size uint32) int {
	n := c.Uint32()
	if uint64(n)*uint64(size) > uint64(len(c.rest)) {
		c.fail()
		return 0
	}
	return int(n)
}

// Bytes reads n bytes: nil after an error, otherwise never nil.
func (c *Cursor) Bytes(n uint32) []byte {
	if c.short || uint64(n) > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	if b == nil {
		b = []byte{}
	}
	return b
}

// Since returns what was read after start, which is an earlier [Cursor.Rest] of
// this cursor: nil after an error.
func (c *Cursor) Since(start []byte) []byte {
	n := len(start) - len(c.rest)
	if c.short || n < 0 {
		return nil
	}
	return start[:n:n]
}

// fail ends the walk.
func (c *Cursor) fail() {
	c.rest, c.short = nil, true
}
