//go:build unix

package e2e

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/watch"
)

// usage is what a process of zyre uses.
type usage struct {
	goroutines, descriptors, threads int
	live, resident                   int // bytes: reachable from Go, and all
}

var usageLine = regexp.MustCompile(`usage goroutines=(\d+) live=(\d+)`)

// usage asks a process what it uses.
func (p *process) usage() (u usage) {
	p.t.Helper()
	told := func() [][]string { return usageLine.FindAllStringSubmatch(p.errOut.String(), -1) }
	before := len(told())
	p.signal(syscall.SIGUSR1)
	watch.Until(p.t, "the process tells what it uses", func() bool { return len(told()) > before })
	last := told()[before]
	u.goroutines, u.live = number(p.t, last[1]), number(p.t, last[2])
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	open, err := os.ReadDir(dir + "fd")
	must(p.t, err)
	u.descriptors = len(open)
	status, err := os.ReadFile(dir + "status")
	must(p.t, err)
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "VmRSS:":
			u.resident = number(p.t, fields[1]) << 10
		case fields[0] == "Threads:":
			u.threads = number(p.t, fields[1])
		}
	}
	return u
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d threads, %d descriptors, %.1f MB reachable, %.1f MB resident",
		u.goroutines, u.threads, u.descriptors, float64(u.live)/1e6, float64(u.resident)/1e6)
}

// endurance is a process that is looked at again and again while it works.
type endurance struct {
	*process
	what string
	seen []usage
}

// check compares the last quarter of what was seen with the second one: in the first, heaps
// grow to their peak. Who keeps a number of things may take longer until it has them, and the
// bounds leave room for that: the monitor keeps 2,000 entries, and each queue of libzmq takes
// memory until some hundreds of messages went through it, some 70 KB for a peer.
func (e *endurance) check() {
	e.t.Helper()
	if hasRaceDetector(e.t, e.cmd.Path) {
		e.t.Fatalf("%s has the race detector in it, whose own memory grows", e.what)
	}
	quarter := len(e.seen) / 4
	if quarter < 2 {
		e.t.Fatalf("%s was looked at %d times, want 8 at least", e.what, len(e.seen))
	}
	// Goroutines that wait for an answer come and go, so a leak shows in the least of them.
	most := func(some []usage) (m usage) {
		m.goroutines = some[0].goroutines
		for _, u := range some {
			m = usage{min(m.goroutines, u.goroutines), max(m.descriptors, u.descriptors), max(m.threads, u.threads), max(m.live, u.live), max(m.resident, u.resident)}
		}
		return m
	}
	before, after := most(e.seen[quarter:2*quarter]), most(e.seen[len(e.seen)-quarter:])
	e.t.Logf("%s: %s\n   at the end: %s", e.what, before, after)
	const mega = 1 << 20
	for what, grown := range map[string]bool{
		"goroutines":     after.goroutines > before.goroutines+8,
		"descriptors":    after.descriptors > before.descriptors+8,
		"threads":        after.threads > before.threads+4,
		"reachable":      after.live > before.live*11/10+mega,
		"resident bytes": after.resident > before.resident*11/10+4*mega,
	} {
		if grown {
			e.t.Errorf("%s: %s have grown", e.what, what)
		}
	}
}

// hasRaceDetector reports whether a program was built with -race. How much memory such a
// program has says nothing of it: the detector keeps, for each goroutine, a place for every
// function that it has entered and not left, and the compiler (Go 1.26) forgets to say that a
// method is left which hands on to that of an embedded pointer: 8 bytes for each such call, for
// ever. In the terminal each cell that is drawn is one, some 35 KB for a picture of 100 x 24.
func hasRaceDetector(t *testing.T, path string) bool {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	must(t, err)
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// The program of the tests looks for races, and that of an endurance run does not.
func TestUsage_raceDetector(t *testing.T) {
	t.Parallel()
	path, err := command()
	must(t, err)
	if got := hasRaceDetector(t, path); got == isSoak() {
		t.Errorf("the race detector is in it: %t, in an endurance run: %t; want it in all others", got, isSoak())
	}
}

// soakTime is how long an endurance run lasts, or the test is skipped.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(os.Getenv("ZYRE_SOAK"))
	if err != nil {
		t.Skip("goes on for a while: make soak DURATION=…")
	}
	return d
}
