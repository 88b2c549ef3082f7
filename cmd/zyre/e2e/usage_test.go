//go:build unix

package e2e

import (
	"fmt"
	"os"
	"regexp"
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
// grow to their peak.
func (e *endurance) check() {
	e.t.Helper()
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

// soakTime is how long an endurance run lasts, or the test is skipped.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(os.Getenv("ZYRE_SOAK"))
	if err != nil {
		t.Skip("goes on for a while: make soak DURATION=…")
	}
	return d
}
