//go:build !unix

package zmqwait

import (
	"sync/atomic"
	"time"
)

// pollInterval is how often a parked owner looks at its socket on systems whose
// descriptors Go's poller cannot take.
const pollInterval = 5 * time.Millisecond

// A Waiter parks the goroutine that owns a ZeroMQ socket. Wait and Close belong
// to that goroutine; Wake may be called by any.
type Waiter struct {
	state  atomic.Uint32
	closed atomic.Bool
	wakeup chan struct{}
}

// New returns a Waiter. fd is not used on this system: the Waiter polls.
func New(fd uintptr) (*Waiter, error) {
	return &Waiter{wakeup: make(chan struct{}, 1)}, nil
}

// Wait parks the calling goroutine until ready reports true, Wake has been
// called since Wait last returned, or until has passed; a zero until never
// passes. It may also return for no reason.
func (w *Waiter) Wait(ready func() bool, until time.Time) error {
	if w.closed.Load() {
		return ErrClosed
	}
	if !w.state.CompareAndSwap(awake, parked) {
		w.state.Store(awake)
		return nil
	}
	defer w.state.Store(awake)
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for w.state.Load() == parked && !ready() {
		if !until.IsZero() && !time.Now().Before(until) {
			return nil
		}
		timer.Reset(pollInterval)
		select {
		case <-w.wakeup:
		case <-timer.C:
		}
	}
	return nil
}

// Wake makes the current Wait return, or the next one if none is under way.
// Whatever the caller wrote before Wake is visible to the owner when that Wait
// returns. After Close it does nothing. What is left in wakeup from an earlier
// Wait makes a later one look once too often, no more.
func (w *Waiter) Wake() {
	if w.state.Load() == woken {
		return
	}
	if w.state.Swap(woken) == parked {
		select {
		case w.wakeup <- struct{}{}:
		default:
		}
	}
}

// Close ends the Waiter. A second Close does nothing.
func (w *Waiter) Close() error {
	w.closed.Store(true)
	return nil
}

// HaveDescriptors reports whether the process may open n more descriptors now; this
// system has no limit worth asking about.
func HaveDescriptors(n int) bool { return true }
