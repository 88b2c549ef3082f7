package netif

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A change is seen at once, and nothing is looked at where nothing has changed.
func TestView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	done := make(chan struct{})
	go func() { // its thread, which is in a namespace of its own, ends with it
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("cannot make a network namespace: %v", err)
			return
		}
		checkView(t)
	}()
	<-done
}

func checkView(t *testing.T) {
	var v View
	defer v.Close()
	look := func() (Interface, bool) {
		before := v.at
		host, err := v.Interfaces()
		i := slices.IndexFunc(host, func(h Interface) bool { return h.Name == "lo" })
		if err != nil || i < 0 {
			t.Errorf("Interfaces() = %v, %v, want lo among them", host, err)
			return Interface{}, false
		}
		return host[i], v.at != before
	}
	if h, fresh := look(); !fresh || h.Flags&net.FlagUp != 0 {
		t.Errorf("at first %v, looked %t; want it down, and looked at", h, fresh)
	}
	added := netip.MustParsePrefix("10.1.2.3/24")
	for _, change := range []struct {
		args string
		want func(h Interface) bool
	}{
		{"link set lo up", func(h Interface) bool { return h.Flags&net.FlagUp != 0 }},
		{"address add 10.1.2.3/24 dev lo", func(h Interface) bool { return slices.Contains(h.Prefixes, added) }},
		// That it is there cannot be seen: /proc/net is that of the process, not of the thread.
		{"route add default via 10.1.2.4 metric 7", func(Interface) bool { return true }},
		{"address del 10.1.2.3/24 dev lo", func(h Interface) bool { return !slices.Contains(h.Prefixes, added) }},
		{"link set lo down", func(h Interface) bool { return h.Flags&net.FlagUp == 0 }},
	} {
		if out, err := exec.Command("ip", strings.Fields(change.args)...).CombinedOutput(); err != nil {
			t.Errorf("ip %s: %v: %s", change.args, err, out)
			return
		}
		if h, fresh := look(); !fresh || !change.want(h) {
			t.Errorf("after %q: %v, looked %t", change.args, h, fresh)
		}
		if h, fresh := look(); fresh || !change.want(h) {
			t.Errorf("a moment after %q: %v, looked %t; want it as before, and no look", change.args, h, fresh)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Error(err)
		return
	}
	defer null.Close()
	// As if the kernel refused to go on.
	if err := unix.Dup3(int(null.Fd()), v.changes.socket, unix.O_CLOEXEC); err != nil {
		t.Error(err)
		return
	}
	for range 2 {
		if _, fresh := look(); !fresh {
			t.Error("no look, though nothing tells of changes")
		}
	}
	if _, fresh := look(); fresh {
		t.Error("looked after it had subscribed again")
	}
}

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
