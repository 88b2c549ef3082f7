//go:build !unix

package zmqwait

import "time"

// watchInterval is how often a Watcher fires on systems where it cannot ask the
// descriptor: it then has its owner ask the socket.
const watchInterval = 20 * time.Millisecond

// await returns a while after the Watcher was armed, or after Close.
func (w *Watcher) await() error {
	for due := time.Now().Add(watchInterval); !w.closed.Load(); {
		until := due
		if w.fired.Load() {
			until = time.Time{} // for ever: Rearm wakes it
		} else if !time.Now().Before(due) {
			return nil
		}
		if err := w.waiter.Wait(func() bool { return false }, until); err != nil {
			return err
		}
	}
	return nil
}
