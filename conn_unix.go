//go:build aix || darwin || dragonfly || freebsd || linux || netbsd || openbsd

package zyre

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reuseAddr lets many nodes of one host bind the beacon port. SO_REUSEADDR is
// enough on Linux, also between users; BSD and CZMQ's sockets want SO_REUSEPORT.
// Broadcasts and multicasts reach every socket that has both (on Linux only a
// datagram to one host is given to one of them, and beacons never are).
func reuseAddr(_, _ string, c syscall.RawConn) error {
	var opt error
	err := c.Control(func(fd uintptr) {
		opt = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if opt == nil {
			opt = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", opt)
}
