package zyre

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Sources without a test file of their own, and why.
var testedElsewhere = map[string]string{
	"conn_ipv4.go": "conn_test.go tests both kinds of Connection alike",
	"conn_ipv6.go": "conn_test.go tests both kinds of Connection alike",
	"doc.go":       "no code",
	"seams.go":     "no decisions: every test of a node runs on one or the other",
	"view.go":      "types of a View: view_msg_test.go and zre_share_test.go test what is done with them",
}

// The tests of a file are beside it. Files of up to 40 lines may do without.
func TestWalls_testsAreBesideSources(t *testing.T) {
	s := parseSources(t)
	for name, file := range s.files {
		stem := strings.TrimSuffix(name, ".go")
		has := slices.ContainsFunc([]string{"_test.go", "_linux_test.go", "_unix_test.go"}, func(end string) bool {
			_, err := os.Stat(stem + end)
			return err == nil
		})
		lines := s.fset.File(file.FileStart).LineCount()
		switch reason := testedElsewhere[name]; {
		case !has && reason == "" && lines > 40:
			t.Errorf("%s has no %s_test.go", name, stem)
		case has && reason != "":
			t.Errorf("%s_test.go exists, although %s", stem, reason)
		}
	}
	for name := range testedElsewhere {
		if s.files[name] == nil {
			t.Errorf("testedElsewhere names %s, which is no file of the package", name)
		}
	}
}

// A test of the package has one node on real sockets at most, and others on the network in
// memory: what needs two belongs in e2e.
func TestWalls_oneRealNode(t *testing.T) {
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	fset, found := token.NewFileSet(), 0
	for _, name := range tests {
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			nodes := loopbackNodes(d)
			if found += nodes; nodes > 1 {
				t.Errorf("%s: makes %d nodes or more on loopback, want 1; see CONTRIBUTING.md", fset.Position(d.Pos()), nodes)
			}
		}
	}
	if found < 5 {
		t.Errorf("nodes on loopback found = %d, want all", found)
	}
}

// loopbackNodes counts how often a declaration calls newLoopbackNode; in a loop it counts
// twice.
func loopbackNodes(in ast.Node) (count int) {
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt:
			count += 2 * loopbackNodes(n.Body)
			return false
		case *ast.RangeStmt:
			count += 2 * loopbackNodes(n.Body)
			return false
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "newLoopbackNode" {
				count++
			}
		}
		return true
	})
	return count
}
