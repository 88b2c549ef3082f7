package wire

import (
	"encoding/hex"
	"errors"
	"testing"
)

func TestCursor_fields(t *testing.T) {
	frame := unhex(t, "ab"+"aaa1"+"01020304"+"0147"+"00000003414243"+"00000002"+"0000")
	c := NewCursor(frame)
	if got := c.Uint8(); got != 0xAB {
		t.Errorf("Uint8() = %#x, want 0xab", got)
	}
	if got := c.Uint16(); got != 0xAAA1 {
		t.Errorf("Uint16() = %#x, want 0xaaa1", got)
	}
	if got := c.Uint32(); got != 0x01020304 {
		t.Errorf("Uint32() = %#x, want 0x01020304", got)
	}
	start := c.Rest()
	if got := c.String(); string(got) != "G" {
		t.Errorf("String() = %q, want G", got)
	}
	if got := c.Longstr(); string(got) != "ABC" || cap(got) != 3 {
		t.Errorf("Longstr() = %q with capacity %d, want ABC, 3", got, cap(got))
	}
	if got := hex.EncodeToString(c.Since(start)); got != "0147"+"00000003414243" {
		t.Errorf("Since = %s, want the string and the longstr", got)
	}
	if got := c.Count(1); got != 2 {
		t.Errorf("Count(1) = %d, want 2", got)
	}
	if len(c.Rest()) != 2 || c.Err() != nil {
		t.Errorf("Rest() = %x, Err() = %v, want 2 bytes, nil", c.Rest(), c.Err())
	}
}

func TestCursor_short(t *testing.T) {
	tests := []struct {
		name  string
		frame string
		read  func(*Cursor) bool // reports whether the field is zero
	}{
		{"uint8", "", func(c *Cursor) bool { return c.Uint8() == 0 }},
		{"uint16", "ff", func(c *Cursor) bool { return c.Uint16() == 0 }},
		{"uint32", "ffffff", func(c *Cursor) bool { return c.Uint32() == 0 }},
		{"string without length", "", func(c *Cursor) bool { return c.String() == nil }},
		{"string cut", "034142", func(c *Cursor) bool { return c.String() == nil }},
		{"longstr without length", "000000", func(c *Cursor) bool { return c.Longstr() == nil }},
		{"longstr cut", "00000003" + "4142", func(c *Cursor) bool { return c.Longstr() == nil }},
		{"longstr of 4 GB", "ffffffff" + "4142", func(c *Cursor) bool { return c.Longstr() == nil }},
		{"longstr of 2 GB", "80000000" + "4142", func(c *Cursor) bool { return c.Longstr() == nil }},
		{"count of 4 G", "ffffffff" + "4142", func(c *Cursor) bool { return c.Count(1) == 0 }},
		{"count whose product overflows", "40000001" + "41424344", func(c *Cursor) bool { return c.Count(4) == 0 }},
		{"count one too many", "00000002" + "41424344414243", func(c *Cursor) bool { return c.Count(4) == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewCursor(unhex(t, tt.frame))
			start := c.Rest()
			if !tt.read(&c) {
				t.Error("the field is not zero")
			}
			if !errors.Is(c.Err(), ErrShort) {
				t.Errorf("Err() = %v, want ErrShort", c.Err())
			}
			if c.Uint8() != 0 || c.Longstr() != nil || c.Bytes(0) != nil || c.Since(start) != nil || len(c.Rest()) != 0 {
				t.Error("a field was read after the error")
			}
		})
	}
}

func TestCursor_zeroValue(t *testing.T) {
	var c Cursor
	if got := c.Bytes(0); got == nil || c.Err() != nil {
		t.Errorf("Bytes(0) = %v, Err() = %v, want empty, nil", got, c.Err())
	}
}

func TestCursor_noAllocation(t *testing.T) {
	frame := unhex(t, "aaa1"+"0147"+"00000003414243"+"ffffffff")
	if n := testing.AllocsPerRun(100, func() {
		c := NewCursor(frame)
		c.Uint16()
		c.String()
		c.Longstr()
		c.Count(4)
		if c.Err() == nil {
			t.Error("Err() = nil, want ErrShort")
		}
	}); n != 0 {
		t.Errorf("reading allocates %v times, want 0", n)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("DecodeString(%q) = %v", s, err)
	}
	return b
}
