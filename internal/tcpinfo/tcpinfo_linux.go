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

// numbersEach is how many numbers a look tries for each descriptor that is open, before it has the
// others listed. To try a number takes a quarter of what the system takes to list one.
const numbersEach = 2

func all(before []Reading) []Reading {
	l := look{before: before, found: make([]Reading, 0, len(before)+len(before)/8)}
	open, err := openDescriptors()
	if err != nil || l.all(open, spare.number()) != nil {
		return nil
	}
	return l.found
}

// look is one at all connections, in the order of their descriptors.
type look struct {
	before []Reading // what was read before of those that it has not come to
	found  []Reading
	info   unix.TCPInfo
}

// all looks at all descriptors but one. So many were open a moment ago: there may be more above those
// that were tried, which have been opened meanwhile, or are far above.
func (l *look) all(open, but int) error {
	tried := l.try(open, but)
	rest, err := descriptors(tried, but)
	for _, fd := range rest {
		l.at(fd)
	}
	return err
}

// try looks at one number after the other but one, since that is how they are given out, until so many
// were open, and says how many it tried.
func (l *look) try(open, but int) (tried int) {
	left := open
	for ; left > 0 && tried < numbersEach*open; tried++ {
		if tried == but || l.at(tried) {
			left--
		}
	}
	return tried
}

// at takes in the connection that a descriptor is, if it is one, and reports whether it is open. A
// few kinds, such as O_PATH, look as if they were not: then more numbers are tried.
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

// openDescriptors returns how many this process has; 0 on a kernel before 6.2, which does not tell.
func openDescriptors() (open int, err error) {
	err = directory.Use(func(dir int) error {
		var stat unix.Stat_t
		err := unix.Fstat(dir, &stat)
		open = int(stat.Size)
		return err
	})
	return open, err
}

// descriptors lists those of this process from a number on, and leaves one out; package os would take
// twice as long.
func descriptors(from, but int) (fds []int, err error) {
	err = directory.Use(func(dir int) (err error) {
		fds, err = list(dir, from, but)
		return err
	})
	return fds, err
}

// firstDescriptor is the position in the directory that number 0 has: those of . and .. are before it.
const firstDescriptor = 2

// list reads a directory of descriptors from a number on, and leaves one out. From the first on it does
// not depend on positions being numbers, which they are where the kernel tells how many are open.
func list(dir, from, but int) (fds []int, err error) {
	position := int64(0)
	if from > 0 {
		position = firstDescriptor + int64(from)
	}
	if _, err := unix.Seek(dir, position, io.SeekStart); err != nil {
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
