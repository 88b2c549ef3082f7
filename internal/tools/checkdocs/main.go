// Command checkdocs checks what no linter does: every field that users see has a
// comment; files that a document names exist; no file names a path of the
// machine that it was written on. It prints one line for each fault and exits with
// status 1 if there are any.
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
	"regexp"
	"strings"
)

// hidden are the packages that no user imports.
var hidden = regexp.MustCompile(`(^|/)(internal|e2e)/`)

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
		if !d.Type().IsRegular() || d.Name() == ".git" { // a file in a linked worktree
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
	if strings.HasSuffix(path, ".md") {
		c.faults = append(c.faults, missingFiles(path, data)...)
	}
	if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
		return nil
	}
	f, err := parser.ParseFile(c.fset, path, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.files++
	if f.Name.Name == "main" || hidden.MatchString(filepath.ToSlash(path)) {
		return nil
	}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.GenDecl); ok {
			c.types(d)
		}
	}
	return nil
}

// types checks the structs that a declaration has.
func (c *checker) types(d *ast.GenDecl) {
	for _, s := range d.Specs {
		t, ok := s.(*ast.TypeSpec)
		if !ok || !t.Name.IsExported() {
			continue
		}
		if x, ok := t.Type.(*ast.StructType); ok {
			c.fields(t.Name.Name, x.Fields)
		}
	}
}

// fields checks the fields of a struct.
func (c *checker) fields(owner string, list *ast.FieldList) {
	line := newBlock(c.fset)
	for _, f := range list.List {
		ok := line.documented(f, f.Doc, f.Comment)
		for _, name := range f.Names {
			if name.IsExported() && !ok {
				c.fault(name.Pos(), "%s.%s has no comment", owner, name.Name)
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
