package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"Tea ☕ please":             "Tea ☕ please",
		"日本語, é, שלום":             "日本語, é, שלום",
		"\x1b[2J\x1b]0;title\a":    `\x1b[2J\x1b]0;title\a`,
		"one\n* bob is here\r":     `one\n* bob is here\r`,
		"tab\tback\bdelete\x7f":    `tab\tback\bdelete\x7f`,
		"C1 \u009b31m, raw \x9b1m": `C1 \u009b31m, raw \x9b1m`,
		"reversed \u202etxt\u2066": `reversed \u202etxt\u2066`,
		"\xff\x00":                 `\xff\x00`,
		"wide\u00a0\u2028spaces":   `wide\u00a0\u2028spaces`,
		"\ufffd":                   "\ufffd",
		"\U000e0001tag":            `\U000e0001tag`,
	} {
		if got := safe(text); got != want {
			t.Errorf("safe(%q) = %q, want %q", text, got, want)
		}
	}
}

// controls reports whether a text has anything but visible characters and spaces.
func controls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff\U000e0001 \ufffd")
	f.Fuzz(func(t *testing.T, text string) {
		if got := safe(text); controls(got) {
			t.Errorf("safe(%q) = %q, which is not safe", text, got)
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Skip(err)
		}
		got := safeJSON(encoded)
		if controls(string(got)) {
			t.Errorf("safeJSON(%q) = %q, which is not safe", encoded, got)
		}
		var back, want string
		if json.Unmarshal(got, &back) != nil || json.Unmarshal(encoded, &want) != nil || back != want {
			t.Errorf("safeJSON(%q) = %q, which means %q, want %q", encoded, got, back, want)
		}
	})
}
