// Command testall runs go test, once for each group of arguments that -- parts, and says
// every few seconds what it is doing. It prints what go test prints, and sums up: how many
// tests passed and failed, which took long, and which were skipped and why. That no test
// ran at all is a failure.
//
//	go run ./internal/tools/testall -race ./... -- -C bench -race ./...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
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

// progressEvery is the time between two lines that say what is going on.
const progressEvery = 15 * time.Second

// summary counts tests, not subtests.
type summary struct {
	out   io.Writer
	start time.Time

	mu             sync.Mutex // the progress is told while events come
	passed, failed int
	skipped        []skip
	slow           []timing
	running        map[string]*testPackage
	pending        map[string][]string // output of tests that are still running
}

// testPackage is a package whose tests are running.
type testPackage struct {
	done  int
	tests []runningTest // in order of their start
}

type runningTest struct {
	name  string
	since time.Time
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, start: time.Now(), running: make(map[string]*testPackage), pending: make(map[string][]string)}
}

func main() {
	s, failed := newSummary(os.Stdout), false
	go s.tellProgress() // ends with the process
	for _, args := range split(os.Args[1:]) {
		if err := s.run(args); err != nil {
			fmt.Fprintf(os.Stderr, "testall: go test %s: %v\n", strings.Join(args, " "), err)
			failed = true
		}
	}
	s.print(time.Since(s.start))
	if s.passed+s.failed+len(s.skipped) == 0 {
		fmt.Fprintln(os.Stderr, "testall: no tests")
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}

// split parts arguments at each --.
func split(args []string) (groups [][]string) {
	for {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(groups, args)
		}
		groups, args = append(groups, args[:i]), args[i+1:]
	}
}

// run runs go test and takes in what it reports.
func (s *summary) run(args []string) error {
	command := []string{"test"}
	if len(args) > 1 && args[0] == "-C" { // go wants it to be first
		command, args = append(command, args[:2]...), args[2:]
	}
	cmd := exec.Command("go", append(append(command, "-json"), args...)...)
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

// tellProgress says what is going on, for ever.
func (s *summary) tellProgress() {
	for now := range time.Tick(progressEvery) {
		s.mu.Lock()
		fmt.Fprintln(s.out, s.progress(now))
		s.mu.Unlock()
	}
}

// progress says in a line how far the tests are: for each package how many are done, and
// which runs for how long.
func (s *summary) progress(now time.Time) string {
	line := fmt.Sprintf("-- %v: %d tests done, %d failed", now.Sub(s.start).Round(time.Second),
		s.passed+s.failed+len(s.skipped), s.failed)
	if len(s.running) == 0 {
		return line + "; building"
	}
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		p := s.running[name]
		line += fmt.Sprintf("; %s: %d", strings.TrimPrefix(name, "github.com/go-zyre/"), p.done)
		if len(p.tests) > 0 {
			t := p.tests[0]
			line += fmt.Sprintf(", %s for %v", t.name, now.Sub(t.since).Round(time.Second))
		}
	}
	return line
}

// follow keeps account of what is running.
func (s *summary) follow(e event, now time.Time) {
	if e.Test == "" {
		switch e.Action {
		case "start":
			s.running[e.Package] = &testPackage{}
		case "pass", "fail", "skip":
			delete(s.running, e.Package)
		}
		return
	}
	p := s.running[e.Package]
	if p == nil || strings.Contains(e.Test, "/") {
		return
	}
	switch e.Action {
	case "run", "cont":
		p.tests = append(p.tests, runningTest{e.Test, now})
	case "pause", "pass", "fail", "skip":
		p.tests = slices.DeleteFunc(p.tests, func(t runningTest) bool { return t.name == e.Test })
		if e.Action != "pause" {
			p.done++
		}
	}
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
				s.mu.Lock()
				fmt.Fprintf(s.out, "%s", line)
				s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow(e, time.Now())
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

// noise reports whether go test prints a line only because of -json, which implies -v.
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
	s.mu.Lock()
	defer s.mu.Unlock()
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
	fmt.Fprintf(s.out, "\nin %.0f s\ntests: %d passed, %d failed, %d skipped\n",
		took.Seconds(), s.passed, s.failed, len(s.skipped))
}
