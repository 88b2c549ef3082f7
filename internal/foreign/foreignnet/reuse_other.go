//go:build !unix

package foreignnet

import (
	"errors"
	"syscall"
)

// reuseAddr says that beacons need what only unix has here. A peer without beacons
// works everywhere.
func reuseAddr(_, _ string, _ syscall.RawConn) error {
	return errors.New("foreignnet: beacons are heard on unix only")
}
