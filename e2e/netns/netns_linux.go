package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/e2e/child"
)

// A Network is switches with hosts on them.
type Network struct {
	t      *testing.T
	prefix string
	space  string // where the switches are
	links  int
}

// A Host is a host of a Network. Its loopback interface is up.
type Host struct {
	Name  string // in its network
	net   *Network
	space string
	ports map[string]string // of the switches, by interface
}

var networks atomic.Int64 // made so far by this process, so that each has its own names

// New makes an empty network, or skips the test where that is not possible.
func New(t *testing.T) *Network {
	t.Helper()
	if testing.Short() {
		t.Skip("networks are not made in short mode")
	}
	n, err := Try(t)
	if err != nil {
		t.Skip(err)
	}
	return n
}

// Try makes an empty network, or returns why that is not possible, for a test that can do
// without. In CI root has to be able to.
func Try(t *testing.T) (*Network, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, errors.New("only root can make network namespaces")
	}
	n := &Network{t: t, prefix: fmt.Sprintf("zyre%d-%d", os.Getpid(), networks.Add(1))}
	n.space = n.prefix + "-switch"
	if out, err := exec.Command("ip", "netns", "add", n.space).CombinedOutput(); err != nil {
		err = fmt.Errorf("cannot make a network namespace: %w: %s", err, out)
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		return nil, err
	}
	n.removeLater(n.space)
	return n, nil
}

// NewLAN makes a network with one switch, "lan", and hosts with these names on it, which
// have the addresses 10.78.0.1 and so on.
func NewLAN(t *testing.T, names ...string) []*Host {
	t.Helper()
	n := New(t)
	n.Switch("lan")
	var hosts []*Host
	for i, name := range names {
		h := n.Host(name)
		h.Connect("lan", "eth0", fmt.Sprintf("10.78.0.%d/24", i+1))
		hosts = append(hosts, h)
	}
	return hosts
}

// need skips the test where there is no such command.
func (n *Network) need(command string) {
	n.t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		n.unable("no %s command: %v", command, err)
	}
}

// unable skips a test that root cannot run on this machine. CI has to be able to.
func (n *Network) unable(format string, args ...any) {
	n.t.Helper()
	if os.Getenv("CI") == "true" {
		n.t.Fatalf(format, args...)
	}
	n.t.Skipf(format, args...)
}

func (n *Network) removeLater(space string) {
	n.t.Cleanup(func() { n.ip("netns", "del", space) })
}

// ip runs the ip command, which must succeed.
func (n *Network) ip(args ...string) string {
	n.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Switch adds a switch, to which hosts can be connected by its name.
func (n *Network) Switch(name string) {
	n.t.Helper()
	n.ip("-n", n.space, "link", "add", name, "type", "bridge", "mcast_snooping", "0")
	n.ip("-n", n.space, "link", "set", name, "up")
}

// Host adds a host that is connected to nothing.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	h := &Host{net: n, Name: name, space: n.prefix + "-" + name, ports: map[string]string{}}
	n.ip("netns", "add", h.space)
	n.removeLater(h.space)
	h.Up("lo")
	return h
}

// Connect plugs a new interface of the host into a switch, sets its addresses and takes
// it up. The addresses are usable at once.
func (h *Host) Connect(to, ifname string, addrs ...string) {
	h.net.t.Helper()
	h.net.links++
	port := fmt.Sprintf("port%d", h.net.links)
	h.ports[ifname] = port
	h.ip("link", "add", ifname, "type", "veth", "peer", "name", port, "netns", h.net.space)
	h.net.ip("-n", h.net.space, "link", "set", port, "master", to, "up")
	for _, addr := range addrs {
		h.AddAddr(ifname, addr)
	}
	h.Up(ifname)
}

// Disconnect removes an interface.
func (h *Host) Disconnect(ifname string) { h.net.t.Helper(); h.ip("link", "del", ifname) }

// Bridge adds an interface that is connected to nothing, such as that of a container.
func (h *Host) Bridge(ifname, addr string) {
	h.net.t.Helper()
	h.ip("link", "add", ifname, "type", "bridge")
	h.AddAddr(ifname, addr)
	h.Up(ifname)
}

// Up takes an interface up.
func (h *Host) Up(ifname string) { h.net.t.Helper(); h.ip("link", "set", ifname, "up") }

// Down takes an interface down.
func (h *Host) Down(ifname string) { h.net.t.Helper(); h.ip("link", "set", ifname, "down") }

// AddAddr gives an interface one more address, such as 10.0.0.1/24.
func (h *Host) AddAddr(ifname, addr string) {
	h.net.t.Helper()
	how := []string{"broadcast", "+"}
	if strings.Contains(addr, ":") {
		how = []string{"nodad"}
	}
	h.ip(append([]string{"addr", "replace", addr, "dev", ifname}, how...)...)
}

// RemoveAddr takes an address from an interface.
func (h *Host) RemoveAddr(ifname, addr string) {
	h.net.t.Helper()
	h.ip("addr", "del", addr, "dev", ifname)
}

// FlushAddrs takes all addresses from an interface but those of its link.
func (h *Host) FlushAddrs(ifname string) {
	h.net.t.Helper()
	h.ip("addr", "flush", "dev", ifname, "scope", "global")
}

// DefaultRoute sends what is for other networks to a router.
func (h *Host) DefaultRoute(router string) {
	h.net.t.Helper()
	h.ip("route", "replace", "default", "via", router)
}

// Forward makes the host a router between its networks.
func (h *Host) Forward() {
	h.net.t.Helper()
	h.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
}

// ReceiveBuffer limits what the host keeps of a TCP connection that nobody reads, in bytes.
// How much that may be by default, and so how long it takes to fill, differs from machine to machine.
func (h *Host) ReceiveBuffer(most int) {
	h.net.t.Helper()
	h.run("sh", "-c", fmt.Sprintf("echo 4096 %d %d >/proc/sys/net/ipv4/tcp_rmem", min(most, 128<<10), most))
}

// Slow limits the rate at which an interface sends, such as 512kbit.
func (h *Host) Slow(ifname, rate string) {
	h.net.t.Helper()
	h.net.need("tc")
	if err := limit(h.space, ifname, rate); err != nil {
		h.net.t.Fatal(err)
	}
}

// SlowBothWays limits the rate at which an interface sends, and that at which the switch
// sends to it, until FullSpeed. Both may be called from any goroutine.
func (h *Host) SlowBothWays(ifname, rate string) error {
	return errors.Join(limit(h.space, ifname, rate), limit(h.net.space, h.ports[ifname], rate))
}

// FullSpeed takes the limits of SlowBothWays away.
func (h *Host) FullSpeed(ifname string) error {
	return errors.Join(run(h.space, "tc", "qdisc", "del", "dev", ifname, "root"),
		run(h.net.space, "tc", "qdisc", "del", "dev", h.ports[ifname], "root"))
}

// limit limits the rate at which an interface in a namespace sends.
func limit(space, ifname, rate string) error {
	return run(space, "tc", "qdisc", "replace", "dev", ifname, "root", "tbf", "rate", rate, "burst", "4kb", "latency", "400ms")
}

// run runs a command in a namespace to its end.
func run(space string, argv ...string) error {
	out, err := exec.Command("ip", append([]string{"netns", "exec", space}, argv...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
	}
	return nil
}

// ip runs the ip command on the host.
func (h *Host) ip(args ...string) {
	h.net.t.Helper()
	h.net.ip(append([]string{"-n", h.space}, args...)...)
}

// run runs a command on the host to its end; it must succeed.
func (h *Host) run(argv ...string) string {
	h.net.t.Helper()
	return h.net.ip(append([]string{"netns", "exec", h.space}, argv...)...)
}

// Prefix is a command that runs another on the host.
func (h *Host) Prefix() []string { return []string{"ip", "netns", "exec", h.space} }

// Within calls f in a thread that is on the host and ends with f.
func (h *Host) Within(f func()) {
	h.net.t.Helper()
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		if err = enter("/var/run/netns/" + h.space); err == nil {
			f()
		}
	}()
	<-done
	if err != nil {
		h.net.t.Fatal(err)
	}
}

// enter moves the thread into a network namespace.
func enter(space string) error {
	ns, err := os.Open(space)
	if err != nil {
		return err
	}
	defer ns.Close()
	return os.NewSyscallError("setns", unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET))
}

// Start starts a child on the host.
func (h *Host) Start(name string) *child.Process {
	h.net.t.Helper()
	return child.StartUnder(h.net.t, name+" on "+h.Name, h.Prefix()...)
}

// Program starts any program on the host.
func (h *Host) Program(argv ...string) *child.Program {
	h.net.t.Helper()
	return child.StartProgram(h.net.t, argv[0]+" on "+h.Name, nil, append(h.Prefix(), argv...)...)
}

// Space is the name of the host's namespace.
func (h *Host) Space() string { return h.space }

// Route sends what is for an address or subnet out on an interface.
func (h *Host) Route(to, ifname string) {
	h.net.t.Helper()
	h.ip("route", "replace", to, "dev", ifname)
}
