package tcpinfo

import (
	"net/netip"
	"os"
	"strconv"
	"unsafe"

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
		return peerOf(fd), Count{}
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
	found := map[netip.AddrPort][]int{}
	for _, fd := range descriptors() {
		if to := peerOf(fd); to.IsValid() {
			found[to] = append(found[to], fd)
		}
	}
	return found
}

func all() (found []Received) {
	for _, fd := range descriptors() {
		if c, count := read(fd); c != (Conn{}) {
			found = append(found, Received{c, count.Received})
		}
	}
	return found
}

// reset works on a duplicate of the descriptor: it stays the same connection, whoever
// closes and opens others meanwhile, so that no other can be hit.
func reset(c Conn) bool {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	found := Of(fd)
	found.fd = c.fd
	return found == c && disconnect(fd) == nil
}

// disconnect resets a connection. shutdown(2) would not do: what the other host goes on to
// send would still be received, for as long as it does.
func disconnect(fd int) error {
	nowhere := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nowhere)), unsafe.Sizeof(nowhere))
	if errno != 0 {
		return errno
	}
	return nil
}

// descriptors lists those of this process.
func descriptors() (fds []int) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}
