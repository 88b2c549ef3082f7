package netif

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Without netlink the same is seen.
func TestListWithoutNetlink(t *testing.T) {
	want, err := listByDefault()
	if err != nil {
		t.Skip(err)
	}
	got, err := listWithoutNetlink()
	if err != nil {
		t.Fatal(err)
	}
	const known = net.FlagUp | net.FlagRunning | net.FlagBroadcast | net.FlagLoopback | net.FlagPointToPoint | net.FlagMulticast
	summary := func(host []Interface) (lines []string) {
		for _, h := range host {
			slices.SortFunc(h.Prefixes, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
			lines = append(lines, fmt.Sprint(h.Name, h.Index, h.Flags&known, h.Prefixes, h.Metric, h.Hardware, h.Port))
		}
		slices.Sort(lines)
		return lines
	}
	if g, w := summary(got), summary(want); !slices.Equal(g, w) {
		t.Errorf("listWithoutNetlink() =\n%q, want\n%q", g, w)
	}
}

func TestParseInet6(t *testing.T) {
	const table = "00000000000000000000000000000001 01 80 10 80       lo\n" +
		"fd00000000000000000000000000abcd 02 40 00 80     eth0\n" +
		"fe800000000000000000000000000007 02 40 20 c0     eth0\n" + // tentative
		"fe8000000000000000000000000000 02 40 20 80     eth0\n" +
		"xx000000000000000000000000000007 02 40 20 80     eth0\n" +
		"fe800000000000000000000000000007 02 ff 20 80     eth0\n" +
		"short\n\n"
	want := "map[eth0:[fd00::abcd/64] lo:[::1/128]]"
	if got := fmt.Sprint(parseInet6([]byte(table))); got != want {
		t.Errorf("parseInet6() = %s, want %s", got, want)
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
