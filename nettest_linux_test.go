package zyre

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// Tests named TestNet… build networks of their own from network namespaces.
// Nothing they send can leave those, and they go away with the test.

// testNet is a network under test: switches with hosts on them. Each host is a
// network namespace, and all switches are bridges in one more.
type testNet struct {
	t      *testing.T
	prefix string
	space  string // where the switches are
	hosts  []*testHost
	links  int
}

// testHost is a host of a testNet. Its loopback interface is up.
type testHost struct {
	net   *testNet
	name  string
	space string
}

var testNets atomic.Int64

// newNet makes an empty network, or skips the test where that is not possible.
func newNet(t *testing.T) *testNet {
	t.Helper()
	if testing.Short() {
		t.Skip("networks are not made in short mode")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		unableTo(t, "no ip command: %v", err)
	}
	n := &testNet{t: t, prefix: fmt.Sprintf("zyre%d-%d", os.Getpid(), testNets.Add(1))}
	n.space = n.prefix + "-switch"
	if out, err := exec.Command("ip", "netns", "add", n.space).CombinedOutput(); err != nil {
		unableTo(t, "cannot make a network namespace: %v: %s", err, out)
	}
	n.removeLater(n.space)
	return n
}

// unableTo skips a test that root cannot run on this machine. CI has to be able to.
func unableTo(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func (n *testNet) removeLater(space string) {
	n.t.Cleanup(func() { n.run("netns", "del", space) })
}

// run runs the ip command, which must succeed.
func (n *testNet) run(args ...string) string {
	n.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// lan adds a switch, to which hosts can be connected by its name.
func (n *testNet) lan(name string) {
	n.t.Helper()
	n.run("-n", n.space, "link", "add", name, "type", "bridge", "mcast_snooping", "0")
	n.run("-n", n.space, "link", "set", name, "up")
}

// host adds a host that is connected to nothing.
func (n *testNet) host(name string) *testHost {
	n.t.Helper()
	h := &testHost{net: n, name: name, space: n.prefix + "-" + name}
	n.run("netns", "add", h.space)
	n.removeLater(h.space)
	h.ip("link", "set", "lo", "up")
	n.hosts = append(n.hosts, h)
	return h
}

// ip runs the ip command on the host.
func (h *testHost) ip(args ...string) string {
	h.net.t.Helper()
	return h.net.run(append([]string{"-n", h.space}, args...)...)
}

// connect plugs a new interface of the host into a switch, sets its addresses
// and takes it up. Addresses are usable at once.
func (h *testHost) connect(lan, ifname string, addrs ...string) {
	h.net.t.Helper()
	h.net.links++
	port := fmt.Sprintf("port%d", h.net.links)
	h.ip("link", "add", ifname, "type", "veth", "peer", "name", port, "netns", h.net.space)
	h.net.run("-n", h.net.space, "link", "set", port, "master", lan, "up")
	for _, addr := range addrs {
		h.addAddr(ifname, addr)
	}
	h.ip("link", "set", ifname, "up")
}

// addAddr gives an interface one more address, such as 10.0.0.1/24.
func (h *testHost) addAddr(ifname, addr string) {
	h.net.t.Helper()
	args := []string{"addr", "add", addr, "dev", ifname}
	if strings.Contains(addr, ":") {
		args = append(args, "nodad")
	} else {
		args = append(args, "broadcast", "+")
	}
	h.ip(args...)
}

// do runs a command on the host to its end; it must succeed.
func (h *testHost) do(argv ...string) string {
	h.net.t.Helper()
	return h.net.run(append([]string{"netns", "exec", h.space}, argv...)...)
}

// start runs a registered helper on the host.
func (h *testHost) start(helper string, args ...string) *testProc {
	h.net.t.Helper()
	p := startHelper(h.net.t, []string{"ip", "netns", "exec", h.space}, helper, args...)
	p.name = helper + " on " + h.name
	return p
}

// exec runs any program on the host.
func (h *testHost) exec(env []string, argv ...string) *testProc {
	h.net.t.Helper()
	return startProc(h.net.t, argv[0]+" on "+h.name, env,
		append([]string{"ip", "netns", "exec", h.space}, argv...)...)
}
