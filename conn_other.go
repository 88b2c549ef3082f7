//go:build !(aix || darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package zyre

import "syscall"

// reuseAddr does nothing here: one node of a host can bind the beacon port.
func reuseAddr(_, _ string, _ syscall.RawConn) error { return nil }
