//go:build unix

package foreignnet

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reuseAddr lets many nodes of one host bind the beacon port.
func reuseAddr(_, _ string, c syscall.RawConn) error {
	var opt error
	err := c.Control(func(fd uintptr) {
		if opt = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); opt == nil {
			opt = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", opt)
}
