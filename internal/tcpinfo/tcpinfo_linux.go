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
func read(fd int, before Conn) (Conn, Count) {
	var info unix.TCPInfo
	if tell(fd, &info) != 0 {
		return Conn{}, Count{}
	}
	return identify(fd, before, &info)
}

// identify says whose count the kernel told. That is asked afterwards: no connection that is closed
// comes back.
func identify(fd int, before Conn, info *unix.TCPInfo) (Conn, Count) {
	count := Count{info.Bytes_received, info.Bytes_acked, info.Notsent_bytes > 0}
	if info.State != stateClosed && isCurrent(before) {
		return before, count
	}
	return Of(fd), count
}

// tell has the kernel tell of a connection. Package unix would allocate what it tells each time.
func tell(fd int, info *unix.TCPInfo) unix.Errno {
	size := uint32(unix.SizeofTCPInfo)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&size)), 0)
	return errno
}

// A look tries numbers, which takes a quarter of what it takes to have the system list those that are
// descriptors. It tries no more than numbersEach for each that is open, and has the others listed.
const numbersEach = 2

// freeNumbers is how many free ones in a row end it, once it has found as many as were open at its
// beginning: others may have been opened meanwhile, below and above.
const freeNumbers = 16

func all(before []Reading) []Reading {
	ours := spare.number()
	l := look{before: before, found: make([]Reading, 0, len(before)+len(before)/8)}
	err := directory.Use(func(dir int) error { return l.all(dir, openDescriptors(dir), ours) })
	if err != nil {
		return nil
	}
	return l.found
}

// look is one at all connections.
type look struct {
	before []Reading // what was read before of those that it has not come to
	found  []Reading
	info   unix.TCPInfo
}

// all goes through the descriptors but one in their order. The directory lists them, and so many are
// open.
func (l *look) all(dir, open, but int) error {
	tried, isDone := l.try(open, but)
	if isDone {
		return nil
	}
	fds, err := list(dir, but)
	for _, fd := range fds {
		if fd >= tried {
			l.at(fd)
		}
	}
	return err
}

// try looks at one number after the other, since that is how they are given out. It says how many it
// tried, and whether that was enough.
func (l *look) try(open, but int) (tried int, isDone bool) {
	last := -1
	if n := len(l.before); n > 0 {
		last = l.before[n-1].fd
	}
	left, free := open, 0
	for fd := range numbersEach * open {
		if left <= 0 && fd > last && free >= freeNumbers {
			return fd, true
		}
		if fd == but || l.at(fd) {
			left--
			free = 0
		} else {
			free++
		}
	}
	return numbersEach * open, false
}

// at takes in the connection that a descriptor is, if it is one, and reports whether it is open.
func (l *look) at(fd int) (isOpen bool) {
	for len(l.before) > 0 && l.before[0].fd < fd {
		l.before = l.before[1:]
	}
	if errno := tell(fd, &l.info); errno != 0 {
		return errno != unix.EBADF
	}
	var known Conn
	if len(l.before) > 0 && l.before[0].fd == fd {
		known = l.before[0].Conn
	}
	if c, count := identify(fd, known, &l.info); c != (Conn{}) {
		l.found = append(l.found, Reading{c, count})
	}
	return true
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

// openDescriptors returns how many of them a directory has; 0 from a kernel before 6.2, which does
// not tell.
func openDescriptors(dir int) int {
	var stat unix.Stat_t
	if unix.Fstat(dir, &stat) != nil {
		return 0
	}
	return int(stat.Size)
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
