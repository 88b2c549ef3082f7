// Package leak tells what a test's process holds, so that a test can see that nothing is
// left behind.
package leak

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/watch"
)

// Holdings is what a process holds. Of the threads only libzmq's count: the Go runtime
// keeps its own.
type Holdings struct {
	Goroutines, Descriptors, Threads int // how many
}

// Count tells what this process holds now, or skips the test where that cannot be told.
func Count(t testing.TB) Holdings {
	t.Helper()
	h := Holdings{Goroutines: runtime.NumGoroutine()}
	for _, of := range threads(t) {
		h.Threads += of
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	h.Descriptors = len(descriptors)
	return h
}

// threads counts libzmq's threads by their names.
func threads(t testing.TB) map[string]int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	named := map[string]int{}
	for _, task := range tasks {
		comm, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm") // or it has ended
		if name := strings.TrimSpace(string(comm)); strings.HasPrefix(name, "ZMQ") {
			named[name]++
		}
	}
	return named
}

// awaitNames waits until libzmq's threads have their names, which each gives itself when it first
// runs: there is one reaper for each first I/O thread.
func awaitNames(t testing.TB) {
	t.Helper()
	watch.Until(t, "libzmq's threads have their names", func() bool {
		named := threads(t)
		return named["ZMQbg/Reaper"] == named["ZMQbg/IO/0"]
	})
}

// Check fails the test unless the process ends up holding no more than now.
func Check(t testing.TB) {
	t.Helper()
	// Go's poller keeps descriptors from the first use of the network on.
	if c, err := net.ListenPacket("udp4", "127.0.0.1:0"); err == nil {
		c.Close()
	}
	awaitNames(t)
	before := Count(t)
	t.Cleanup(func() {
		var after Holdings
		looks := 0
		watch.Paced(5*time.Millisecond, func() (last bool) {
			after = Count(t)
			looks++
			return looks > 400 || after.Goroutines <= before.Goroutines &&
				after.Descriptors <= before.Descriptors && after.Threads <= before.Threads
		})
		if looks > 400 {
			buf := make([]byte, 1<<20)
			t.Errorf("the process held %+v before, %+v after\n%s", before, after, buf[:runtime.Stack(buf, true)])
		}
	})
}
