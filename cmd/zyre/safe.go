package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// safe returns a text as it may be shown on a terminal. Everything that is no visible
// character, mark or space is shown as an escape of Go: control characters, those that
// turn the direction of what follows, line ends, and bytes that are no UTF-8. All that
// comes from peers goes through it or, in JSON, through safeJSON.
func safe(text string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToGraphic(r)
			if unicode.IsGraphic(r) { // a space of another kind
				quoted = strconv.QuoteRuneToASCII(r)
			}
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// shownName is how tables and lines show a name: safe, and cut if it is long.
func shownName(name string) string {
	const most = 64
	all := []rune(safe(name))
	if len(all) <= most {
		return string(all)
	}
	return string(all[:most-3]) + "..."
}

func isUnsafe(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// safeJSON escapes in JSON all that safe escapes in a text, without changing what it means.
func safeJSON(encoded []byte) []byte {
	if bytes.IndexFunc(encoded, isUnsafe) < 0 {
		return encoded
	}
	var b bytes.Buffer
	for _, r := range string(encoded) {
		switch {
		case !isUnsafe(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
