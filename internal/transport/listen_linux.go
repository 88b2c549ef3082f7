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

// listenTCP has a socket listen at host:port. At an address the listening socket is made
// here: libzmq would first ask for all interfaces, of which the address could be the name,
// and abort the process where it is refused.
func listenTCP(soc *zmq.Socket, hostPort string) (bound string, err error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", fmt.Errorf("%w: %q", ErrBadEndpoint, hostPort)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return listenByName(soc, hostPort)
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

// listenByName has libzmq listen at the address of an interface.
func listenByName(soc *zmq.Socket, hostPort string) (bound string, err error) {
	if err := CheckNetlink(); err != nil {
		return "", fmt.Errorf("%w; to listen at %q needs it", err, hostPort)
	}
	return bindAsIs(soc, "tcp://"+hostPort)
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
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
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
