package netif

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LookedAt returns when the View looked last.
func (v *View) LookedAt() time.Time { return v.at }

// BreakSubscription has the View's subscription fail, as if the kernel refused to go on.
func (v *View) BreakSubscription() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	return unix.Dup3(int(null.Fd()), v.changes.socket, unix.O_CLOEXEC)
}

// NarrowSubscription leaves the kernel room for a few changes only.
func (v *View) NarrowSubscription() error {
	return unix.SetsockoptInt(v.changes.socket, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
}
