package zyre

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// sourceTree is the package as the compiler sees it on Linux, without tests. What other
// packages declare is not looked up: names of this package are all that counts.
type sourceTree struct {
	fset  *token.FileSet
	files map[string]*ast.File // by name
	pkg   *types.Package
	info  *types.Info
}

// noImporter gives every import an empty package.
type noImporter struct{}

func (noImporter) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

func parseSources(t *testing.T) *sourceTree {
	t.Helper()
	s, err := parsedSources()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var parsedSources = sync.OnceValues(func() (*sourceTree, error) { return parseDir(".") })

// parseDir parses the package in a directory.
func parseDir(dir string) (*sourceTree, error) {
	s := &sourceTree{
		fset: token.NewFileSet(), files: map[string]*ast.File{},
		info: &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
	system := build.Default
	system.GOOS = "linux"
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		match, err := system.MatchFile(filepath.Split(name))
		if err != nil {
			return nil, err
		}
		if !match || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(s.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files[name] = file
		files = append(files, file)
	}
	// Errors are about what the empty packages do not declare.
	checker := types.Config{Importer: noImporter{}, Error: func(error) {}}
	s.pkg, _ = checker.Check("zyre", s.fset, files, s.info)
	return s, nil
}

// file is the name of the file that a position is in.
func (s *sourceTree) file(pos token.Pos) string { return s.fset.Position(pos).Filename }

// named returns a type of the package.
func (s *sourceTree) named(t *testing.T, name string) *types.Named {
	t.Helper()
	object := s.pkg.Scope().Lookup(name)
	if object == nil {
		t.Fatalf("no type %s", name)
	}
	return object.Type().(*types.Named)
}

// isProtocol reports whether a file belongs to the protocol.
func isProtocol(name string) bool { return name == "zre.go" || strings.HasPrefix(name, "zre_") }

// protocolImports are the packages that the protocol may import and, where not all of a
// package is free of side effects, what it may use of it.
var protocolImports = map[string][]string{
	"errors":    nil,
	"fmt":       {"Errorf", "Sprintf"},
	"iter":      nil,
	"log/slog":  {"Logger", "String"},
	"maps":      nil,
	"net/netip": nil,
	"slices":    nil,
	"strings":   nil,
	"context":   {"Background"}, // for the log
	"time":      {"Duration", "Time", "Millisecond", "Second", "Minute"},
	"github.com/go-zyre/zyre/internal/backoff":   nil,
	"github.com/go-zyre/zyre/internal/fifo":      nil,
	"github.com/go-zyre/zyre/internal/ratelimit": nil,
	"github.com/go-zyre/zyre/internal/wire":      nil,
	"github.com/go-zyre/zyre/internal/netif":     {"Link", "HostOf", "Interface"},
	"github.com/go-zyre/zyre/internal/transport": {"Mailbox", "Packet", "Payload", "Conn", "Heard", "Moved", "EndpointRule", "Namer", "NamedElsewhere", "NamedInGossip", "NamedHere", "ErrAgain", "ErrNeedsLookup", "ErrThisHost", "ErrGaveWay", "ParseEndpoint", "RawFromZ85"},
}

// The protocol imports only what has no goroutine, socket or clock.
func TestWalls_protocolImports(t *testing.T) {
	s := parseSources(t)
	for name, file := range s.files {
		if !isProtocol(name) {
			continue
		}
		restricted := map[string][]string{} // by the name under which it is imported
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			uses, allowed := protocolImports[path]
			if !allowed || spec.Name != nil {
				t.Errorf("%s imports %s, which the protocol must not", name, path)
			}
			if uses != nil {
				restricted[filepath.Base(path)] = uses
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok {
				if _, isImport := s.info.Uses[x].(*types.PkgName); !isImport {
					return true
				}
				if uses := restricted[x.Name]; uses != nil && !slices.Contains(uses, selector.Sel.Name) {
					t.Errorf("%s uses %s.%s, which the protocol must not", s.fset.Position(x.Pos()), x.Name, selector.Sel.Name)
				}
			}
			return true
		})
	}
}

// The protocol starts no goroutine and uses no channel.
func TestWalls_protocolIsSequential(t *testing.T) {
	s := parseSources(t)
	protocol := 0
	for name, file := range s.files {
		if !isProtocol(name) {
			continue
		}
		protocol++
		ast.Inspect(file, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				what = "a go statement"
			case *ast.ChanType:
				what = "a channel"
			case *ast.SelectStmt:
				what = "a select"
			case *ast.SendStmt:
				what = "a send"
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					what = "a receive"
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "close" || f.Name == "panic") {
					what = "a call of " + f.Name
				}
			}
			if what != "" {
				t.Errorf("%s: %s, which the protocol must not have", s.fset.Position(n.Pos()), what)
			}
			return true
		})
	}
	if protocol < 15 {
		t.Errorf("files of the protocol = %d, want 15 or more", protocol)
	}
}

// The node drives the protocol and does little else. The limit is what it has today, and
// is to be lowered with it: what is new belongs to a type of its own.
func TestWalls_nodeIsSmall(t *testing.T) {
	const limit = 41
	if got := parseSources(t).named(t, "node").NumMethods(); got > limit {
		t.Errorf("methods of node = %d, want at most %d", got, limit)
	}
}

// What the node reads of the protocol without a method, and what it may set: none of it
// is the state of a peer.
var (
	protocolFieldsRead = []string{
		"id", "name", "secure", "location", "peers", "entered", "enteredChanges", "departures", "counters", "tickAt", "tickInterval",
	}
	protocolFieldsSet = []string{"location", "counters"}
)

// The node leaves the state of the protocol alone.
func TestWalls_nodeCallsMethods(t *testing.T) {
	s := parseSources(t)
	zreType := s.named(t, "zre")
	isField := func(e ast.Expr) (string, bool) {
		for {
			selector, ok := e.(*ast.SelectorExpr)
			if !ok {
				return "", false
			}
			if use := s.info.Selections[selector]; use != nil && use.Kind() == types.FieldVal {
				if receiver := use.Recv(); receiver == types.Type(zreType) || receiver.String() == "*zyre.zre" {
					return selector.Sel.Name, true
				}
			}
			e = selector.X
		}
	}
	for name, file := range s.files {
		if name != "node.go" && !strings.HasPrefix(name, "node_") {
			continue
		}
		set := func(e ast.Expr) {
			if field, ok := isField(e); ok && !slices.Contains(protocolFieldsSet, field) {
				t.Errorf("%s: sets zre.%s; let a method do it", s.fset.Position(e.Pos()), field)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					set(e)
				}
			case *ast.IncDecStmt:
				set(n.X)
			case *ast.SelectorExpr:
				if field, ok := isField(n); ok && !slices.Contains(protocolFieldsRead, field) {
					t.Errorf("%s: reads zre.%s; let a method do it", s.fset.Position(n.Pos()), field)
				}
			}
			return true
		})
	}
}

// changingQuestions are the exceptions.
var changingQuestions = []string{
	"internal/foreign/foreignnet.HasEntered", // asks by a command to the goroutine that knows
	"internal/transport/mem.MayHaveInput",    // lets happen what was due on the network in memory
}

// A question changes nothing: what is named so sets no field, removes nothing, and calls
// nothing that does.
func TestWalls_questionsChangeNothing(t *testing.T) {
	if asked := questions(t, parseSources(t)); asked < 50 {
		t.Errorf("questions found = %d, want all", asked)
	}
	asked := 0
	err := filepath.WalkDir("internal", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		s, err := parseDir(dir)
		if err == nil {
			asked += questions(t, s)
		}
		return err
	})
	if err != nil || asked < 40 {
		t.Errorf("questions found below internal = %d, %v, want all", asked, err)
	}
}

// questions checks those of a package, and counts them.
func questions(t *testing.T, s *sourceTree) (asked int) {
	t.Helper()
	question := regexp.MustCompile(`^(?i:is|has|can|may|needs|holds|outranks|outweighs)([A-Z]|$)`)
	bodies := map[types.Object]*ast.FuncDecl{}
	for _, file := range s.files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				bodies[s.info.Defs[f.Name]] = f
			}
		}
	}
	for object, f := range bodies {
		if !question.MatchString(f.Name.Name) {
			continue
		}
		asked++
		excepted := slices.Contains(changingQuestions, filepath.ToSlash(filepath.Dir(s.file(f.Pos())))+"."+f.Name.Name)
		switch at := s.change(bodies, object, map[types.Object]bool{}); {
		case at.IsValid() && !excepted:
			t.Errorf("%s: %s asks, and %s changes something", s.fset.Position(f.Pos()), f.Name.Name, s.fset.Position(at))
		case excepted && !at.IsValid():
			t.Errorf("%s: %s changes nothing, and need not be an exception", s.fset.Position(f.Pos()), f.Name.Name)
		}
	}
	return asked
}

// change returns where a function, or one of the package that it calls, sets a field, an
// element or what a pointer leads to, or removes elements of what it has not made itself.
func (s *sourceTree) change(bodies map[types.Object]*ast.FuncDecl, object types.Object, seen map[types.Object]bool) (at token.Pos) {
	f := bodies[object]
	if f == nil || seen[object] {
		return token.NoPos
	}
	seen[object] = true
	set := func(e ast.Expr) {
		if _, local := e.(*ast.Ident); !local && !at.IsValid() {
			at = e.Pos()
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				set(e)
			}
		case *ast.IncDecStmt:
			set(n.X)
		case *ast.CallExpr:
			builtin, ok := n.Fun.(*ast.Ident)
			if ok && (builtin.Name == "delete" || builtin.Name == "clear") && !s.isMadeIn(f, n.Args[0]) && !at.IsValid() {
				at = n.Pos()
			}
		case *ast.Ident:
			if called, ok := s.info.Uses[n].(*types.Func); ok && !at.IsValid() {
				at = s.change(bodies, called, seen)
			}
		}
		return true
	})
	return at
}

// isMadeIn reports whether an expression is a variable that a function declares.
func (s *sourceTree) isMadeIn(f *ast.FuncDecl, e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && s.info.Uses[id] != nil && s.info.Uses[id].Pos() >= f.Body.Pos()
}

// readingOrder is the fenced list of files in docs/architecture.md.
func readingOrder(t *testing.T) []string {
	t.Helper()
	_, rest, found := strings.Cut(string(readFile(t, "docs/architecture.md")), "```files\n")
	list, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/architecture.md has no fenced list that begins with ```files")
	}
	var order []string
	for line := range strings.Lines(list) {
		if fields := strings.Fields(line); len(fields) > 0 && strings.HasSuffix(fields[0], ".go") {
			order = append(order, fields[0])
		}
	}
	return order
}

// docs/architecture.md lists each file of the package once.
func TestWalls_readingOrderIsComplete(t *testing.T) {
	listed := map[string]int{}
	for _, name := range readingOrder(t) {
		listed[name]++
	}
	files := parseSources(t).files
	for name := range files {
		if listed[name] != 1 {
			t.Errorf("docs/architecture.md lists %s %d times, want once", name, listed[name])
		}
	}
	for name := range listed {
		if files[name] == nil {
			t.Errorf("docs/architecture.md lists %s, which is no file of the package", name)
		}
	}
}

// Files can be read in the order of docs/architecture.md: a file uses what the files
// after it declare, and little of what stands before it.
//
// A reference is a use of a function, type, constant, variable or method that another
// file declares; of fields it says nothing. The type that a method belongs to does not
// count in the method's own signature.
func TestWalls_readingOrder(t *testing.T) {
	const limit = 0.15
	s := parseSources(t)
	place := map[string]int{}
	for i, name := range readingOrder(t) {
		place[name] = i
	}
	signature := s.ownTypes()
	all, against := 0, map[string]int{}
	for id, object := range s.info.Uses {
		if object.Pkg() != s.pkg || signature[id] || !isDeclaration(object, s.pkg) {
			continue
		}
		from, to := s.file(id.Pos()), s.file(object.Pos())
		if from == to {
			continue
		}
		all++
		if place[to] < place[from] {
			against[from+" → "+to]++
		}
	}
	sum := 0
	for _, n := range against {
		sum += n
	}
	share := float64(sum) / float64(max(all, 1))
	t.Logf("%d of %d references between files are against the reading order: %.1f %%", sum, all, 100*share)
	if all < 500 || share > limit {
		worst := slices.SortedFunc(maps.Keys(against), func(a, b string) int { return against[b] - against[a] })
		for _, pair := range worst[:min(len(worst), 10)] {
			t.Logf("%d from %s", against[pair], pair)
		}
		t.Errorf("references against the reading order: %d of %d, want at most %.0f %%", sum, all, 100*limit)
	}
}

// isDeclaration reports whether an object is declared at the level of the package, or is
// a method.
func isDeclaration(object types.Object, pkg *types.Package) bool {
	if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return object.Parent() == pkg.Scope()
}

// ownTypes finds in the signature of each method the type that it belongs to.
func (s *sourceTree) ownTypes() map[*ast.Ident]bool {
	own := map[*ast.Ident]bool{}
	for _, file := range s.files {
		for _, d := range file.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Recv == nil {
				continue
			}
			receiver := method.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			base, ok := receiver.(*ast.Ident)
			if !ok {
				continue
			}
			own[base] = true
			ast.Inspect(method.Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == base.Name {
					own[id] = true
				}
				return true
			})
		}
	}
	return own
}
