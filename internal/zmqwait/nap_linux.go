package zmqwait

import (
	"time"

	"golang.org/x/sys/unix"
)

// Nap gives the processor to others for about d, which should be less than a millisecond: Go's
// timers take a whole one for that while nothing else goes on. It may end early.
func Nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil) // interrupted at worst
}
