package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// mention is how a document names a file: as the target of a link, or as code that has a
// slash or a suffix of our files. Patterns and command lines are none.
var mention = regexp.MustCompile("\\]\\(([\\w./-]+)(?:#[\\w-]*)?\\)|`(\\.{0,2}[\\w-]+(?:/[\\w.-]+)+/?|[\\w.-]+\\.(?:go|md|json|yml))`")

// packages are import paths and the like, which look like paths too.
var packages = regexp.MustCompile(`^(\w+(\.\w+)+/|(net|os|sync|math|testing|encoding|go|log|text|runtime)/)`)

// missingFiles gives a line for each file that a document names and that does not exist,
// neither beside the document nor below the directory that checkdocs runs in. What a
// change log names was there once.
func missingFiles(path string, data []byte) []string {
	if filepath.Base(path) == "CHANGELOG.md" {
		return nil
	}
	var faults []string
	for i, line := range strings.Split(string(data), "\n") {
		for _, m := range mention.FindAllStringSubmatch(line, -1) {
			name := m[1] + m[2]
			if packages.MatchString(name) || exists(filepath.Join(filepath.Dir(path), name)) || exists(name) {
				continue
			}
			faults = append(faults, fmt.Sprintf("%s:%d: names %s, which does not exist", path, i+1, name))
		}
	}
	return faults
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
