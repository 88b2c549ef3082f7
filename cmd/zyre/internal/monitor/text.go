package monitor

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks in a row are shown: more of them paint over the
// lines above and below.
const maxMarks = 3

// maxText is how many bytes of a name, address or header are shown.
const maxText = 255

// Printable returns what a peer sent in a form that controls neither a terminal nor a page:
// everything but printable characters is written as an escape, such as \x1b or \u202e, and
// so is what is no UTF-8. A text that is too long is cut.
func Printable(s string) string { return printable(s, maxText) }

func printable(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	var b strings.Builder
	marks := 0
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && size == 1:
			if cut && !utf8.FullRuneInString(s[i:]) {
				continue // the character that was cut
			}
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case marks > maxMarks:
		case unicode.IsPrint(r) && (marks == 0 || i > 0):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	if cut {
		b.WriteRune('…')
	}
	return b.String()
}

// asText returns a payload as text in one line.
func asText(payload []byte) string { return printable(string(payload), len(payload)) }

// asHex returns a payload as hexadecimal digits, two for each byte.
func asHex(payload []byte) string { return fmt.Sprintf("% x", payload) }
