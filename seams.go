package zyre

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/go-zyre/zyre/internal/hostnet"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zmqwait"
)

// seams are what a node stands on. Tests and simulations put something else in their
// place.
type seams struct {
	transport  transport.Transport
	newBeacon  func(beaconConfig) *Beacon                                                                   // nil: there is none
	openGossip func(id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) // nil: there is none
	interfaces func() ([]netif.Interface, error)                                                            // nil: those of the host
	localAddr  func(remote netip.Addr) (netip.Addr, bool)                                                   // nil: routes are not known
	lookup     func(ctx context.Context, host string) ([]string, error)                                     // nil: the system's
	nap        func(time.Duration)                                                                          // gives the processor away for less than a millisecond; nil: a timer does
}

// zmqSeams makes what a node stands on in production.
func zmqSeams() (seams, error) {
	t, err := transport.NewZMQ()
	if err != nil {
		return seams{}, err
	}
	return seamsOf(t), nil
}

func seamsOf(t *transport.ZMQ) seams {
	return seams{
		transport: t,
		newBeacon: newBeacon,
		localAddr: netif.LocalAddr,
		nap:       zmqwait.Nap,
		openGossip: func(id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) {
			return openGossip(t, id, cfg, policy, log)
		},
	}
}

// seamsOn makes what a node stands on whose network is in memory.
func seamsOn(h hostnet.Host) seams {
	return seams{
		transport: h,
		newBeacon: func(config beaconConfig) *Beacon {
			config.interfaces = h.Interfaces
			config.listen = func(_ string, port int) (beaconConn, error) {
				c, err := h.ListenUDP(port)
				return hostConn{c}, err
			}
			return newBeacon(config)
		},
		openGossip: func(id string, cfg *config, policy *transport.Policy, log *slog.Logger) (*gossiping, error) {
			return openGossipOn(h, id, cfg, policy, log)
		},
		interfaces: h.Interfaces,
		localAddr:  h.LocalAddr,
		lookup:     h.LookupHost,
	}
}

// hostConn is a socket for beacons of a network in memory.
type hostConn struct{ hostnet.UDPConn }

func (c hostConn) join(l netif.Link) error                  { return c.Join(l) }
func (c hostConn) leave(l netif.Link)                       { c.Leave(l) }
func (c hostConn) send(l netif.Link, datagram []byte) error { return c.Send(l, datagram) }

func (c hostConn) receive(buff []byte) (int, netip.Addr, int, error) { return c.Receive(buff) }
