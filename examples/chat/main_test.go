package main

import "testing"

// Nothing that a peer sends controls the terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"Tea ☕ please":             "Tea ☕ please",
		"日本語, e\u0301, ß":          "日本語, e\u0301, ß",
		"\x1b[2J\x1b]0;title\a":    "�[2J�]0;title�",
		"one\n* bob is here\r":     "one�* bob is here�",
		"tab\tback\bdelete\x7f":    "tab�back�delete�",
		"C1 \u009b31m, raw \x9b1m": "C1 �31m, raw �1m",
		"reversed \u202etxt":       "reversed �txt",
		"\xff\x00":                 "��",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}
