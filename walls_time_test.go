package zyre

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// isTestCode reports whether a file is a test, or something that tests are built from.
func isTestCode(path string) bool {
	dir := filepath.ToSlash(filepath.Dir(path))
	return strings.HasSuffix(path, "_test.go") || strings.HasPrefix(dir, "e2e/") || strings.HasSuffix(dir, "test")
}

// isTime reports whether an expression is a channel of package time: time.After(…), or the
// C of a Timer or Ticker.
func isTime(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		pkg, ok := f.X.(*ast.Ident)
		return ok && pkg.Name == "time" && (f.Sel.Name == "After" || f.Sel.Name == "Tick")
	case *ast.SelectorExpr:
		return e.Sel.Name == "C"
	}
	return false
}

// fixedWaits finds the statements that do nothing but wait for a time.
func fixedWaits(file *ast.File) (found []token.Pos) {
	mayWait := map[ast.Stmt]bool{} // between two looks, or if nothing else comes
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt: // for ; !holds(); <-ticker.C {}
			mayWait[n.Post] = true
		case *ast.SelectStmt:
			for _, clause := range n.Body.List {
				mayWait[clause.(*ast.CommClause).Comm] = len(n.Body.List) > 1
			}
		case *ast.ExprStmt:
			if receive, ok := n.X.(*ast.UnaryExpr); ok && receive.Op == token.ARROW && isTime(receive.X) && !mayWait[n] {
				found = append(found, receive.Pos())
			}
		}
		return true
	})
	return found
}

// No test waits for a time: what should not come is shown by something sent after it that
// does come, and time-outs pass in a bubble of testing/synctest. That no test calls
// time.Sleep either is golangci-lint's to say.
func TestWalls_noFixedWaits(t *testing.T) {
	fset, files := token.NewFileSet(), 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || !isTestCode(path):
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		for _, pos := range fixedWaits(file) {
			t.Errorf("%s: waits for a time; wait for what happens", fset.Position(pos))
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("read %d files: %v; want 100 or more", files, err)
	}
}

func TestFixedWaits(t *testing.T) {
	for code, want := range map[string]int{
		"<-time.After(1)":                               1,
		"select { case <-time.After(1): }":              1,
		"timer := time.NewTimer(1); <-timer.C":          1,
		"go func() { <-time.After(1) }()":               1,
		"for { <-ticker.C }":                            1,
		"for ; !holds(); <-ticker.C { }":                0,
		"select { case <-done: case <-time.After(1): }": 0,
		"<-done": 0,
		"for now := range time.Tick(1) { _ = now; break }": 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; func f() { "+code+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(fixedWaits(file)); got != want {
			t.Errorf("fixedWaits(%s) = %d, want %d", code, got, want)
		}
	}
}
