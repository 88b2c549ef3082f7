package main

import (
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChecker_file(t *testing.T) {
	tests := []struct {
		name, source string
		want         []string // words of each fault, in order
	}{
		{"documented", "type T struct {\n\t// both are counts\n\tA int\n\tB int\n}", nil},
		{"unexported", "type t struct{ A int }\n\ntype T struct{ a int }", nil},
		{"field", "type T[K any] struct{ A, B K }", []string{"T.A", "T.B"}},
		{"field after a gap", "type T struct {\n\tA int // is\n\n\tB int\n}", []string{"T.B"}},
		{"path", "// see /ro" + "ot/x\nvar x int", []string{"path of one machine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p.go")
			if err := os.WriteFile(file, []byte("package p\n\n"+tt.source+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			c := &checker{fset: token.NewFileSet(), paths: newPathRule()}
			if err := c.file(file); err != nil {
				t.Fatalf("file() = %v, want nil", err)
			}
			if len(c.faults) != len(tt.want) {
				t.Fatalf("file() found %q, want %q", c.faults, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(c.faults[i], want) {
					t.Errorf("fault %d = %q, want it to have %q", i, c.faults[i], want)
				}
			}
		})
	}
}
