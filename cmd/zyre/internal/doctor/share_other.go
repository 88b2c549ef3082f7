//go:build !unix && !windows

package doctor

import "syscall"

// shareAddress leaves the socket as it is.
func shareAddress(syscall.RawConn) error { return nil }
