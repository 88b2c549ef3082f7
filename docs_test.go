package zyre

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that the documents name exists.
func TestDocs_namedTests(t *testing.T) {
	exists := map[string]bool{}
	var sources []string
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go", "internal/*/*/*_test.go", "e2e/*_test.go", "e2e/*/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	for _, name := range sources {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(readFile(t, name), -1) {
			exists[string(m[1])] = true
		}
	}
	for _, name := range []string{"README.md", "SECURITY.md", "docs/guarantees.md", "docs/architecture.md"} {
		for _, test := range regexp.MustCompile(`\bTest\w+_\w+`).FindAll(readFile(t, name), -1) {
			if !exists[string(test)] {
				t.Errorf("%s names %s, which does not exist", name, test)
			}
		}
	}
}

// Every constant and field of Stats that docs/limits.md names is in the code.
func TestDocs_namedLimits(t *testing.T) {
	words := map[string]bool{}
	for _, name := range goSources(t) {
		for _, word := range regexp.MustCompile(`\w+`).FindAll(readFile(t, name), -1) {
			words[string(word)] = true
		}
	}
	named := 0
	for line := range bytes.Lines(readFile(t, "docs/limits.md")) {
		for _, m := range regexp.MustCompile("`(?:\\w+\\.)?([A-Za-z]+)`").FindAllSubmatch(line, -1) {
			if named++; !words[string(m[1])] {
				t.Errorf("docs/limits.md names %s, which does not exist", m[0])
			}
		}
	}
	if named == 0 {
		t.Error("docs/limits.md names nothing")
	}
}

// goSources are the files of the package and of those below internal, without tests.
func goSources(t *testing.T) (names []string) {
	t.Helper()
	for _, root := range []string{".", "internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "node_modules" || root == "." && path != "."):
				return fs.SkipDir
			case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
				names = append(names, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
