package zyretest_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// All code of docs/testing.md is in board_test.go.
func TestDocs_testing(t *testing.T) {
	document, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("board_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(document, -1)
	if len(blocks) < 5 {
		t.Errorf("docs/testing.md has %d blocks of code, want 5 or more", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(string(code), string(b[1])) {
			t.Errorf("docs/testing.md has code that is not in board_test.go:\n%s", b[1])
		}
	}
}
