package zyre

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv6"

	"github.com/go-zyre/zyre/internal/netif"
)

// allNodes is the group of all IPv6 hosts on a link.
var allNodes = net.ParseIP("ff02::1")

// IPv6Conn is a Connection that sends beacons to all nodes (ff02::1) on the
// links of its interfaces.
type IPv6Conn struct {
	ConnData
	conn    *ipv6.PacketConn
	pktinfo bool // see IPv4Conn
}

// NewIPv6Conn opens an IPv6 connection for beacons on a UDP port, on all
// interfaces; with port 0 the system picks one. It sends nothing until
// JoinGroup.
func NewIPv6Conn(port int) (*IPv6Conn, error) {
	pc, port, err := listen(udp6, port)
	if err != nil {
		return nil, err
	}
	c := &IPv6Conn{ConnData: newConnData(port), conn: ipv6.NewPacketConn(pc)}
	c.pktinfo = c.conn.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true) == nil
	return c, nil
}

// Close frees the socket. It ends a ReadFrom that waits.
func (c *IPv6Conn) Close() error {
	if c.conn == nil {
		return errNotOpened
	}
	return c.conn.Close()
}

// JoinGroup joins the group of all nodes on ifi and makes WriteTo send to it
// too. It fails if ifi has no IPv6 address.
func (c *IPv6Conn) JoinGroup(ifi *net.Interface) error {
	if c.conn == nil {
		return errNotOpened
	}
	l, err := linkOn(ifi, false)
	if err != nil {
		return err
	}
	return c.join(l)
}

func (c *IPv6Conn) join(l netif.Link) error {
	if !c.uses(l) {
		err := c.conn.JoinGroup(&net.Interface{Index: l.Index, Name: l.Name}, &net.UDPAddr{IP: allNodes})
		if err != nil {
			return fmt.Errorf("zyre: join %s on %s: %w", allNodes, l.Name, err)
		}
	}
	c.add(l)
	return nil
}

// leave ignores errors: an interface that is gone took the membership with it.
func (c *IPv6Conn) leave(l netif.Link) {
	c.remove(l)
	if !c.uses(l) {
		_ = c.conn.LeaveGroup(&net.Interface{Index: l.Index, Name: l.Name}, &net.UDPAddr{IP: allNodes})
	}
}

// ReadFrom waits for a datagram, on any interface, and copies it to buff. It
// returns an error that matches net.ErrClosed after Close.
func (c *IPv6Conn) ReadFrom(buff []byte) (n int, src net.IP, err error) {
	if c.conn == nil {
		return 0, nil, errNotOpened
	}
	n, from, _, err := c.receive(buff)
	return n, from.AsSlice(), err
}

func (c *IPv6Conn) receive(buff []byte) (n int, src netip.Addr, ifindex int, err error) {
	n, cm, from, err := c.conn.ReadFrom(buff)
	if err != nil {
		return 0, netip.Addr{}, 0, fmt.Errorf("zyre: receive a beacon: %w", err)
	}
	if cm != nil {
		ifindex = cm.IfIndex
	}
	return n, sourceOf(from), ifindex, nil
}

// WriteTo sends buff to all nodes on the link of each joined interface. It
// fails if none is joined, or if the send failed on any of them.
func (c *IPv6Conn) WriteTo(buff []byte) error { return c.sendAll(c.send, buff) }

func (c *IPv6Conn) send(l netif.Link, datagram []byte) error {
	// The index says more than the zone: package net remembers for a minute
	// which index a name had.
	dst := &net.UDPAddr{IP: allNodes, Port: c.port}
	var cm *ipv6.ControlMessage
	if c.pktinfo {
		cm = &ipv6.ControlMessage{IfIndex: l.Index, Src: l.Addr.AsSlice()}
	} else {
		dst.Zone = l.Name
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return sendError(l, err)
	}
	_, err := c.conn.WriteTo(datagram, cm, dst)
	return sendError(l, err)
}
