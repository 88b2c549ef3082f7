package tcpinfo

import (
	"errors"
	"io"
	"net/netip"
	"strconv"
	"time"
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
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return Conn{}
	}
	c := Conn{fd, stat.Ino, addrPort(local), addrPort(remote)}
	if !c.local.IsValid() || !c.remote.IsValid() {
		return Conn{}
	}
	return c
}

func isCurrent(c Conn) bool {
	var stat unix.Stat_t
	return c.IsKnown() && unix.Fstat(c.fd, &stat) == nil && stat.Ino == c.inode
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

// stateClosed is the state of a connection that is none any more: it has lost its addresses.
const stateClosed = 7 // TCP_CLOSE of linux/tcp_states.h

// read returns the connection that a descriptor is, and what it has moved; before is what it was
// when it was asked last. A kernel before 4.6 does not count.
func read(fd int, before Conn) (c Conn, count Count) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Conn{}, Count{}
	}
	// Whose count it is, is asked afterwards: no connection that is closed comes back.
	count = Count{info.Bytes_received, info.Bytes_acked, info.Notsent_bytes > 0}
	if info.State != stateClosed && isCurrent(before) {
		return before, count
	}
	return Of(fd), count
}

// all takes what was read before by descriptor, in the order in which the system lists them.
func all(before []Reading) (found []Reading) {
	fds := descriptors()
	if fds != nil {
		found = make([]Reading, 0, len(before)+len(before)/8)
	}
	for _, fd := range fds {
		for len(before) > 0 && before[0].fd < fd {
			before = before[1:]
		}
		known := Conn{}
		if len(before) > 0 && before[0].fd == fd {
			known = before[0].Conn
		}
		if c, count := read(fd, known); c != (Conn{}) {
			found = append(found, Reading{c, count})
		}
	}
	return found
}

func unread(fd int) uint64 {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		return 0
	}
	return uint64(n)
}

// reset works on a duplicate of the descriptor: it stays the same connection, whoever
// closes and opens others meanwhile, so that no other can be hit.
func reset(c Conn, k Keepalive) bool {
	return spare.withDuplicate(c.fd, func(fd int) bool {
		found := Of(fd)
		found.fd = c.fd
		return found == c && keepalive(fd) == k && disconnect(fd) == nil
	})
}

// keepalive returns how a socket probes; nothing if it does not.
func keepalive(fd int) Keepalive {
	seconds := func(option int) time.Duration {
		n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
		if err != nil {
			return 0
		}
		return time.Duration(n) * time.Second
	}
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on == 0 {
		return Keepalive{}
	}
	probes, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	if err != nil {
		return Keepalive{}
	}
	return Keepalive{seconds(unix.TCP_KEEPIDLE), seconds(unix.TCP_KEEPINTVL), probes}
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

// descriptors lists those of this process, or nil if not all can be told; package os would take
// twice as long.
func descriptors() (fds []int) {
	ours := spare.number()
	err := directory.Use(func(dir int) (err error) {
		fds, err = list(dir, ours)
		return err
	})
	if err != nil {
		return nil
	}
	return fds
}

// list reads a directory of descriptors from its beginning, and leaves one out.
func list(dir, but int) (fds []int, err error) {
	if _, err := unix.Seek(dir, 0, io.SeekStart); err != nil {
		return nil, err
	}
	buffer := make([]byte, 8<<10)
	var names []string
	for {
		n, err := unix.ReadDirent(dir, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return fds, err
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names[:0])
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd != but {
				fds = append(fds, fd)
			}
		}
	}
}
