// Package bubble is for tests that run in a bubble of testing/synctest, where time
// stands still until all its goroutines wait.
package bubble

import (
	"testing/synctest"
	"time"
)

// Sleep moves the clock of the bubble on by d, and returns once all that was due by then
// has been done. One goroutine of a bubble calls it at a time. Outside a bubble it panics:
// a test that sleeps for real is slow, and on a busy machine wrong.
func Sleep(d time.Duration) {
	synctest.Wait() // panics outside a bubble, before any time is lost
	time.Sleep(d)
	synctest.Wait()
}

// Settle returns once all that is due at this moment has been done: in a bubble time goes on
// only when nobody has anything left to do. Unlike synctest.Wait it may be called by several
// goroutines at a time. Outside a bubble it does nothing.
func Settle() { time.Sleep(time.Nanosecond) }
