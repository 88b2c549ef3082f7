package zyre

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/go-zyre/zyre/internal/netif"
)

// gyreGroup is where gyre sends its beacons unless told to broadcast.
var gyreGroup = net.IPv4(224, 0, 0, 250)

// IPv4Conn is a Connection that broadcasts beacons to the subnets of its
// interfaces.
type IPv4Conn struct {
	ConnData
	conn *ipv4.PacketConn
	// pktinfo tells whether the system lets us pick the interface and source
	// of a datagram; Windows does not, and routes by the subnet's broadcast.
	pktinfo bool
}

// NewIPv4Conn opens an IPv4 connection for beacons on a UDP port, on all
// interfaces; with port 0 the system picks one. It sends nothing until
// JoinGroup.
func NewIPv4Conn(port int) (*IPv4Conn, error) {
	pc, port, err := listen(udp4, port)
	if err != nil {
		return nil, err
	}
	c := &IPv4Conn{ConnData: newConnData(port), conn: ipv4.NewPacketConn(pc)}
	c.pktinfo = c.conn.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true) == nil
	return c, nil
}

// Close frees the socket. It ends a ReadFrom that waits.
func (c *IPv4Conn) Close() error {
	if c.conn == nil {
		return errNotOpened
	}
	return c.conn.Close()
}

// JoinGroup makes WriteTo send to the subnet of ifi too, from the first
// address it has there. It fails if ifi has no IPv4 address.
func (c *IPv4Conn) JoinGroup(ifi *net.Interface) error {
	if c.conn == nil {
		return errNotOpened
	}
	l, err := linkOn(ifi, true)
	if err != nil {
		return err
	}
	return c.join(l)
}

// join cannot fail: broadcasts need no membership, and gyre's group is extra
// on those interfaces that can do multicast.
func (c *IPv4Conn) join(l netif.Link) error {
	if !c.uses(l) {
		_ = c.conn.JoinGroup(&net.Interface{Index: l.Index, Name: l.Name}, &net.UDPAddr{IP: gyreGroup})
	}
	c.add(l)
	return nil
}

// leave ignores errors: an interface that is gone took the membership with it.
func (c *IPv4Conn) leave(l netif.Link) {
	c.remove(l)
	if !c.uses(l) {
		_ = c.conn.LeaveGroup(&net.Interface{Index: l.Index, Name: l.Name}, &net.UDPAddr{IP: gyreGroup})
	}
}

// ReadFrom waits for a datagram, on any interface, and copies it to buff. It
// returns an error that matches net.ErrClosed after Close.
func (c *IPv4Conn) ReadFrom(buff []byte) (n int, src net.IP, err error) {
	if c.conn == nil {
		return 0, nil, errNotOpened
	}
	n, from, _, err := c.receive(buff)
	return n, from.AsSlice(), err
}

func (c *IPv4Conn) receive(buff []byte) (n int, src netip.Addr, ifindex int, err error) {
	n, cm, from, err := c.conn.ReadFrom(buff)
	if err != nil {
		return 0, netip.Addr{}, 0, fmt.Errorf("zyre: receive a beacon: %w", err)
	}
	if cm != nil {
		ifindex = cm.IfIndex
	}
	return n, sourceOf(from), ifindex, nil
}

// WriteTo broadcasts buff to the subnet of each joined interface. It fails if
// none is joined, or if the send failed on any of them.
func (c *IPv4Conn) WriteTo(buff []byte) error { return c.sendAll(c.send, buff) }

func (c *IPv4Conn) send(l netif.Link, datagram []byte) error {
	var cm *ipv4.ControlMessage
	if c.pktinfo {
		cm = &ipv4.ControlMessage{IfIndex: l.Index, Src: l.Addr.AsSlice()}
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return sendError(l, err)
	}
	dst := &net.UDPAddr{IP: l.Broadcast.AsSlice(), Port: c.port}
	_, err := c.conn.WriteTo(datagram, cm, dst)
	return sendError(l, err)
}
