//go:build unix

package zmqwait

// #include <sched.h>
// #cgo nocallback sched_yield
import "C"

import (
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
)

const (
	// spinTime is how long an owner looks for work before it parks. It is what an
	// answer takes on one host, or on a good wire.
	spinTime = 200 * time.Microsecond
	// A park shorter than this was mostly the way to sleep and back.
	shortPark = 300 * time.Microsecond
	// After as many spins that found work the owner parks nevertheless: Go looks at
	// the network and at its other goroutines when one parks.
	maxRun = 16
	// At most as many short parks pass between two spins.
	maxSkips = 1 << 10
	// A yield that takes this long is taken to mean that others want the processor. They
	// get it for crowdedPause, and for twice as long each time that the next such yield
	// follows within as long after that.
	longYield       = 200 * time.Microsecond
	crowdedPause    = 100 * time.Millisecond
	maxCrowdedPause = 10 * time.Second
)

// spinning is set while an owner spins: one of a process at a time, however many
// sockets it has.
var spinning atomic.Bool

// A spinner decides whether to look for work a while before the next park. To park and
// be woken costs changes of thread, and on an idle machine the time in which a
// processor wakes up: for a message that is answered at once, more than all else. So an
// owner whose last park was short expects the next to be short and spins instead. Each
// spin in vain makes it try more rarely.
type spinner struct {
	short bool            // the last park was short, or a spin found work
	run   int             // spins that found work since the last park
	skips int             // short parks to let pass before the next spin
	vain  int             // how many were let pass after the last spin in vain
	quiet time.Time       // no spin before: others want the processor
	pause backoff.Backoff // how long quiet was ahead when it was set
}

// parked tells how long a park lasted, and whether it was work that ended it.
func (s *spinner) parked(d time.Duration, work bool) {
	s.short, s.run = work && d < shortPark, 0
}

// due decides whether to spin instead of the next park.
func (s *spinner) due() bool {
	if !s.short {
		return false
	}
	s.short = false
	if s.skips > 0 {
		s.skips--
		return false
	}
	return true
}

// ended tells whether a spin found work.
func (s *spinner) ended(found bool) {
	if !found {
		s.vain = min(2*s.vain+1, maxSkips)
		s.skips = s.vain
		return
	}
	s.vain = 0
	s.run++
	s.short = s.run < maxRun
}

// crowded notes that others want the processor.
func (s *spinner) crowded(now time.Time) {
	if now.Sub(s.quiet) >= s.pause.Current() {
		s.pause.Reset()
	}
	s.pause.Min, s.pause.Max = crowdedPause, maxCrowdedPause
	s.quiet = now.Add(s.pause.Next())
}

// try looks for work until there is some, and says so, or until it is time to park. It
// does not look at all if until comes earlier than a spin would end.
func (s *spinner) try(until time.Time, work func() bool) (found bool) {
	if !s.due() {
		return false
	}
	now := time.Now()
	end := now.Add(spinTime)
	if now.Before(s.quiet) || !until.IsZero() && until.Before(end) {
		return false
	}
	if work() {
		s.short = true // it would not have parked: this says nothing
		return true
	}
	if !spinning.CompareAndSwap(false, true) {
		return false
	}
	defer spinning.Store(false)
	for now.Before(end) {
		// To threads that wait for this processor: libzmq's bring what is waited for.
		C.sched_yield()
		before := now
		now = time.Now()
		if now.Sub(before) > longYield {
			s.crowded(now)
		}
		if work() {
			s.ended(true)
			return true
		}
	}
	s.ended(false)
	return false
}
