//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package transport

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/internal/backoff"
)

// lockLimit is how long lockDirectory waits. Others who use this package hold the lock for
// as long as a bind takes.
const lockLimit = time.Second

// lockDirectory keeps two nodes that start at the same time from finding the same path
// free. It leaves no file behind. Where the system does not lock directories, or somebody
// holds the lock for long, it is best to go on without.
func lockDirectory(dir string) (release func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	wait := backoff.Backoff{Min: 100 * time.Microsecond, Max: 10 * time.Millisecond}
	for deadline := time.Now().Add(lockLimit); time.Now().Before(deadline); {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
		time.Sleep(wait.Next()) // there is no way to wait for a lock with a limit
	}
	return func() { _ = f.Close() } // which gives up the lock
}
