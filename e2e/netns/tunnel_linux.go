package netns

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tunnel joins two hosts by a VPN, which has an interface from point to point on each:
// nothing can be broadcast on it. Without /dev/net/tun the test is skipped.
func (n *Network) Tunnel(ifname string, a *Host, addrA string, b *Host, addrB string) {
	n.t.Helper()
	ends := [2]*os.File{}
	for i, h := range []*Host{a, b} {
		end, err := openTun(h, ifname)
		if err != nil {
			n.unable("no tunnel: %v", err)
		}
		n.t.Cleanup(func() { _ = end.Close() })
		ends[i] = end
	}
	go carry(ends[0], ends[1]) // these end by Close
	go carry(ends[1], ends[0])
	a.AddAddr(ifname, addrA)
	b.AddAddr(ifname, addrB)
	a.Up(ifname)
	b.Up(ifname)
}

// carry takes packets from one end to the other, which may be down.
func carry(from, to *os.File) {
	packet := make([]byte, 1<<16)
	for {
		size, err := from.Read(packet)
		if err != nil {
			return
		}
		_, _ = to.Write(packet[:size])
	}
}

// openTun makes the interface on the host.
func openTun(h *Host, ifname string) (end *os.File, err error) {
	h.net.t.Helper()
	h.Within(func() { end, err = openTunHere(ifname) })
	return end, err
}

func openTunHere(ifname string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	var request struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], ifname)
	request.flags = unix.IFF_TUN | unix.IFF_NO_PI
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", errno)
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}
