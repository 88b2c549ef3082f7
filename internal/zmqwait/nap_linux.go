package zmqwait

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Nap gives the processor to others for about d, which should be less than a millisecond: Go's
// timers take a whole one for that while nothing else goes on. It may end early.
//
// A thread that naps keeps its place among those that run Go code, for a while. Where that is
// the only one, Nap lets other goroutines run and returns.
func Nap(d time.Duration) {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.Gosched()
		return
	}
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil) // interrupted at worst
}
