// Package hostnet lets a node stand on a network other than the host's: it is the seam
// between package zyre and the network in memory of package zyretest.
package hostnet

import (
	"context"
	"net/netip"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// Node is what a network knows of a node on it: a *zyre.Zyre.
type Node interface {
	// UUID returns the node's UUID.
	UUID() string
	// Name returns the node's name, which is also that of its host.
	Name() string
}

// Network is where the nodes are whose context comes from [With].
type Network interface {
	// NewHost makes the host of a node, which is not finished yet: it must not be used
	// before NewHost returns. kill ends the node without a goodbye.
	NewHost(node Node, kill func()) Host
}

// Host is what one node stands on.
type Host interface {
	// Transport makes the sockets of the node each time that it starts.
	transport.Transport
	// NewUUID returns the UUID that the node has unless the application sets one.
	NewUUID() [16]byte
	// Interfaces describes the interfaces that the host has now. The result must not be
	// changed.
	Interfaces() ([]netif.Interface, error)
	// LocalAddr returns the address that the host uses on the way to another one.
	LocalAddr(remote netip.Addr) (netip.Addr, bool)
	// LookupHost returns the addresses of a host name.
	LookupHost(ctx context.Context, name string) ([]string, error)
	// GossipSockets makes the sockets of the node's part in gossip. The policy says who may
	// be a client of its hub under CURVE.
	GossipSockets(policy *transport.Policy) zgossip.Sockets
	// ListenUDP opens a socket for beacons of IPv4 on a port, which others may share.
	ListenUDP(port int) (UDPConn, error)
}

// UDPConn is a UDP socket for beacons.
type UDPConn interface {
	// Close frees the socket and ends a Receive that waits.
	Close() error
	// Join adds a link to those that Send may use.
	Join(l netif.Link) error
	// Leave takes a link away from them.
	Leave(l netif.Link)
	// Send broadcasts a datagram on a link.
	Send(l netif.Link, datagram []byte) error
	// Receive waits for a datagram, and says where it came from and on which interface it
	// came in.
	Receive(buff []byte) (n int, src netip.Addr, ifindex int, err error)
}

type contextKey struct{}

// With returns a context that puts the nodes made with it on a network. A nil ctx is one
// that never ends.
func With(ctx context.Context, n Network) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithValue(ctx, contextKey{}, n)
}

// From returns the network that a context puts nodes on, or nil for that of the host.
func From(ctx context.Context) Network {
	n, _ := ctx.Value(contextKey{}).(Network)
	return n
}
