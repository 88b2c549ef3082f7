package netif

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// prefixesByIndex lists the addresses of all interfaces by interface index.
// It asks the kernel once for all of them: net.Interface.Addrs would read the
// whole table for each interface, and hosts of containers have hundreds.
func prefixesByIndex([]net.Interface) (map[int][]netip.Prefix, error) {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil, os.NewSyscallError("netlinkrib", err)
	}
	msgs, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, os.NewSyscallError("parsenetlinkmessage", err)
	}
	prefixes := make(map[int][]netip.Prefix)
	for _, m := range msgs {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return nil, os.NewSyscallError("parsenetlinkrouteattr", err)
		}
		// struct ifaddrmsg: family, prefix length, flags, scope, index.
		bits, flags := int(m.Data[1]), m.Data[2]
		if isUnusable(uint32(flags)) {
			continue
		}
		index := int(binary.NativeEndian.Uint32(m.Data[4:8]))
		if addr, ok := addrOf(attrs); ok && bits <= addr.BitLen() {
			prefixes[index] = append(prefixes[index], netip.PrefixFrom(addr, bits))
		}
	}
	return prefixes, nil
}

// addrOf finds the interface's own address. On a link from point to point
// IFA_ADDRESS is the other end's; IFA_LOCAL, if there, is always ours.
func addrOf(attrs []syscall.NetlinkRouteAttr) (netip.Addr, bool) {
	var own netip.Addr
	for _, a := range attrs {
		switch a.Attr.Type {
		case syscall.IFA_LOCAL:
			return netip.AddrFromSlice(a.Value)
		case syscall.IFA_ADDRESS:
			own, _ = netip.AddrFromSlice(a.Value)
		}
	}
	return own, own.IsValid()
}

// defaultRoutes gives the metric of the IPv4 default route of each interface
// that has one.
func defaultRoutes() map[string]int {
	table, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil
	}
	return parseRoutes(table)
}

// parseRoutes reads /proc/net/route: a line of titles, then
// Iface Destination Gateway Flags RefCnt Use Metric Mask …
func parseRoutes(table []byte) map[string]int {
	routes := make(map[string]int)
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 32)
		if err != nil || flags&unix.RTF_UP == 0 || flags&unix.RTF_REJECT != 0 {
			continue
		}
		metric, err := strconv.Atoi(f[6])
		if err != nil || metric < 0 {
			continue
		}
		if old, ok := routes[f[0]]; !ok || metric < old {
			routes[f[0]] = metric
		}
	}
	return routes
}

// sysNet has a directory for each interface.
const sysNet = "/sys/class/net"

// maxLayers bounds how deep hasDevice looks: a bridge on a VLAN on a bond on cards.
const maxLayers = 4

// hasDevice reports whether a device of the hardware is behind the interface, or behind one
// of those that it is built on: the ports of a bridge or bond, or what carries a VLAN.
// Tunnels, the ends of a veth pair, and bridges of such alone have none.
func hasDevice(sys, name string) bool { return hasDeviceWithin(sys, name, maxLayers) }

func hasDeviceWithin(sys, name string, layers int) bool {
	if _, err := os.Stat(sys + "/" + name + "/device"); err == nil {
		return true
	}
	if layers == 0 || strings.HasPrefix(name, "veth") { // of which a host may have hundreds
		return false
	}
	entries, _ := os.ReadDir(sys + "/" + name) // sorted by name
	for _, e := range entries {
		if lower, ok := strings.CutPrefix(e.Name(), "lower_"); ok && hasDeviceWithin(sys, lower, layers-1) {
			return true
		}
	}
	return false
}

// isPort reports whether the interface is a port of a bridge or bond.
func isPort(sys, name string) bool {
	for _, sign := range []string{"/brport", "/bonding_slave"} {
		if _, err := os.Stat(sys + "/" + name + sign); err == nil {
			return true
		}
	}
	return false
}

// isUnusable tells, by the flags of an IPv6 address, that it is not known to be unique,
// and cannot be used yet.
func isUnusable(flags uint32) bool {
	return flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && flags&unix.IFA_F_OPTIMISTIC == 0
}
