package zyre

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// reuseAddr lets many nodes of one host bind the beacon port.
func reuseAddr(_, _ string, c syscall.RawConn) error {
	var opt error
	err := c.Control(func(fd uintptr) {
		opt = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", opt)
}
