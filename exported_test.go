package zyre_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every function, method, type, constant and variable that the package exports is used in
// a test of this module, or in what tests share in e2e. A method counts as used where
// anything is used by its name.
func TestExported_used(t *testing.T) {
	names := exportedNames(t)
	if len(names) < 100 {
		t.Fatalf("found %d exported names, want all", len(names))
	}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && isAnotherModule(path):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go") && !(strings.HasPrefix(path, "e2e") && strings.HasSuffix(path, ".go")):
			return nil
		}
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		declared := map[*ast.Ident]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				declared[n.Name] = true
			case *ast.Ident:
				if !declared[n] {
					delete(names, n.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, where := range names {
		t.Errorf("%s, of %s, is used in no test", name, where)
	}
}

// isAnotherModule reports whether a directory holds a module of its own, or no sources.
func isAnotherModule(path string) bool {
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil || strings.HasPrefix(filepath.Base(path), ".") || filepath.Base(path) == "testdata"
}

// exportedNames returns what the package exports, with the file that declares it.
func exportedNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	add := func(file string, ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names[id.Name] = file
			}
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if hasExportedReceiver(d) {
					add(file, d.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						add(file, s.Name)
					case *ast.ValueSpec:
						add(file, s.Names...)
					}
				}
			}
		}
	}
	return names
}

// hasExportedReceiver reports whether a function is none's method, or that of an exported
// type.
func hasExportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	id, ok := kind.(*ast.Ident)
	return ok && id.IsExported()
}
