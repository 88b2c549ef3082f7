package monitor

import (
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain, with Ünï¢ödé and 日本", "plain, with Ünï¢ödé and 日本"},
		{"\x1b[31mred\a\r\n\t\x00", `\x1b[31mred\x07\x0d\x0a\x09\x00`},
		{"\x9b31m", `\x9b31m`},
		{"\u009b31m", `\x9b31m`},
		{"\u202eevil\u2066\ufeff\u200f", `\u202eevil\u2066\ufeff\u200f`},
		{"שלום", "שלום"},
		{"\xff\xc0\x80", `\xff\xc0\x80`},
		{`back\slash`, `back\\slash`},
		{"e" + strings.Repeat("\u0301", 50), "e" + strings.Repeat("\u0301", maxMarks)},
		{"\u0301", `\u0301`},
		{"\U000e0041\u2028", `\U000e0041\u2028`},
		{strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{strings.Repeat("x", 256), strings.Repeat("x", 255) + "…"},
		{strings.Repeat("é", 128), strings.Repeat("é", 127) + "…"},
		{"<script>alert(1)</script>", "<script>alert(1)</script>"},
	} {
		if got := Printable(c.in); got != c.want {
			t.Errorf("Printable(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := asHex([]byte{0, 255, 16}); got != "00 ff 10" {
		t.Errorf("asHex = %q", got)
	}
}

// Whatever comes in, what goes out is printable.
func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b\u202e\xff\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Printable(s) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xad || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Errorf("Printable(%q) has %q", s, r)
			}
		}
	})
}
