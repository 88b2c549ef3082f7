package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// pathRule finds the names of places that exist on one machine only.
type pathRule struct {
	places []string       // where the checkout and the home directory are
	homes  *regexp.Regexp // where homes and workspaces usually are
}

func newPathRule() *pathRule {
	r := &pathRule{homes: regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])/(root|home|work|Users)/[\w.]`)}
	if wd, err := os.Getwd(); err == nil {
		for _, dir := range []string{wd, filepath.Dir(wd)} {
			if strings.Count(dir, "/") > 1 { // /src or /tmp says nothing
				r.places = append(r.places, dir+"/")
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		r.places = append(r.places, home+"/")
	}
	return r
}

// check gives a line for each line of a text file that names such a place.
func (r *pathRule) check(path string, data []byte) []string {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil // not a text
	}
	var faults []string
	for i, line := range strings.Split(string(data), "\n") {
		bad := r.homes.MatchString(line)
		for _, p := range r.places {
			bad = bad || strings.Contains(line, p)
		}
		if bad {
			faults = append(faults, fmt.Sprintf("%s:%d: names a path of one machine: %s", path, i+1, strings.TrimSpace(line)))
		}
	}
	return faults
}
