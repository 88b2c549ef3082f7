package zyre

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Sources without a test file of their own, and why.
var testedElsewhere = map[string]string{
	"conn_ipv4.go": "conn_test.go tests both kinds of Connection alike",
	"conn_ipv6.go": "conn_test.go tests both kinds of Connection alike",
	"seams.go":     "no decisions: every test of a node runs on one or the other",
	"view.go":      "types of a View: view_msg_test.go and zre_share_test.go test what is done with them",

	"internal/foreign/traits.go":      "tables: the tests of what each implementation does read them",
	"internal/transport/bind.go":      "inboxes bind by it: inbox_test.go, ipc_unix_test.go and netlink_linux_test.go",
	"internal/transport/transport.go": "the seam: transporttest has its contract",
	"internal/zmqmsg/public.go":       "the other tests of the package run on it as well",

	"cmd/zyre/internal/monitor/draw.go":      "terminal_test.go looks at what is drawn",
	"cmd/zyre/internal/monitor/draw_more.go": "terminal_test.go looks at what is drawn",
	"cmd/zyre/internal/monitor/picture.go":   "model_test.go and pairs_test.go look at the model by it",
	"cmd/zyre/internal/monitor/state.go":     "the types of the picture",
}

// Packages whose sources have no test files of their own, and why; ... is all below it, too.
var packagesTestedElsewhere = map[string]string{
	"bench/...":                        "programs that measure",
	"cmd/zyre":                         "each command is run as a process in cmd/zyre/e2e",
	"cmd/zyre/e2e":                     "black-box tests",
	"e2e/...":                          "black-box tests, and what they are built from",
	"examples/...":                     "programs of a page",
	"internal/foreign/foreignnet":      "tests are built from it",
	"internal/foreign/zmtp":            "tests are built from it",
	"internal/interop/...":             "tests are built from it",
	"internal/netif/netiftest":         "tests are built from it",
	"internal/transport/mem":           "mem_test.go runs the contract of transporttest, and zyretest and simulations stand on it",
	"internal/transport/transporttest": "tests are built from it",
	"internal/wire/wiretest":           "tests are built from it",
}

// isTestedElsewhere reports whether a directory is one of packagesTestedElsewhere.
func isTestedElsewhere(dir string) bool {
	for pattern := range packagesTestedElsewhere {
		top, isTree := strings.CutSuffix(pattern, "/...")
		if dir == top || isTree && strings.HasPrefix(dir, top+"/") {
			return true
		}
	}
	return false
}

// hasTestBeside reports whether there is a test file of that name: that of host_linux.go is
// host_linux_test.go or host_test.go.
func hasTestBeside(source string) bool {
	stem := strings.TrimSuffix(source, ".go")
	names := []string{stem}
	for _, system := range []string{"_linux", "_unix", "_windows", "_other"} {
		names = append(names, strings.TrimSuffix(stem, system))
	}
	for _, name := range names {
		for _, end := range []string{"_test.go", "_linux_test.go", "_unix_test.go"} {
			if _, err := os.Stat(name + end); err == nil {
				return true
			}
		}
	}
	return false
}

// hasFunctions reports whether a file has any, and is no list of types or a comment alone.
func hasFunctions(file *ast.File) bool {
	return slices.ContainsFunc(file.Decls, func(d ast.Decl) bool { _, ok := d.(*ast.FuncDecl); return ok })
}

// The tests of a file are beside it, in all packages of this module and of cmd/zyre. Files of
// up to 40 lines, and those without functions, may do without.
func TestWalls_testsAreBesideSources(t *testing.T) {
	fset, checked, seen := token.NewFileSet(), 0, map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			seen[name] = true
			return filepath.SkipDir
		case d.IsDir():
			seen[name] = true
			return nil
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || isTestedElsewhere(path.Dir(name)):
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen[name] = true
		checked++
		needs := hasFunctions(file) && fset.File(file.FileStart).LineCount() > 40
		switch has, reason := hasTestBeside(name), testedElsewhere[name]; {
		case needs && !has && reason == "":
			t.Errorf("%s has no %s_test.go", name, strings.TrimSuffix(name, ".go"))
		case reason != "" && has:
			t.Errorf("%s has a test file, although %s", name, reason)
		case reason != "" && !needs:
			t.Errorf("testedElsewhere names %s, which needs no test file", name)
		}
		return nil
	})
	if err != nil || checked < 200 {
		t.Errorf("checked %d files: %v; want 200 or more", checked, err)
	}
	for _, exceptions := range []map[string]string{testedElsewhere, packagesTestedElsewhere} {
		for name := range exceptions {
			if !seen[strings.TrimSuffix(name, "/...")] {
				t.Errorf("%s is an exception, and does not exist", name)
			}
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
