package zyre

import (
	"slices"

	"github.com/go-zyre/zyre/internal/transport"
)

// SetEndpoint sets the endpoint on which peers connect to this node, instead of a port
// on each network interface: tcp ("tcp://192.168.1.7:49152"; the port * takes any free
// one), ipc or inproc. It is formatted as by fmt.Sprintf; without args it is used as it
// is. SetEndpoint turns beacons off, so that the node is found by gossip or
// RequirePeer; with a tcp endpoint, calling SetPort too keeps them on.
//
// It returns an error that wraps ErrInvalid if the endpoint is invalid, or ErrRunning
// after Start. An endpoint that cannot be bound makes Start return an error. It is
// zyre_set_endpoint of libzyre.
func (z *Zyre) SetEndpoint(format string, args ...interface{}) error {
	endpoint := sprintf(format, args...)
	if err := checkOwnEndpoint(endpoint); err != nil {
		return endpointError("set endpoint", endpoint, err)
	}
	z.lock()
	defer z.mu.Unlock()
	if z.node.Load() != nil {
		return endpointError("set endpoint", endpoint, ErrRunning)
	}
	z.cfg.endpoint = endpoint
	return nil
}

// SetAdvertisedEndpoint sets the endpoint that the node gives to its peers, in HELLO
// and in gossip, if they reach it at another address than the one it is bound to:
// behind NAT, or in a container. It works with beacons too. An invalid endpoint makes
// Start return an error that wraps ErrInvalid. No effect after Start. It is
// zyre_set_advertised_endpoint of libzyre.
func (z *Zyre) SetAdvertisedEndpoint(endpoint string) *Zyre {
	return z.set(change{"set advertised endpoint", shownEndpoint(endpoint), checkAdvertised(endpoint), func(c *config) {
		c.advertised = endpoint
	}})
}

// beaconing reports whether the node sends beacons: setting an endpoint or gossip turns
// them off, calling SetPort keeps them on.
func (c *config) beaconing() bool {
	return c.portSet || c.endpoint == "" && !c.gossip.enabled()
}

// local reports whether the application uses an endpoint that only this host can reach.
func (c *config) local() bool {
	used := append([]string{c.endpoint, c.advertised}, c.gossip.binds...)
	for _, h := range c.gossip.hubs {
		used = append(used, h.endpoint)
	}
	for _, r := range c.required {
		used = append(used, r.endpoint)
	}
	return slices.ContainsFunc(used, transport.IsLocal)
}
