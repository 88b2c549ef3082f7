//go:build unix

package zmqwait

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// await returns when the socket may have something and the Watcher is armed, or after
// Close.
func (w *Watcher) await() error {
	for !w.closed.Load() && !w.due() {
		// What happens often is no reason to spin: the owner is not in a hurry.
		w.waiter.spin = spinner{}
		if err := w.waiter.Wait(w.due, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// due reports whether the Watcher has to fire.
func (w *Watcher) due() bool { return !w.fired.Load() && canRead(w.fd) }

// canRead asks the descriptor itself. It is of no use to ask the socket, which belongs
// to another goroutine.
func canRead(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0 || err != nil
		}
	}
}
