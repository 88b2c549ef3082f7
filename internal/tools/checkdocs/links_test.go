package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMissingFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("docs/notes", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.go", "docs/a.md"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]int{
		"`x.go`, [a](a.md#part) and `docs/notes/`": 0,
		"`y.go`, [b](b.md) and `docs/nothing`":     3,
		"`zre_*.go`, `go test ./...`, `and/or it`": 0,
		"`net/netip` and `golang.org/x/net/ipv4`":  0,
		"[site](https://example.org/a.md)":         0,
	} {
		if got := missingFiles(filepath.Join("docs", "d.md"), []byte(text)); len(got) != want {
			t.Errorf("missingFiles(%q) = %q, want %d", text, got, want)
		}
	}
	if got := missingFiles("CHANGELOG.md", []byte("`y.go`")); got != nil {
		t.Errorf("missingFiles(CHANGELOG.md) = %q, want none", got)
	}
}
