package zyre

import (
	"errors"

	"github.com/go-zyre/zyre/internal/transport"
)

// SetEndpoint binds the node's mailbox to an endpoint of the application's choice,
// formatted as by fmt.Sprintf, instead of a port on each network interface: tcp
// ("tcp://192.168.1.7:49152"; a port of * takes any), ipc or inproc. It turns beacons
// off, unless SetPort is called too, which works only with tcp: the node then is found
// by gossip or RequirePeer. It returns an error that wraps ErrInvalid for an endpoint
// that makes no sense, and ErrRunning after Start; one that cannot be bound makes
// Start return an error. It is zyre_set_endpoint of libzyre.
func (z *Zyre) SetEndpoint(format string, args ...interface{}) error {
	endpoint := sprintf(format, args)
	if transport.CheckBindEndpoint(endpoint) != nil {
		return opError("set endpoint", endpoint, ErrInvalid)
	}
	if z.node.Load() != nil {
		return opError("set endpoint", endpoint, ErrRunning)
	}
	z.set(func(c *config) { c.endpoint = endpoint })
	return nil
}

// SetAdvertisedEndpoint sets what the node tells its peers of where to reach it, for
// use behind NAT or in a container: in HELLO and in gossip, with beacons too. It is
// zyre_set_advertised_endpoint of libzyre. An endpoint that makes no sense makes Start
// return an error that wraps ErrInvalid. No effect after Start.
func (z *Zyre) SetAdvertisedEndpoint(endpoint string) *Zyre {
	return z.set(func(c *config) {
		if _, err := transport.ParseEndpoint(endpoint); err != nil && !errors.Is(err, transport.ErrNeedsLookup) {
			c.reject("set advertised endpoint", endpoint, ErrInvalid)
			return
		}
		c.advertised = endpoint
	})
}
