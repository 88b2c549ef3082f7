package kit

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Holdings is what a process holds.
type Holdings struct {
	Goroutines  int // of Go
	Descriptors int // open ones
	ZMQThreads  int // of libzmq; the Go runtime keeps its own threads
}

// CountHoldings counts what this process holds, or skips the test where there is no /proc.
func CountHoldings(t testing.TB) Holdings {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	var h Holdings
	for _, task := range tasks {
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.HasPrefix(string(name), "ZMQ") {
			h.ZMQThreads++
		}
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	h.Goroutines, h.Descriptors = runtime.NumGoroutine(), len(descriptors)
	return h
}

// CheckLeaks fails the test unless the process ends up holding no more than now.
func CheckLeaks(t testing.TB) {
	t.Helper()
	FreeUDPPort(t) // Go's poller keeps descriptors from the first use of the network on
	before := CountHoldings(t)
	t.Cleanup(func() {
		again := time.NewTicker(lookAgain)
		defer again.Stop()
		deadline := time.Now().Add(Patience)
		for {
			after := CountHoldings(t)
			if after.Goroutines <= before.Goroutines && after.Descriptors <= before.Descriptors &&
				after.ZMQThreads <= before.ZMQThreads {
				return
			}
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("the process held %+v before, %+v after\n%s", before, after, buf[:runtime.Stack(buf, true)])
				return
			}
			<-again.C
		}
	})
}
