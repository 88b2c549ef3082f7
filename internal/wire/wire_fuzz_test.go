package wire

import (
	"bytes"
	"testing"
)

// FuzzWire reads a frame with the fields that a script names, and writes what was
// read: the bytes must come back.
func FuzzWire(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4}, []byte{1, 0, 2, 0, 0, 0, 3, 1, 'G', 0, 0, 0, 1, 'V'})
	f.Add([]byte{5, 4, 4}, []byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{5}, []byte{0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{4}, []byte{0x80, 0, 0, 0, 1})
	f.Add([]byte{3}, []byte{0xFF, 'a'})
	f.Fuzz(func(t *testing.T, script, frame []byte) {
		c := NewCursor(frame)
		a := NewAppender(nil)
		for _, op := range script {
			left := len(c.Rest())
			step(t, op, &c, &a)
			if len(c.Rest()) > left {
				t.Fatalf("op %d: %d bytes left after %d", op%6, len(c.Rest()), left)
			}
			if c.Err() != nil {
				if len(c.Rest()) != 0 {
					t.Fatalf("op %d: %d bytes left after an error", op%6, len(c.Rest()))
				}
				return
			}
			read := c.Since(frame)
			written, err := a.Bytes()
			if err != nil || !bytes.Equal(read, written) {
				t.Fatalf("op %d: wrote %x, %v, want %x, nil", op%6, written, err, read)
			}
		}
	})
}

// step reads one field and, if it was there, writes it.
func step(t *testing.T, op byte, c *Cursor, a *Appender) {
	t.Helper()
	switch op % 6 {
	case 0:
		if v := c.Uint8(); c.Err() == nil {
			a.Uint8(v)
		}
	case 1:
		if v := c.Uint16(); c.Err() == nil {
			a.Uint16(v)
		}
	case 2:
		if v := c.Uint32(); c.Err() == nil {
			a.Uint32(v)
		}
	case 3:
		if v := c.String(); c.Err() == nil {
			a.String(string(v))
		}
	case 4:
		if v := c.Longstr(); c.Err() == nil {
			a.Longstr(string(v))
		}
	case 5:
		if n := c.Count(4); c.Err() == nil {
			if n > len(c.Rest())/4 {
				t.Fatalf("Count(4) = %d with %d bytes left", n, len(c.Rest()))
			}
			a.Count(n)
		}
	}
}
