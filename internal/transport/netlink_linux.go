package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	zmq "github.com/pebbe/zmq4"
	"golang.org/x/sys/unix"
)

// listenBacklog is that of libzmq.
const listenBacklog = 100

// CheckNetlink returns an error that wraps ErrNoNetlink if the system does not tell the
// interfaces: in a sandbox (RestrictAddressFamilies of systemd, seccomp) or on Android.
// libzmq asks for them in each zmq_bind to an address, which may be the name of an
// interface for it, and aborts the process if it is refused.
func CheckNetlink() error {
	for _, request := range []int{unix.RTM_GETLINK, unix.RTM_GETADDR} {
		if _, err := syscall.NetlinkRIB(request, unix.AF_UNSPEC); err != nil {
			return fmt.Errorf("%w: %w", ErrNoNetlink, err)
		}
	}
	return nil
}

// bindWithoutNetlink has a socket listen at a numeric address and a port, without libzmq
// looking at the interfaces: it gets a listening socket that exists already.
func bindWithoutNetlink(soc *zmq.Socket, hostPort string) (bound string, err error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", fmt.Errorf("%w: %q", ErrBadEndpoint, hostPort)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "", fmt.Errorf("%w, and needs it to find %q", ErrNoNetlink, host)
	}
	number := uint64(0)
	if port != "*" {
		if number, err = strconv.ParseUint(port, 10, 16); err != nil {
			return "", fmt.Errorf("%w: %q", ErrBadEndpoint, hostPort)
		}
	}
	fd, err := listenAt(netip.AddrPortFrom(addr, uint16(number)))
	if err != nil {
		return "", err
	}
	err = soc.SetUseFd(fd)
	if err == nil {
		err = soc.Bind("tcp://" + hostPort) // which libzmq does not look at
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	if err = errors.Join(err, soc.SetUseFd(-1)); err != nil {
		return "", err
	}
	return lastEndpoint(soc)
}

// listenAt makes a listening socket as libzmq does.
func listenAt(at netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET6
	var addr unix.Sockaddr = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: zoneID(at.Addr().Zone())}
	if at.Addr().Is4() {
		family, addr = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err == nil {
		err = unix.Listen(fd, listenBacklog)
	}
	if err != nil {
		_ = unix.Close(fd)
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			return -1, zmq.Errno(errno) // as from zmq_bind
		}
		return -1, err
	}
	return fd, nil
}

// zoneID gives the number of an interface, which package net would ask netlink for.
func zoneID(zone string) uint32 {
	if number, err := strconv.ParseUint(zone, 10, 32); err == nil || zone == "" {
		return uint32(number)
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(zone)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr) != nil {
		return 0
	}
	return ifr.Uint32()
}
