package netif

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseRoutes(t *testing.T) {
	const table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
		"eth0\t00000000\t020200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
		"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
		"tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000080\t0\t0\t0\n" +
		"gone\t00000000\t00000000\t0002\t0\t0\t50\t00000000\t0\t0\t0\n" +
		"lo\t00000000\t00000000\t0201\t0\t0\t50\t00000000\t0\t0\t0\n" +
		"bad\t00000000\t00000000\tzzzz\t0\t0\t50\t00000000\n" +
		"bad\t00000000\t00000000\t0001\t0\t0\tx\t00000000\n" +
		"short\t00000000\n\n"
	want := map[string]int{"eth0": 100}
	if got := parseRoutes([]byte(table)); !maps.Equal(got, want) {
		t.Errorf("parseRoutes() = %v, want %v", got, want)
	}
}

// What /sys looks like on a router with a LAN bridge, a bond, a VLAN, and containers.
func TestHasDevice(t *testing.T) {
	sys := t.TempDir()
	for _, dir := range []string{
		"eth0/device", "eth0/brport", "eth1/device", "eth1/bonding_slave", "eth2/device",
		"br-lan/lower_eth0", "br-lan/lower_tap0", "bond0/lower_eth1", "eth2.5/lower_eth2", "br-deep/lower_bond0",
		"docker0/lower_veth1", "veth1/brport", "tap0/brport", "tun0", "loop/lower_loop",
	} {
		if err := os.MkdirAll(filepath.Join(sys, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]struct{ hardware, port bool }{
		"eth0": {true, true}, "eth1": {true, true}, "eth2": {true, false},
		"br-lan": {true, false}, "bond0": {true, false}, "eth2.5": {true, false}, "br-deep": {true, false},
		"docker0": {false, false}, "veth1": {false, true}, "tap0": {false, true}, "tun0": {false, false},
		"loop": {false, false}, "none": {false, false},
	} {
		if got := hasDevice(sys, name); got != want.hardware {
			t.Errorf("hasDevice(%s) = %t, want %t", name, got, want.hardware)
		}
		if got := isPort(sys, name); got != want.port {
			t.Errorf("isPort(%s) = %t, want %t", name, got, want.port)
		}
	}
}

// On a link from point to point the address that is called ours is ours.
func TestAddrOf(t *testing.T) {
	attr := func(kind uint16, value ...byte) syscall.NetlinkRouteAttr {
		return syscall.NetlinkRouteAttr{Attr: syscall.RtAttr{Type: kind}, Value: value}
	}
	const local, address, label = syscall.IFA_LOCAL, syscall.IFA_ADDRESS, syscall.IFA_LABEL
	for _, c := range []struct {
		name  string
		attrs []syscall.NetlinkRouteAttr
		want  string
	}{
		{"a LAN", []syscall.NetlinkRouteAttr{attr(address, 192, 0, 2, 7), attr(local, 192, 0, 2, 7), attr(label, 'e')}, "192.0.2.7"},
		{"point to point", []syscall.NetlinkRouteAttr{attr(address, 10, 8, 0, 1), attr(local, 10, 8, 0, 6)}, "10.8.0.6"},
		{"point to point, the other way round", []syscall.NetlinkRouteAttr{attr(local, 10, 8, 0, 6), attr(address, 10, 8, 0, 1)}, "10.8.0.6"},
		{"IPv6", []syscall.NetlinkRouteAttr{attr(address, append([]byte{0xfd}, make([]byte, 15)...)...)}, "fd00::"},
		{"of a strange length", []syscall.NetlinkRouteAttr{attr(address, 10, 8)}, ""},
		{"none", []syscall.NetlinkRouteAttr{attr(label, 'e')}, ""},
	} {
		got, ok := addrOf(c.attrs)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s: addrOf() = %v, %t, want %q", c.name, got, ok, c.want)
		}
	}
}

func TestIsUnusable(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags uint32
		want  bool
	}{
		{"known to be unique", unix.IFA_F_PERMANENT, false},
		{"not known yet", unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE, true},
		{"known not to be", unix.IFA_F_DADFAILED, true},
		{"used without waiting", unix.IFA_F_TENTATIVE | unix.IFA_F_OPTIMISTIC, false},
	} {
		if got := isUnusable(c.flags); got != c.want {
			t.Errorf("%s: isUnusable() = %t, want %t", c.name, got, c.want)
		}
	}
}
