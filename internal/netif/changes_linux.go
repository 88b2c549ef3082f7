package netif

import (
	"errors"

	"golang.org/x/sys/unix"
)

// changes is a subscription to what the kernel tells of changes of its interfaces.
// The zero value is not subscribed yet.
type changes struct {
	socket int // with open set
	open   bool
}

// changeGroups are those for interfaces, their addresses, and IPv4 routes.
const changeGroups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV6_IFADDR-1) | 1<<(unix.RTNLGRP_IPV4_ROUTE-1)

// take takes what the kernel has told, and reports whether anything may have changed since
// it was called last. Where the kernel allows no subscription that is always so.
func (c *changes) take() bool {
	if !c.open {
		c.subscribe()
		return true
	}
	changed := false
	var message [1]byte // what has changed does not matter
	for {
		_, _, err := unix.Recvfrom(c.socket, message[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return changed
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS): // so many that the kernel dropped some
		default:
			c.close()
			return true
		}
		changed = true
	}
}

func (c *changes) subscribed() bool { return c.open }

func (c *changes) subscribe() {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: changeGroups}); err != nil {
		_ = unix.Close(fd)
		return
	}
	c.socket, c.open = fd, true
}

func (c *changes) close() {
	if c.open {
		_ = unix.Close(c.socket)
		c.open = false
	}
}
