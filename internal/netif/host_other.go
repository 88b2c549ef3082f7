//go:build !linux

package netif

import (
	"errors"
	"net"
	"net/netip"
)

// prefixesByIndex lists the addresses of all interfaces by interface index.
// An interface that goes away while we ask has none.
func prefixesByIndex(ifis []net.Interface) (map[int][]netip.Prefix, error) {
	prefixes := make(map[int][]netip.Prefix, len(ifis))
	for _, ifi := range ifis {
		if p, err := Prefixes(&ifi); err == nil {
			prefixes[ifi.Index] = p
		}
	}
	return prefixes, nil
}

// defaultRoutes is not known here: the choice does without.
func defaultRoutes() map[string]int { return nil }

const sysNet = ""

// hasDevice is not known here: all interfaces are alike.
func hasDevice(string, string) bool { return false }

// isPort is not known here: ports of a bridge have no address.
func isPort(string, string) bool { return false }

// listWithoutNetlink has no other way here.
func listWithoutNetlink() ([]Interface, error) { return nil, errors.ErrUnsupported }

// changes is not known here: anything may have changed each time.
type changes struct{}

func (*changes) subscribed() bool { return false }

func (*changes) take() bool { return true }

func (*changes) close() {}
