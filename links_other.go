//go:build !linux

package zyre

import (
	"net"
	"net/netip"
)

// interfacePrefixes lists the addresses of all interfaces by interface index.
// An interface that goes away while we ask has none.
func interfacePrefixes(ifis []net.Interface) (map[int][]netip.Prefix, error) {
	prefixes := make(map[int][]netip.Prefix, len(ifis))
	for _, ifi := range ifis {
		if p, err := prefixesOf(&ifi); err == nil {
			prefixes[ifi.Index] = p
		}
	}
	return prefixes, nil
}

// defaultRoutes is not known here: the choice does without.
func defaultRoutes() map[string]int { return nil }

// hasDevice is not known here: all interfaces are alike.
func hasDevice(string) bool { return false }

// hostChanges is not known here: anything may have changed each time.
type hostChanges struct{}

func (*hostChanges) any() bool { return true }

func (*hostChanges) close() {}
