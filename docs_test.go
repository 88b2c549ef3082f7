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

// Every test that the documents name exists, and every row of docs/guarantees.md names one.
func TestDocs_namedTests(t *testing.T) {
	exists := map[string]bool{}
	var sources []string
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go", "internal/*/*/*_test.go", "e2e/*_test.go", "e2e/*/*_test.go", "zyretest/*_test.go",
		"cmd/zyre/*_test.go", "cmd/zyre/e2e/*_test.go", "cmd/zyre/internal/*/*_test.go"} {
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
	named := regexp.MustCompile("`(Test\\w+)`")
	for _, name := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/guarantees.md", "docs/architecture.md",
		"docs/limits.md", "docs/migrating.md", "docs/testing.md", "docs/troubleshooting.md"} {
		for _, m := range named.FindAllSubmatch(readFile(t, name), -1) {
			if !exists[string(m[1])] {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	rows := regexp.MustCompile(`(?m)^\|.*\|$`).FindAll(readFile(t, "docs/guarantees.md"), -1)
	promises := 0
	for i, row := range rows {
		isHead := i+1 < len(rows) && bytes.HasPrefix(rows[i+1], []byte("|---"))
		switch {
		case isHead, bytes.HasPrefix(row, []byte("|---")):
		case !named.Match(row):
			t.Errorf("docs/guarantees.md: no test in the row %s", row)
		default:
			promises++
		}
	}
	if promises < 100 {
		t.Errorf("docs/guarantees.md: %d promises found, want all", promises)
	}
}

// Every constant, field of Stats and method that these documents name is in the code.
func TestDocs_namedInCode(t *testing.T) {
	words := map[string]bool{}
	for _, name := range goSources(t) {
		for _, word := range regexp.MustCompile(`\w+`).FindAll(readFile(t, name), -1) {
			words[string(word)] = true
		}
	}
	for _, document := range []string{"docs/architecture.md", "docs/limits.md", "docs/troubleshooting.md"} {
		named := regexp.MustCompile("`(?:\\w+\\.)?([A-Za-z]+)`").FindAllSubmatch(readFile(t, document), -1)
		for _, m := range named {
			if !words[string(m[1])] {
				t.Errorf("%s names %s, which does not exist", document, m[0])
			}
		}
		if len(named) == 0 {
			t.Errorf("%s names nothing", document)
		}
	}
}

// Every record and reason that docs/troubleshooting.md quotes is a text of the code.
func TestDocs_quotedTexts(t *testing.T) {
	var code []byte
	for _, name := range goSources(t) {
		code = append(code, readFile(t, name)...)
	}
	document := bytes.Join(bytes.Fields(readFile(t, "docs/troubleshooting.md")), []byte(" "))
	quoted := regexp.MustCompile(`"([a-z][^"…]*)"`).FindAllSubmatch(document, -1)
	for _, m := range quoted {
		if !bytes.Contains(code, m[1]) {
			t.Errorf("docs/troubleshooting.md quotes %q, which is not in the code", m[1])
		}
	}
	if len(quoted) == 0 {
		t.Error("docs/troubleshooting.md quotes nothing")
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
