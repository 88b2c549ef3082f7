//go:build !linux

package doctor

import (
	"errors"
	"net/netip"
)

// sniff is not possible here.
func sniff(func([]byte, netip.Addr, int, int, bool)) (run, stop func(), err error) {
	return nil, nil, errors.New("only Linux shows more")
}
