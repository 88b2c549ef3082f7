package zyre

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Nothing depends on what the clock shows, which may be set at any time: a time.Time
// also holds a monotonic reading, by which times are compared and subtracted, unless
// one of these has dropped it.
func TestClock_monotonic(t *testing.T) {
	dropping := strings.Fields(`UTC Local In AddDate UnixMilli UnixMicro UnixNano
		Date Parse ParseInLocation Format AppendFormat`)
	fset := token.NewFileSet()
	for _, pattern := range []string{"*.go", "internal/zgossip/*.go", "internal/zmqwait/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(dropping, s.Sel.Name) {
					t.Errorf("%v: %s depends on the clock on the wall", fset.Position(s.Pos()), s.Sel.Name)
				}
				return true
			})
		}
	}
}
