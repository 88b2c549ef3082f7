// Package wire holds the primitives that the ZRE and gossip codecs are made of:
// numbers in network order, strings with a one-byte length and long strings
// with a four-byte length, as RFC 36 (ZRE) and the gossip protocol write them.
//
// An [Appender] adds fields to the end of a buffer, a [Cursor] walks through the
// fields of a received frame and borrows them. Both keep the first error, so a
// codec reads like the grammar and checks once at the end. Neither allocates,
// except for the error text of an Appender and the growth of its buffer.
package wire

import "errors"

const (
	// MaxString is the longest string, in bytes: its length is one byte.
	MaxString = 1<<8 - 1
	// MaxLongstr is the longest long string, in bytes: its length is four bytes.
	MaxLongstr = 1<<32 - 1
)

var (
	// ErrShort says that a frame ends before the field that was asked for, or
	// that it announces more than it can hold.
	ErrShort = errors.New("frame too short")
	// ErrTooLong says that a value does not fit its length field.
	ErrTooLong = errors.New("value too long")
)
