// Package recipes has nothing in it: the recipes are in the folders below.
package recipes

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/recipes.md shows of a program is in that program, apart from its indentation,
// and each program is described.
func TestRecipes_document(t *testing.T) {
	document, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, section := range strings.Split(string(document), "\n## ")[1:] {
		_, name, _ := strings.Cut(section, "(../examples/recipes/")
		name, _, _ = strings.Cut(name, ")")
		described[name] = true
		files, err := filepath.Glob(name + "/*.go")
		if err != nil || len(files) == 0 {
			t.Errorf("no program %q", name)
		}
		var source string
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source += plain(string(text))
		}
		for _, shown := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(section, -1) {
			if !strings.Contains(source, plain(shown[1])) {
				t.Errorf("%s does not have what docs/recipes.md shows of it:\n%s", name, shown[1])
			}
		}
	}
	folders, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !described[filepath.Dir(folder)] {
			t.Errorf("docs/recipes.md does not describe %s", filepath.Dir(folder))
		}
	}
}

// plain leaves out the indentation.
func plain(source string) string { return regexp.MustCompile(`(?m)^\s+`).ReplaceAllString(source, "") }
