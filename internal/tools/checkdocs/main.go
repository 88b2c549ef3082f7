// Command checkdocs checks what no linter does: every exported symbol has a doc
// comment; library code never calls panic, os.Exit, log.Fatal or log.Panic; no file
// names a path of the machine that it was written on. It prints one line for each
// fault and exits with status 1 if there are any.
//
//	go run ./internal/tools/checkdocs MODULE-DIR…
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checker collects faults.
type checker struct {
	fset   *token.FileSet
	files  int
	faults []string
	paths  *pathRule
}

func (c *checker) fault(pos token.Pos, format string, args ...any) {
	c.faults = append(c.faults, c.fset.Position(pos).String()+": "+fmt.Sprintf(format, args...))
}

func main() {
	c := &checker{fset: token.NewFileSet(), paths: newPathRule()}
	for _, dir := range os.Args[1:] {
		if err := c.walk(dir); err != nil {
			fmt.Fprintln(os.Stderr, "checkdocs:", err)
			os.Exit(1)
		}
	}
	for _, f := range c.faults {
		fmt.Println(f)
	}
	fmt.Printf("checkdocs: %d Go files, %d faults\n", c.files, len(c.faults))
	if len(c.faults) > 0 || c.files == 0 {
		os.Exit(1)
	}
}

// walk checks the files of one module, leaving out the modules within it.
func (c *checker) walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path == root {
				return nil
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return fs.SkipDir
			}
			switch d.Name() {
			case "node_modules", "testdata", ".git", ".cache":
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return c.file(path)
	})
}

func (c *checker) file(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c.faults = append(c.faults, c.paths.check(path, data)...)
	if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
		return nil
	}
	f, err := parser.ParseFile(c.fset, path, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.files++
	if f.Name.Name == "main" {
		return nil
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.funcDecl(d)
		case *ast.GenDecl:
			c.genDecl(d)
		}
	}
	c.calls(f)
	return nil
}

func (c *checker) funcDecl(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv != nil && !ast.IsExported(receiver(d.Recv.List[0].Type)) {
		return
	}
	if !documents(d.Doc, d.Name.Name) {
		c.fault(d.Pos(), "func %s has no doc comment that begins with its name", d.Name.Name)
	}
}

// receiver is the name of a receiver's type.
func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

func (c *checker) genDecl(d *ast.GenDecl) {
	line := newBlock(c.fset)
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if !s.Name.IsExported() {
				continue
			}
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			if !documents(doc, s.Name.Name) {
				c.fault(s.Pos(), "type %s has no doc comment that begins with its name", s.Name.Name)
			}
			c.members(s)
		case *ast.ValueSpec:
			ok := line.documented(s, s.Doc, s.Comment) || d.Doc != nil
			for _, name := range s.Names {
				if name.IsExported() && !ok {
					c.fault(name.Pos(), "%s %s has no doc comment", d.Tok, name.Name)
				}
			}
		}
	}
}

// members checks the fields of a struct and the methods of an interface.
func (c *checker) members(t *ast.TypeSpec) {
	var list *ast.FieldList
	switch x := t.Type.(type) {
	case *ast.StructType:
		list = x.Fields
	case *ast.InterfaceType:
		list = x.Methods
	default:
		return
	}
	line := newBlock(c.fset)
	for _, f := range list.List {
		ok := line.documented(f, f.Doc, f.Comment)
		for _, name := range f.Names {
			if name.IsExported() && !ok {
				c.fault(name.Pos(), "%s.%s has no comment", t.Name.Name, name.Name)
			}
		}
	}
}

// block lets one comment speak for all lines below it up to an empty one.
type block struct {
	fset    *token.FileSet
	lastEnd int
	ok      bool
}

func newBlock(fset *token.FileSet) *block { return &block{fset: fset} }

func (b *block) documented(n ast.Node, doc, comment *ast.CommentGroup) bool {
	if b.fset.Position(n.Pos()).Line > b.lastEnd+1 {
		b.ok = false
	}
	b.lastEnd = b.fset.Position(n.End()).Line
	if doc != nil {
		b.ok = true
	}
	return b.ok || comment != nil
}

// documents says whether doc is a comment on name: "A Name …" and "The Name …" count.
func documents(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && rest != "" && !isWord(rest[0])
}

func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// calls finds the calls that a library must not make.
func (c *checker) calls(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			if fun.Name == "panic" {
				c.fault(call.Pos(), "library code calls panic")
			}
		case *ast.SelectorExpr:
			pkg, ok := fun.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := pkg.Name + "." + fun.Sel.Name
			if name == "os.Exit" || strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic") {
				c.fault(call.Pos(), "library code calls %s", name)
			}
		}
		return true
	})
}
