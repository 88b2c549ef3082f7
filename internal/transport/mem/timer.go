package mem

import "time"

// passed is a moment that is over.
var passed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// after returns a channel that can be received from once d is over, and what gives its
// timer back. A time that is over already gets no timer: in a bubble of testing/synctest
// every goroutine fires such a timer by itself, all with the bubble's one context of the
// race detector, which crashes the process (Go 1.26).
func after(d time.Duration) (over <-chan time.Time, stop func()) {
	if d <= 0 {
		return passed, func() {}
	}
	timer := time.NewTimer(d)
	return timer.C, func() { timer.Stop() }
}
