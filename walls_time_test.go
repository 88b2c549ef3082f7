package zyre

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// isTestCode reports whether a file is a test, or something that tests are built from.
func isTestCode(path string) bool {
	dir := filepath.ToSlash(filepath.Dir(path))
	return strings.HasSuffix(path, "_test.go") || strings.HasPrefix(dir, "e2e/") || strings.HasSuffix(dir, "test")
}

// waitFinder finds in a file the statements that do nothing but wait for a time.
type waitFinder struct {
	channels map[string]bool   // variables that are channels of package time
	mayWait  map[ast.Stmt]bool // between two looks, or in a select with a limit
	found    []token.Pos
}

// fixedWaits finds the statements of a file that do nothing but wait for a time, and the
// clauses that let a test go on, or even pass, because nothing else came for a time.
func fixedWaits(file *ast.File) []token.Pos {
	w := waitFinder{channels: map[string]bool{}, mayWait: map[ast.Stmt]bool{}}
	ast.Inspect(file, func(n ast.Node) bool {
		if n, ok := n.(*ast.AssignStmt); ok && len(n.Lhs) == len(n.Rhs) {
			for i, e := range n.Rhs {
				if id, ok := n.Lhs[i].(*ast.Ident); ok && w.isTime(e) {
					w.channels[id.Name] = true
				}
			}
		}
		return true
	})
	ast.Inspect(file, w.look)
	return w.found
}

func (w *waitFinder) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		if expiresSoon(n) || isPacedUntilTime(n) {
			w.found = append(w.found, n.Pos())
		}
		return types.ExprString(n.Fun) != "synctest.Test" // there it takes no time
	case *ast.ForStmt: // for ; !holds(); <-ticker.C {}
		w.mayWait[n.Post] = true
		if isUntilTime(n) {
			w.found = append(w.found, n.Pos())
		}
	case *ast.SelectStmt:
		hasLimit := slices.ContainsFunc(n.Body.List, func(s ast.Stmt) bool {
			c := s.(*ast.CommClause)
			return w.isWait(c.Comm) && fails(c.Body)
		})
		for _, clause := range n.Body.List {
			w.mayWait[clause.(*ast.CommClause).Comm] = hasLimit && len(n.Body.List) > 1
		}
	case *ast.ExprStmt:
		if w.isWait(n) && !w.mayWait[n] {
			w.found = append(w.found, n.Pos())
		}
	}
	return true
}

// isWait reports whether a statement is <-channel, for a channel of package time.
func (w *waitFinder) isWait(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	receive, ok := e.X.(*ast.UnaryExpr)
	return ok && receive.Op == token.ARROW && w.isTime(receive.X)
}

// isTime reports whether an expression is a channel of package time: time.After(…), a
// variable with one, or the C of a Timer or Ticker.
func (w *waitFinder) isTime(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		f := types.ExprString(e.Fun)
		return f == "time.After" || f == "time.Tick"
	case *ast.SelectorExpr:
		return e.Sel.Name == "C"
	case *ast.Ident:
		return w.channels[e.Name]
	}
	return false
}

// isUntilTime reports whether a loop that begins with end := time.Now().Add(…) ends only
// when that time has come, unless the test fails before.
func isUntilTime(loop *ast.ForStmt) bool {
	begin, ok := loop.Init.(*ast.AssignStmt)
	if !ok || len(begin.Lhs) != 1 || !strings.HasPrefix(types.ExprString(begin.Rhs[0]), "time.Now().Add(") {
		return false
	}
	end := types.ExprString(begin.Lhs[0])
	if c := types.ExprString(loop.Cond); c != "time.Now().Before("+end+")" && c != "!time.Now().After("+end+")" {
		return false
	}
	leaves := false
	ast.Inspect(loop.Body, func(n ast.Node) bool {
		branch, ok := n.(*ast.BranchStmt)
		_, returns := n.(*ast.ReturnStmt)
		leaves = leaves || returns || ok && branch.Tok != token.CONTINUE
		_, isFunc := n.(*ast.FuncLit)
		return !isFunc
	})
	return !leaves
}

// isPacedUntilTime reports whether a call of watch.Paced does nothing but look whether a time
// has come.
func isPacedUntilTime(call *ast.CallExpr) bool {
	if types.ExprString(call.Fun) != "watch.Paced" {
		return false
	}
	do, ok := call.Args[1].(*ast.FuncLit)
	if !ok || len(do.Body.List) != 1 {
		return false
	}
	result, ok := do.Body.List[0].(*ast.ReturnStmt)
	if !ok {
		return false
	}
	looksElsewhere := false
	ast.Inspect(result, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			text := types.ExprString(c.Fun)
			looksElsewhere = looksElsewhere || !strings.HasPrefix(text, "time.")
		}
		return !looksElsewhere
	})
	return !looksElsewhere
}

// expiresSoon reports whether a call sets a limit of a number of milliseconds or less. What
// has so short a limit is meant to expire; what must come is waited for with patience.
func expiresSoon(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	limits := []string{"SetDeadline", "SetReadDeadline", "SetWriteDeadline", "WithTimeout", "WithDeadline"}
	if !ok || !slices.Contains(limits, f.Sel.Name) || len(call.Args) == 0 {
		return false
	}
	limit := types.ExprString(call.Args[len(call.Args)-1])
	return slices.ContainsFunc([]string{"time.Millisecond", "time.Microsecond", "time.Nanosecond"}, func(unit string) bool {
		return strings.Contains(limit, unit)
	})
}

// fails reports whether statements fail the test, or tell the caller what they found.
func fails(body []ast.Stmt) (yes bool) {
	for _, s := range body {
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				yes = yes || len(n.Results) > 0
			case *ast.SelectorExpr:
				yes = yes || slices.Contains([]string{"Fatal", "Fatalf", "Error", "Errorf"}, n.Sel.Name)
			}
			return true
		})
	}
	return yes
}

// No test of any module waits for a time: what should not come is shown by something sent after it that
// does come, and time-outs pass in a bubble of testing/synctest. That no test calls
// time.Sleep either is golangci-lint's to say.
func TestWalls_noFixedWaits(t *testing.T) {
	fset, files := token.NewFileSet(), 0
	modules := map[string]int{"bench": 0, "cmd/zyre": 0, "examples/recipes/metrics": 0} // their files
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
		for module := range modules {
			if strings.HasPrefix(filepath.ToSlash(path), module+"/") {
				modules[module]++
			}
		}
		for _, pos := range fixedWaits(file) {
			t.Errorf("%s: waits for a time; wait for what happens", fset.Position(pos))
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("read %d files: %v; want 100 or more", files, err)
	}
	for module, files := range modules {
		if files == 0 {
			t.Errorf("read no file of module %s", module)
		}
	}
}

func TestFixedWaits(t *testing.T) {
	for code, want := range map[string]int{
		"<-time.After(1)":                                                    1,
		"select { case <-time.After(1): }":                                   1,
		"timer := time.NewTimer(1); <-timer.C":                               1,
		"go func() { <-time.After(1) }()":                                    1,
		"for { <-ticker.C }":                                                 1,
		"for ; !holds(); <-ticker.C { }":                                     0,
		"select { case <-done: case <-time.After(1): }":                      1,
		"select { case <-done: case <-time.After(1): quiet = true }":         1,
		"end := time.After(1); <-end":                                        1,
		"select { case <-tick.C: case <-time.After(1): t.Fatal() }":          0,
		"select { case <-done: case <-time.After(1): t.Fatal() }":            0,
		"end := time.After(1); select { case <-done: case <-end: return 1 }": 0,
		"synctest.Test(t, func(*testing.T) { <-time.After(1) })":             0,
		"<-done": 0,
		"for now := range time.Tick(1) { _ = now; break }":                                            0,
		"for end := time.Now().Add(1); time.Now().Before(end); { look(func() bool { return true }) }": 1,
		"for end := time.Now().Add(1); time.Now().Before(end); { if look() { break } }":               0,
		"for end := time.Now().Add(1); time.Now().Before(end) && !holds(); { look() }":                0,
		"for end := time.Now().Add(1); time.Now().Before(end); { t.Fatal() }":                         1,
		"c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))":                                  1,
		"c.SetWriteDeadline(time.Now().Add(patience))":                                                0,
		"ctx, _ := context.WithTimeout(ctx, time.Millisecond)":                                        1,
		"watch.Paced(1, func() bool { return time.Now().After(end) })":                                1,
		"watch.Paced(1, func() bool { return time.Since(start) > 1 })":                                1,
		"watch.Paced(1, func() bool { return holds() || time.Now().After(end) })":                     0,
		"watch.Paced(1, func() bool { send(); return time.Now().After(end) })":                        0,
		"synctest.Test(t, func(*testing.T) { context.WithTimeout(ctx, time.Millisecond) })":           0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; func f() int { "+code+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(fixedWaits(file)); got != want {
			t.Errorf("fixedWaits(%s) = %d, want %d", code, got, want)
		}
	}
}
