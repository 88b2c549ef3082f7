package wire

import (
	"encoding/binary"
	"fmt"
)

// Appender adds fields to the end of a buffer. The first field that does not fit
// its length is its error, and nothing is added after it. Make one with
// [NewAppender]; the zero value appends to a new buffer.
type Appender struct {
	buf []byte
	err error
}

// NewAppender returns an Appender that adds to the end of b. It takes b over
// until [Appender.Bytes] gives it back.
func NewAppender(b []byte) Appender { return Appender{buf: b} }

// Bytes returns the buffer with everything added so far, and the first error.
func (a *Appender) Bytes() ([]byte, error) { return a.buf, a.err }

// Uint8 adds one byte.
func (a *Appender) Uint8(v uint8) {
	if a.err == nil {
		a.buf = append(a.buf, v)
	}
}

// Uint16 adds two bytes in network order.
func (a *Appender) Uint16(v uint16) {
	if a.err == nil {
		a.buf = binary.BigEndian.AppendUint16(a.buf, v)
	}
}

// Uint32 adds four bytes in network order.
func (a *Appender) Uint32(v uint32) {
	if a.err == nil {
		a.buf = binary.BigEndian.AppendUint32(a.buf, v)
	}
}

// String adds a one-byte length and s. The error is [ErrTooLong] if s is longer
// than [MaxString]; it is never cut.
func (a *Appender) String(s string) {
	a.Limit(len(s), MaxString)
	if a.err == nil {
		a.buf = append(a.buf, uint8(len(s)))
		a.buf = append(a.buf, s...)
	}
}

// Longstr adds a four-byte length and s. The error is [ErrTooLong] if s is longer
// than [MaxLongstr]; it is never cut.
func (a *Appender) Longstr(s string) {
	a.Count(len(s))
	if a.err == nil {
		a.buf = append(a.buf, s...)
	}
}

// Count adds n as four bytes: the length of what follows, in bytes or items. The
// error is [ErrTooLong] if n is negative or greater than [MaxLongstr].
func (a *Appender) Count(n int) {
	a.Limit(n, MaxLongstr)
	a.Uint32(uint32(n))
}

// Limit makes [ErrTooLong] the error if n is negative or greater than limit. It
// serves protocols that allow a field less than its length could say.
func (a *Appender) Limit(n int, limit uint64) {
	if a.err == nil && uint64(n) > limit { // a negative n is huge
		a.err = fmt.Errorf("%w: %d, at most %d", ErrTooLong, n, limit)
	}
}
