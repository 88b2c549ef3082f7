//go:build unix

package zmqwait

// #include <sched.h>
// #cgo nocallback sched_yield
import "C"

import (
	"sync/atomic"
	"time"
)

const (
	// spinTime is how long an owner looks for work before it parks. It is what an
	// answer takes on one host, or on a good wire.
	spinTime = 200 * time.Microsecond
	// A park no longer than this would have been shorter without the way to sleep and
	// back, which may take most of it.
	shortPark = 300 * time.Microsecond
	// A turn of the loop that takes this long means that others want the processor.
	longTurn = 200 * time.Microsecond
	// The processor is then left to them: the first time for crowdedPause, and twice as
	// long each time that they want it again within as long after that.
	crowdedPause    = 100 * time.Millisecond
	maxCrowdedPause = 10 * time.Second
	// maxSkips bounds how many short parks follow a spin in vain without another try.
	maxSkips = 1 << 10
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
	short bool          // the last park was short
	skips int           // short parks to let pass before the next try
	vain  int           // how many were let pass after the last try in vain
	quiet time.Time     // no try before: others wanted the processor
	pause time.Duration // that led to quiet
}

// parked tells how long a park lasted.
func (s *spinner) parked(d time.Duration) { s.short = d < shortPark }

// due says whether the next park is worth a try.
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

// ended tells how a spin ended: whether there was work.
func (s *spinner) ended(found bool) {
	s.short = found
	if found {
		s.vain = 0
		return
	}
	s.vain = min(2*s.vain+1, maxSkips)
	s.skips = s.vain
}

// crowded notes that others want the processor.
func (s *spinner) crowded(now time.Time) {
	if now.Sub(s.quiet) < s.pause {
		s.pause = min(2*s.pause, maxCrowdedPause)
	} else {
		s.pause = crowdedPause
	}
	s.quiet = now.Add(s.pause)
}

// spin looks for work until there is some, and says so, or until it is time to park.
func (s *spinner) spin(until time.Time, work func() bool) (found bool) {
	if !s.due() {
		return false
	}
	now := time.Now()
	if now.Before(s.quiet) || !spinning.CompareAndSwap(false, true) {
		return false
	}
	defer spinning.Store(false)
	end := now.Add(spinTime)
	if !until.IsZero() && until.Before(end) {
		end = until
	}
	for now.Before(end) {
		if work() {
			s.ended(true)
			return true
		}
		// To libzmq's threads, who bring what is waited for.
		C.sched_yield()
		turn := now
		now = time.Now()
		if now.Sub(turn) > longTurn {
			s.crowded(now)
			break
		}
	}
	s.ended(false)
	return false
}
