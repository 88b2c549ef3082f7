package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestAppender_layout(t *testing.T) {
	tests := []struct {
		name string
		add  func(*Appender)
		want string
	}{
		{"uint8", func(a *Appender) { a.Uint8(0xAB) }, "ab"},
		{"uint16", func(a *Appender) { a.Uint16(0xAAA1) }, "aaa1"},
		{"uint32", func(a *Appender) { a.Uint32(0x01020304) }, "01020304"},
		{"string", func(a *Appender) { a.String("GLOBAL") }, "06" + "474c4f42414c"},
		{"empty string", func(a *Appender) { a.String("") }, "00"},
		{"UTF-8 counts bytes", func(a *Appender) { a.String("é") }, "02" + "c3a9"},
		{"longest string", func(a *Appender) { a.String(strings.Repeat("N", 255)) }, "ff" + strings.Repeat("4e", 255)},
		{"longstr", func(a *Appender) { a.Longstr("VALUE") }, "00000005" + "56414c5545"},
		{"longstr of 256", func(a *Appender) { a.Longstr(strings.Repeat("x", 256)) }, "00000100" + strings.Repeat("78", 256)},
		{"count", func(a *Appender) { a.Count(3) }, "00000003"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := NewAppender([]byte{0xEE})
			tt.add(&a)
			b, err := a.Bytes()
			if got := hex.EncodeToString(b); got != "ee"+tt.want || err != nil {
				t.Errorf("append = %s, %v, want ee%s, nil", got, err, tt.want)
			}
		})
	}
}

func TestAppender_tooLong(t *testing.T) {
	tests := []struct {
		name string
		add  func(*Appender)
	}{
		{"string of 256", func(a *Appender) { a.String(strings.Repeat("N", 256)) }},
		{"beyond a limit", func(a *Appender) { a.Limit(4, 3) }},
		{"negative count", func(a *Appender) { a.Count(-1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := NewAppender(nil)
			a.Uint8(1)
			tt.add(&a)
			a.Uint8(2) // sticky: added nowhere
			a.Uint16(2)
			a.String("x")
			a.Longstr("x")
			b, err := a.Bytes()
			if !errors.Is(err, ErrTooLong) || !bytes.Equal(b, []byte{1}) {
				t.Errorf("Bytes() = %x, %v, want 01, ErrTooLong", b, err)
			}
		})
	}
}

func TestAppender_noAllocation(t *testing.T) {
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		a := NewAppender(buf)
		a.Uint16(0xAAA1)
		a.String("group")
		a.Longstr("value")
		a.Bytes()
	}); n != 0 {
		t.Errorf("append allocates %v times, want 0", n)
	}
}
