package zyre

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
)

// Connection is a UDP socket for beacons, of one address family: IPv4Conn or
// IPv6Conn. Many sockets of one host can have the same port and all hear what
// is broadcast to it. All methods are safe for use by many goroutines; after
// Close they return an error that matches net.ErrClosed. It is for programs that
// speak ZRE by themselves.
type Connection interface {
	// Close frees the socket and ends a ReadFrom that waits.
	Close() error
	// Addr returns the address, without port, that beacons are sent from:
	// that of the interface joined first, or "" if none is.
	Addr() string
	// JoinGroup adds an interface to those that WriteTo sends on, and joins
	// its multicast group. It fails if ifi has no address of the family.
	JoinGroup(ifi *net.Interface) error
	// ReadFrom waits for a datagram on any interface. A datagram longer than
	// buff is cut. The source does not carry the zone of a link-local address.
	ReadFrom(buff []byte) (n int, src net.IP, err error)
	// WriteTo sends buff once on each joined interface, to all its hosts. It
	// does not wait for the network longer than 100 ms.
	WriteTo(buff []byte) error
}

var (
	_ Connection = (*IPv4Conn)(nil)
	_ Connection = (*IPv6Conn)(nil)
	_ beaconConn = (*IPv4Conn)(nil)
	_ beaconConn = (*IPv6Conn)(nil)
)

// beaconConn is what a Beacon needs of a connection. It says on which link to
// send, and on which interface a datagram came in.
type beaconConn interface {
	Close() error
	join(l netif.Link) error
	leave(l netif.Link)
	send(l netif.Link, datagram []byte) error
	// receive gives an interface index of 0 where the system does not tell.
	receive(buff []byte) (n int, src netip.Addr, ifindex int, err error)
}

// The names of the address families, as package net has them.
const (
	udp4 = "udp4"
	udp6 = "udp6"
)

// errNotOpened is what a connection says that NewConn did not make.
var errNotOpened = fmt.Errorf("zyre: connection for beacons was not opened: %w", net.ErrClosed)

// sendTimeout bounds a send on an interface whose queue is full.
const sendTimeout = 100 * time.Millisecond

// NewConn opens a connection for beacons on a UDP port: IPv4 or, on a host
// without it, IPv6. With port 0 the system picks one.
func NewConn(port int) (Connection, error) {
	c4, err4 := NewIPv4Conn(port)
	if err4 == nil {
		return c4, nil
	}
	c6, err6 := NewIPv6Conn(port)
	if err6 == nil {
		return c6, nil
	}
	return nil, errors.Join(err4, err6)
}

// openConn opens the connection of one address family.
func openConn(network string, port int) (beaconConn, error) {
	if network == udp6 {
		return asBeaconConn(NewIPv6Conn(port))
	}
	return asBeaconConn(NewIPv4Conn(port))
}

// asBeaconConn keeps a nil pointer from becoming an interface that is not nil.
func asBeaconConn[C beaconConn](c C, err error) (beaconConn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// listen binds a UDP socket that shares its port with the others of the host.
func listen(network string, port int) (net.PacketConn, int, error) {
	if port < 0 || port > 65535 {
		return nil, 0, fmt.Errorf("zyre: listen for beacons: no such port: %d", port)
	}
	lc := net.ListenConfig{Control: reuseAddr}
	pc, err := lc.ListenPacket(context.Background(), network, ":"+strconv.Itoa(port))
	if err != nil {
		return nil, 0, fmt.Errorf("zyre: listen for beacons: %w", err)
	}
	if local, ok := pc.LocalAddr().(*net.UDPAddr); ok {
		port = local.Port
	}
	return pc, port, nil
}

// ConnData is what connections of both families have in common: the links
// that they joined. The zero value has none.
type ConnData struct {
	joined *joinedLinks
	port   int
}

type joinedLinks struct {
	mu    sync.Mutex
	links []netif.Link
}

func newConnData(port int) ConnData {
	return ConnData{joined: new(joinedLinks), port: port}
}

// Addr returns the address, without port, that beacons are sent from: that of
// the interface joined first, or "" before JoinGroup.
func (c ConnData) Addr() string {
	links := c.links()
	if len(links) == 0 {
		return ""
	}
	return links[0].Addr.String()
}

func (c ConnData) links() []netif.Link {
	if c.joined == nil {
		return nil
	}
	c.joined.mu.Lock()
	defer c.joined.mu.Unlock()
	return slices.Clone(c.joined.links)
}

func (c ConnData) add(l netif.Link) {
	c.joined.mu.Lock()
	defer c.joined.mu.Unlock()
	if !slices.Contains(c.joined.links, l) {
		c.joined.links = append(c.joined.links, l)
	}
}

func (c ConnData) remove(l netif.Link) {
	c.joined.mu.Lock()
	defer c.joined.mu.Unlock()
	c.joined.links = slices.DeleteFunc(c.joined.links, func(o netif.Link) bool { return o == l })
}

// uses reports whether a joined link is on the interface of l.
func (c ConnData) uses(l netif.Link) bool {
	return slices.ContainsFunc(c.links(), func(o netif.Link) bool { return o.Index == l.Index })
}

// sendAll sends a datagram on each joined link and joins the errors.
func (c ConnData) sendAll(send func(netif.Link, []byte) error, datagram []byte) error {
	links := c.links()
	if len(links) == 0 {
		return errors.New("zyre: send a beacon: no interface joined")
	}
	var errs []error
	for _, l := range links {
		errs = append(errs, send(l, datagram))
	}
	return errors.Join(errs...)
}

// linkOn gives the link of a family on an interface.
func linkOn(ifi *net.Interface, is4 bool) (netif.Link, error) {
	if ifi == nil {
		return netif.Link{}, fmt.Errorf("%w: nil", ErrNoInterface)
	}
	prefixes, err := netif.Prefixes(ifi)
	if err != nil {
		return netif.Link{}, fmt.Errorf("zyre: addresses of %s: %w", ifi.Name, err)
	}
	h := netif.Interface{Name: ifi.Name, Index: ifi.Index, Flags: ifi.Flags}
	for _, p := range prefixes {
		if p.Addr().Is4() == is4 {
			h.Prefixes = append(h.Prefixes, p)
		}
	}
	l, ok := h.Link()
	if !ok {
		return netif.Link{}, fmt.Errorf("zyre: %s has no address of the family", ifi.Name)
	}
	return l, nil
}

// sendError says which link a send failed on.
func sendError(l netif.Link, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("zyre: send a beacon on %s: %w", l.Name, err)
}

// sourceOf gives the address, zone included, that a datagram came from.
func sourceOf(src net.Addr) netip.Addr {
	udp, ok := src.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return udp.AddrPort().Addr().Unmap()
}
