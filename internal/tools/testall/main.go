// Command testall runs go test in every module of the repository, prints what go test
// prints, and sums up: how many tests passed and failed, which took long, and which were
// skipped and why.
// Its arguments are go test's flags.
//
//	go run ./internal/tools/testall -race -shuffle=on
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// skip is one skipped test with what it said.
type skip struct{ name, reason string }

// timing is how long a test took.
type timing struct {
	name    string
	seconds float64
}

// Of the tests that took so long the slowest are listed.
const (
	slowSeconds = 5
	slowListed  = 15
)

// summary counts tests, not subtests.
type summary struct {
	out            io.Writer
	passed, failed int
	skipped        []skip
	slow           []timing
	pending        map[string][]string // output of tests that are still running
}

func main() {
	dirs, err := modules(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testall:", err)
		os.Exit(1)
	}
	start, failed := time.Now(), false
	s := &summary{out: os.Stdout, pending: make(map[string][]string)}
	for _, dir := range dirs {
		if err := s.runModule(dir, os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "testall: module %s: %v\n", dir, err)
			failed = true
		}
	}
	s.print(time.Since(start))
	if failed {
		os.Exit(1)
	}
}

// modules gives the directories of all modules at and below root, root first.
func modules(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root &&
			(name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if name == "go.mod" {
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	slices.Sort(dirs)
	return dirs, err
}

// runModule runs go test in one module and takes in what it reports.
func (s *summary) runModule(dir string, flags []string) error {
	args := append([]string{"test", "-json"}, flags...)
	cmd := exec.Command("go", append(args, "./...")...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(s.read(stdout), cmd.Wait())
}

// read takes in events until the end of r.
func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.add(e)
			} else {
				fmt.Fprintf(s.out, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	// The output of a subtest is kept with its test.
	test, _, isSub := strings.Cut(e.Test, "/")
	key := e.Package + "." + test
	if e.Test != "" && !isSub && e.Elapsed >= slowSeconds {
		s.slow = append(s.slow, timing{key, e.Elapsed})
	}
	switch {
	case e.Action == "output" && e.Test == "", e.Action == "build-output":
		if !noise(e.Output) {
			fmt.Fprint(s.out, e.Output)
		}
	case e.Action == "output":
		s.pending[key] = append(s.pending[key], e.Output)
	case e.Test == "" || isSub && e.Action != "skip":
	case e.Action == "skip":
		s.skipped = append(s.skipped, skip{e.Package + "." + e.Test, reason(s.pending[key])})
		if !isSub {
			delete(s.pending, key)
		}
	case e.Action == "pass":
		s.passed++
		delete(s.pending, key)
	case e.Action == "fail":
		s.failed++
		fmt.Fprint(s.out, strings.Join(s.pending[key], ""))
		delete(s.pending, key)
	}
}

// noise says whether go test prints a line only because of -json, which implies -v.
func noise(line string) bool {
	return line == "PASS\n" || line == "testing: warning: no tests to run\n" || strings.Contains(line, "[no test files]") ||
		strings.Contains(line, "[no tests to run]")
}

// reason is the last thing that a skipped test logged.
func reason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		text := strings.TrimSpace(line)
		if text != "" && !strings.HasPrefix(text, "--- ") && !strings.HasPrefix(text, "=== ") {
			return text
		}
	}
	return "no reason given"
}

func (s *summary) print(took time.Duration) {
	// A test that never ended says in its output why: a panic, a race, a timeout.
	s.failed += len(s.pending)
	for key, lines := range s.pending {
		fmt.Fprintf(s.out, "unfinished: %s\n%s", key, strings.Join(lines, ""))
	}
	if len(s.slow) > 0 {
		slices.SortFunc(s.slow, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
		fmt.Fprintf(s.out, "\nslowest of %d that took %d s or more:\n", len(s.slow), slowSeconds)
		for _, t := range s.slow[:min(len(s.slow), slowListed)] {
			fmt.Fprintf(s.out, "  %4.0f s  %s\n", t.seconds, t.name)
		}
	}
	if len(s.skipped) > 0 {
		fmt.Fprintf(s.out, "\nskipped:\n")
		for _, k := range s.skipped {
			fmt.Fprintf(s.out, "  %s: %s\n", k.name, k.reason)
		}
	}
	fmt.Fprintf(s.out, "\nall modules, %.0f s\ntests: %d passed, %d failed, %d skipped\n",
		took.Seconds(), s.passed, s.failed, len(s.skipped))
}
