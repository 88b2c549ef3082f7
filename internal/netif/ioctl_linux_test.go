package netif

import (
	"fmt"
	"net"
	"net/netip"
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
