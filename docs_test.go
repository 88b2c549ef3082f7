package zyre

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every test that the documents name exists.
func TestDocs_namedTests(t *testing.T) {
	exists := map[string]bool{}
	var sources []string
	for _, pattern := range []string{"*_test.go", "e2e/*/*_test.go"} {
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
	for _, name := range []string{"README.md", "SECURITY.md", "docs/guarantees.md"} {
		for _, test := range regexp.MustCompile(`\bTest\w+_\w+`).FindAll(readFile(t, name), -1) {
			if !exists[string(test)] {
				t.Errorf("%s names %s, which does not exist", name, test)
			}
		}
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
