package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The README shows this program, without its flag.
func TestReadme_program(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "```go\npackage main")
	shown, _, _ = strings.Cut(shown, "```")
	_, want, _ := strings.Cut(string(program), "\npackage main")
	want = regexp.MustCompile(`(?m)^\t("flag"|iface := .*|flag\.Parse.*)\n`).ReplaceAllString(want, "")
	want = strings.Replace(want, ".SetInterface(*iface)", "", 1)
	if shown != want {
		t.Errorf("README.md shows\n%s, want\n%s", shown, want)
	}
}
