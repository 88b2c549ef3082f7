//go:build unix

package zmqwait

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/go-zyre/zyre/internal/libzmq" // says what to install if cgo is missing
)

// past is a deadline that has expired whenever it is set.
var past = time.Unix(1, 0)

// A Waiter parks the goroutine that owns a ZeroMQ socket. Wait and Close belong
// to that goroutine; Wake may be called by any.
type Waiter struct {
	state atomic.Uint32
	file  *os.File

	// owned by the goroutine that calls Wait
	raw   syscall.RawConn
	spin  spinner
	ready func() bool        // what Wait was given last
	work  func() bool        // there is something to do: asked while it spins
	check func(uintptr) bool // and while it parks; both made once, to spare garbage

	// deadline is the read deadline the descriptor has, if deadlineKnown. It
	// spares a timer update in each Wait of an owner that waits for the same tick.
	deadline      time.Time
	deadlineKnown bool
	closed        bool
}

// New returns a Waiter for the socket whose ZMQ_FD is fd. It works on a
// duplicate of fd, which Close closes; the socket keeps its own. New fails if no
// descriptor is left or if fd is of a kind that cannot be polled.
func New(fd uintptr) (*Waiter, error) {
	dup, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("zmqwait: duplicate descriptor: %w", err)
	}
	// os.NewFile hands a descriptor to the poller only if it does not block. The
	// flag belongs to the open file and so to libzmq's descriptor as well, which
	// libzmq has made non-blocking itself.
	if err := unix.SetNonblock(dup, true); err != nil {
		_ = unix.Close(dup)
		return nil, fmt.Errorf("zmqwait: make descriptor non-blocking: %w", err)
	}
	w := &Waiter{file: os.NewFile(uintptr(dup), "zmq")}
	if err := w.file.SetReadDeadline(time.Time{}); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("zmqwait: descriptor cannot be polled: %w", err)
	}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("zmqwait: %w", err)
	}
	w.deadlineKnown = true
	w.check = func(uintptr) bool { return w.state.Load() != parked || w.ready() }
	w.work = func() bool { return w.state.Load() != awake || w.ready() }
	return w, nil
}

// Wait parks the calling goroutine until ready reports true, Wake has been
// called since Wait last returned, or until has passed; a zero until never
// passes. It may also return for no reason: the caller looks at everything it
// serves and waits again. After a short wait it does not park at once but calls ready
// again and again for a moment. ready is called by Wait's own goroutine, at least once
// before it parks and again each time the descriptor shows an edge, and must
// report whether the socket has something to read (its ZMQ_EVENTS). An error
// means that the descriptor can be waited for no longer.
func (w *Waiter) Wait(ready func() bool, until time.Time) error {
	if w.closed {
		return ErrClosed
	}
	w.ready = ready
	if w.spin.try(until, w.work) {
		w.state.Swap(awake)
		return nil
	}
	if !w.deadlineKnown || !w.deadline.Equal(until) {
		// Only while not parked; see Wake.
		if err := w.file.SetReadDeadline(until); err != nil {
			return w.failed(err)
		}
		w.deadline, w.deadlineKnown = until, true
	}
	if !w.state.CompareAndSwap(awake, parked) {
		w.state.Store(awake)
		return nil
	}

	// Read forgets the edges that came before it and then calls check; so check
	// itself must see what those edges announced. Whatever comes after that
	// makes a new edge, which Read does not miss.
	begin := time.Now()
	err := w.raw.Read(w.check)
	roused := w.state.Swap(awake) == woken
	if roused {
		w.deadlineKnown = false // its caller sets the deadline, sooner or later
	}
	w.spin.parked(time.Since(begin), err == nil || roused)
	if err != nil {
		return w.failed(err)
	}
	return nil
}

func (w *Waiter) failed(err error) error {
	w.deadlineKnown = false
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("zmqwait: %w", err)
}

// Wake makes the current Wait return, or the next one if none is under way.
// Whatever the caller wrote before Wake is visible to the owner when that Wait
// returns. It costs one atomic operation unless the owner is parked. After Close
// it does nothing.
//
// Why no call is lost. Four things touch the state: the owner that spun and does
// not park (E: awake or woken → awake), the owner before it parks (A: awake →
// parked, or woken → awake and return), the owner after it was parked (B: any →
// awake), and Wake (C: any → woken, and only if it was parked, D: set the deadline
// to the past). All are single atomic operations, so they have one order.
//
//   - C before E: the owner looks at its work after E. C has found no owner parked,
//     so there is no D.
//   - C before A, and no E between: A sees woken and does not park.
//   - C between A and B: the state stays woken until B. If C comes before Read
//     checks the state, check sees it and Read ends. If after, the owner may
//     sleep, and D ends that: the owner sets the deadline before A and never
//     between A and B, so nothing takes D's deadline back before Read has
//     returned. Read looks at the deadline after it has announced that it
//     sleeps, and D looks for a sleeper after it has set the deadline.
//   - C after B: the owner is awake; this is the first case for the next Wait.
//   - D delayed past B, because the descriptor or the true deadline has roused
//     the owner before: the owner has been awake since C and has seen what C's
//     caller wrote. If D hits before the owner sets its next deadline, it is
//     overwritten, and nothing is owed. If it hits after, the next Wait returns
//     for no reason, once, and sets the deadline afresh. The same happens when D
//     hits a deadline that the owner believed to be still in place.
//   - Wake that finds woken already: the call that left it there has not been
//     consumed, its A, B or E comes later in the order, and the owner looks at its
//     work after that.
func (w *Waiter) Wake() {
	if w.state.Load() == woken {
		return
	}
	if w.state.Swap(woken) == parked {
		_ = w.file.SetReadDeadline(past) // fails only after Close
	}
}

// Close releases the duplicate descriptor. A second Close does nothing. The
// owner calls it before it closes the socket.
func (w *Waiter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("zmqwait: %w", err)
	}
	return nil
}

// HaveDescriptors reports whether the process may open n more descriptors now. libzmq
// aborts the process in some places when it is refused a descriptor, so callers
// ask first. Another goroutine may take them in between; ask for more than needed.
func HaveDescriptors(n int) bool {
	var few [16]int // that need not be allocated
	fds := few[:0]
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for len(fds) < n {
		fd, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE)
		}
		fds = append(fds, fd)
		if unused(n - 1) {
			return true
		}
	}
	return true
}
