package tcpinfo

import (
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Of returns the connection that a descriptor is; the zero Conn if it is none.
func Of(fd int) Conn {
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return Conn{}
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return Conn{}
	}
	c := Conn{fd, addrPort(local), addrPort(remote)}
	if !c.local.IsValid() || !c.remote.IsValid() {
		return Conn{}
	}
	return c
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// readRemote returns the address that a descriptor is connected to, and what it has moved.
func readRemote(fd int) (remote netip.AddrPort, count Count) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return netip.AddrPort{}, Count{}
	}
	return peerOf(fd), Count{info.Bytes_received, info.Bytes_acked, info.Notsent_bytes > 0}
}

func peerOf(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

// read returns the connection that a descriptor is, and what it has moved. A kernel before
// 4.6 does not count.
func read(fd int) (c Conn, count Count) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Conn{}, Count{}
	}
	// Whose count it is, is asked afterwards: no connection that is closed comes back.
	return Of(fd), Count{info.Bytes_received, info.Bytes_acked, info.Notsent_bytes > 0}
}

// connections lists the descriptors of this process, by remote address.
func connections() map[netip.AddrPort][]int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	found := map[netip.AddrPort][]int{}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if to := peerOf(fd); to.IsValid() {
			found[to] = append(found[to], fd)
		}
	}
	return found
}
