package netif

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listWithoutNetlink describes the interfaces without netlink, which sandboxes refuse
// (RestrictAddressFamilies of systemd, seccomp, Android): by the older ioctls on an IPv4
// socket, and by /proc as far as it can be read.
func listWithoutNetlink() ([]Interface, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	found := map[string]*Interface{}
	routes := defaultRoutes()
	at := func(name string) *Interface {
		if found[name] == nil {
			metric, ok := routes[name]
			if !ok {
				metric = NoRoute
			}
			found[name] = &Interface{Name: name, Metric: metric}
		}
		return found[name]
	}
	for _, name := range namesInProc() {
		at(name)
	}
	labels, err := labelledAddrs(fd)
	if err != nil {
		return nil, err
	}
	for _, l := range labels {
		name, _, _ := strings.Cut(l.label, ":") // eth0:1 is a further address of eth0
		at(name).Prefixes = append(at(name).Prefixes, netip.PrefixFrom(l.addr, prefixLen(fd, l)))
	}
	table, _ := os.ReadFile("/proc/thread-self/net/if_inet6") // absent where there is no IPv6
	for name, prefixes := range parseInet6(table) {
		at(name).Prefixes = append(at(name).Prefixes, prefixes...)
	}
	var host []Interface
	for _, name := range slices.Sorted(maps.Keys(found)) {
		h := found[name]
		if h.Index, h.Flags, err = indexAndFlags(fd, name); err != nil {
			continue // it has gone
		}
		h.findHardware()
		host = append(host, *h)
	}
	slices.SortFunc(host, func(a, b Interface) int { return a.Index - b.Index })
	return host, nil
}

// namesInProc lists the interfaces, also those without an address.
func namesInProc() (names []string) {
	table, _ := os.ReadFile("/proc/thread-self/net/dev") // Android does not let it be read
	for line := range bytes.Lines(table) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok {
			names = append(names, string(bytes.TrimSpace(name)))
		}
	}
	return names
}

// labelled is an IPv4 address and its label: the name of its interface, to which :1 and
// the like may be added.
type labelled struct {
	label string
	addr  netip.Addr
}

// labelledAddrs asks for all IPv4 addresses.
func labelledAddrs(fd int) ([]labelled, error) {
	const entry = int(unsafe.Sizeof(unix.Ifreq{})) // a name of IFNAMSIZ bytes, and an address
	buf := make([]byte, 256*entry)
	// struct ifconf
	conf := struct {
		len int32
		buf *byte
	}{int32(len(buf)), &buf[0]}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFCONF, uintptr(unsafe.Pointer(&conf))); errno != 0 {
		return nil, os.NewSyscallError("ioctl SIOCGIFCONF", errno)
	}
	var found []labelled
	for e := range slices.Chunk(buf[:min(int(conf.len), len(buf))], entry) {
		label, _, _ := bytes.Cut(e[:unix.IFNAMSIZ], []byte{0})
		sockaddr := e[unix.IFNAMSIZ:] // family (2), port (2), address (4)
		if binary.NativeEndian.Uint16(sockaddr) == unix.AF_INET {
			found = append(found, labelled{string(label), netip.AddrFrom4([4]byte(sockaddr[4:8]))})
		}
	}
	return found, nil
}

// prefixLen asks for the length of an address's prefix; it is 32 where nothing is known.
func prefixLen(fd int, l labelled) int {
	ifr, err := unix.NewIfreq(l.label)
	if err != nil || ifr.SetInet4Addr(l.addr.AsSlice()) != nil || unix.IoctlIfreq(fd, unix.SIOCGIFNETMASK, ifr) != nil {
		return 32
	}
	mask, err := ifr.Inet4Addr()
	if err != nil {
		return 32
	}
	ones, _ := net.IPMask(mask).Size()
	return ones
}

// indexAndFlags asks for the rest of what an Interface tells.
func indexAndFlags(fd int, name string) (index int, flags net.Flags, err error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, 0, err
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr)
	index = int(ifr.Uint32())
	err = errors.Join(err, unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr))
	if err != nil {
		return 0, 0, fmt.Errorf("ioctl of %s: %w", name, err)
	}
	for _, f := range []struct {
		raw  uint16
		flag net.Flags
	}{
		{unix.IFF_UP, net.FlagUp}, {unix.IFF_RUNNING, net.FlagRunning}, {unix.IFF_BROADCAST, net.FlagBroadcast},
		{unix.IFF_LOOPBACK, net.FlagLoopback}, {unix.IFF_POINTOPOINT, net.FlagPointToPoint},
		{unix.IFF_MULTICAST, net.FlagMulticast},
	} {
		if ifr.Uint16()&f.raw != 0 {
			flags |= f.flag
		}
	}
	return index, flags, nil
}

// parseInet6 reads if_inet6 of /proc/net:
// address, index, length of the prefix, scope, flags, name, all but the last hexadecimal.
func parseInet6(table []byte) map[string][]netip.Prefix {
	prefixes := map[string][]netip.Prefix{}
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) != 6 || len(f[0]) != 32 {
			continue
		}
		var groups []string
		for i := 0; i < 32; i += 4 {
			groups = append(groups, f[0][i:i+4])
		}
		addr, err := netip.ParseAddr(strings.Join(groups, ":"))
		bits, err2 := strconv.ParseUint(f[2], 16, 8)
		flags, err3 := strconv.ParseUint(f[4], 16, 32)
		if errors.Join(err, err2, err3) != nil || bits > 128 || isUnusable(uint32(flags)) {
			continue
		}
		prefixes[f[5]] = append(prefixes[f[5]], netip.PrefixFrom(addr, int(bits)))
	}
	return prefixes
}
