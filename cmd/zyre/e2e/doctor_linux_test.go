package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/cmd/zyre/internal/doctor"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
	"github.com/go-zyre/zyre/internal/interop/zyrejs"
)

// doctorTime is how long the doctor may take.
const doctorTime = 10 * time.Second

// diagnosis is what zyre doctor --json has written.
type diagnosis struct {
	text   string
	nodes  []doctor.Node
	hubs   []doctor.HubState
	pair   *doctor.Pair
	faults []doctor.Fault
}

// ids are those of the faults, each once, in order.
func (d *diagnosis) ids() string {
	var ids []string
	for _, f := range d.faults {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// startDoctor starts the doctor on a host; nil is this one.
func startDoctor(t *testing.T, h *netns.Host, args ...string) *process {
	t.Helper()
	var prefix []string
	if h != nil {
		prefix = h.Prefix()
	}
	return startOn(t, prefix, append(args, "--interval", "250ms")...)
}

// read waits for the end of the doctor and returns what it has found.
func (p *process) read(within time.Duration) (d diagnosis) {
	p.t.Helper()
	begin := time.Now()
	<-p.done
	if took := time.Since(begin); took > within {
		p.t.Errorf("the doctor took %v, want %v at most", took, within)
	}
	d.text = p.out.String()
	for _, line := range decode[map[string]json.RawMessage](p.t, d.text) {
		var kind string
		must(p.t, json.Unmarshal(line["kind"], &kind))
		read := func(v any) { must(p.t, json.Unmarshal(line[kind], v)) }
		switch kind {
		case "node":
			d.nodes = append(d.nodes, doctor.Node{})
			read(&d.nodes[len(d.nodes)-1])
		case "hub":
			d.hubs = append(d.hubs, doctor.HubState{})
			read(&d.hubs[len(d.hubs)-1])
		case "fault":
			d.faults = append(d.faults, doctor.Fault{})
			read(&d.faults[len(d.faults)-1])
		case "pair":
			read(&d.pair)
		}
	}
	if got, want := p.cmd.ProcessState.ExitCode(), min(1, len(d.faults)); got != want {
		p.t.Errorf("exit status %d with %d faults, want %d\n%s", got, len(d.faults), want, p.errOut)
	}
	return d
}

// diagnose runs the doctor on a host. It listens for less than its usual 5 s; nodes of tests
// send a beacon each 250 ms.
func diagnose(t *testing.T, h *netns.Host, args ...string) diagnosis {
	t.Helper()
	return startDoctor(t, h, append([]string{"doctor", "--json", "--listen", "2s"}, args...)...).read(doctorTime)
}

// check compares the faults, and what the one that matters says.
func (d *diagnosis) check(t *testing.T, want string, says ...string) {
	t.Helper()
	if got := d.ids(); got != want {
		t.Errorf("faults %q, want %q\n%s", got, want, d.text)
	}
	var all strings.Builder
	for _, f := range d.faults {
		fmt.Fprintln(&all, f.What, f.Do)
		if f.What == "" || f.Do == "" {
			t.Errorf("fault %+v does not say what to do", f)
		}
	}
	checkContains(t, "what the doctor says", all.String(), says...)
}

// nodeOn runs a node on a host, named like it.
func nodeOn(h *netns.Host, cfg child.Config) *child.Node {
	cfg.Name = cmp.Or(cfg.Name, h.Name)
	cfg.Interval = cmp.Or(cfg.Interval, 250*time.Millisecond)
	n := h.Start("node " + cfg.Name).Node(cfg)
	n.Start()
	return n
}

// network is the doctor's host a, and b, on which there is a node.
func network(t *testing.T, cfg child.Config) (a, b *netns.Host, node *child.Node) {
	t.Helper()
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b")
	return hosts[0], hosts[1], nodeOn(hosts[1], cfg)
}

func TestDoctor_healthy(t *testing.T) {
	a, _, _ := network(t, child.Config{})
	nodeOn(a, child.Config{Name: "neighbour"})
	d := startDoctor(t, a, "doctor", "--json").read(doctorTime)
	d.check(t, "")
	for _, n := range d.nodes {
		if !n.Entered || !n.Answered || n.TCP != "open" || n.Mechanism != "NULL" || n.Beacons < 2 || n.Version != 1 || n.RTTMS <= 0 {
			t.Errorf("node %+v, want one that is well", n)
		}
	}
	if len(d.nodes) != 2 {
		t.Errorf("%d nodes, want b and neighbour:\n%s", len(d.nodes), d.text)
	}
	text := startDoctor(t, a, "doctor", "--listen", "1s")
	text.wait(0)
	checkContains(t, "zyre doctor", text.out.String(), "Nothing is wrong.", "neighbour", "eth0", "yes: the only interface")
}

// Nodes of other implementations are well, too.
func TestDoctor_healthyForeign(t *testing.T) {
	for _, kind := range []foreign.Kind{foreign.Libzyre, foreign.Pyre, foreign.ZyreJS} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			port := kit.FreeUDPPort(t)
			peer, err := foreignnet.Start(t.Context(), foreignnet.Options{Kind: kind, Name: "foreign", UDPPort: port})
			must(t, err)
			t.Cleanup(func() { _ = peer.Close() })
			d := diagnose(t, nil, local(port)[:4]...)
			d.check(t, "")
			if len(d.nodes) != 1 || d.nodes[0].Name != "foreign" {
				t.Errorf("nodes %+v, want the foreign one", d.nodes)
			}
		})
	}
}

func TestDoctor_zyrejs(t *testing.T) {
	t.Parallel()
	port := kit.FreeUDPPort(t)
	startJS(t, zyrejs.Options{Name: "js", BeaconPort: port})
	d := diagnose(t, nil, local(port)[:4]...)
	d.check(t, "")
	if len(d.nodes) != 1 || d.nodes[0].Name != "js" {
		t.Errorf("nodes %+v, want that of zyre.js", d.nodes)
	}
}

// A network in which nobody else is.
func TestDoctor_alone(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b")
	diagnosed := diagnose(t, hosts[0])
	diagnosed.check(t, "no-others", "gossip hub")
	diagnosed = diagnose(t, hosts[0], "--against", "10.78.0.2")
	diagnosed.check(t, "against", "nothing is heard of 10.78.0.2")
	diagnosed = diagnose(t, hosts[0], "--against", "10.99.0.2")
	diagnosed.check(t, "against", "not in the subnet")
}

func TestDoctor_noBroadcast(t *testing.T) {
	a, b, _ := network(t, child.Config{})
	a.BlockBroadcasts("10.78.0.255")
	alone := diagnose(t, a)
	alone.check(t, "no-others", "eats broadcasts")
	here, there := pairOf(t, a, b, "10.78.0.1", "10.78.0.2")
	here.check(t, "pair-broadcast", "broadcasts do not pass from this host", "gossip hub")
	there.check(t, "pair-broadcast", "broadcasts do not pass from this host")
	if !is(here.pair.UDP.There, true) || !is(here.pair.UDP.Back, true) || !is(here.pair.TCP.There, true) || !is(here.pair.TCP.Back, true) {
		t.Errorf("pair %+v, want UDP and TCP to pass", here.text)
	}
}

func is(b *bool, want bool) bool { return b != nil && *b == want }

// pairOf runs the doctor on two hosts with one word.
func pairOf(t *testing.T, a, b *netns.Host, addrA, addrB string, args ...string) (here, there diagnosis) {
	t.Helper()
	args = append([]string{"doctor", "--json", "--listen", "3s", "--pair", "tea"}, args...)
	one := startDoctor(t, a, append(slices.Clone(args), "--against", addrB)...)
	two := startDoctor(t, b, append(slices.Clone(args), "--against", addrA)...)
	return one.read(2 * doctorTime), two.read(2 * doctorTime)
}

func TestDoctor_pairHealthy(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b")
	here, there := pairOf(t, hosts[0], hosts[1], "10.78.0.1", "10.78.0.2")
	for _, d := range []diagnosis{here, there} {
		d.check(t, "")
		if d.pair == nil {
			t.Fatalf("no pair in\n%s", d.text)
		}
		for what, way := range map[string]doctor.Direction{"broadcast": d.pair.Broadcast, "UDP": d.pair.UDP, "TCP": d.pair.TCP, "HELLO": d.pair.Hello} {
			if !is(way.There, true) || !is(way.Back, true) {
				t.Errorf("%s: there %v, back %v, want both to pass\n%s", what, way.There, way.Back, d.text)
			}
		}
	}
	// Without an address they find each other by broadcast; a stranger does not take part.
	other := startDoctor(t, hosts[1], "doctor", "--json", "--listen", "1s", "--pair", "coffee", "--pair-wait", "2s").read(doctorTime)
	other.check(t, "pair-absent")
}

func TestDoctor_udpBlocked(t *testing.T) {
	a, b, _ := network(t, child.Config{})
	a.Filter(netns.In("udp dport 5670 drop"))
	in := diagnose(t, a)
	in.check(t, "own-beacon udp-in", "do not pass its firewall", "ufw allow 5670/udp")
	a.Filter(netns.Out("udp dport 5670 drop"))
	out := diagnose(t, a)
	if out.ids() != "own-beacon" {
		t.Errorf("faults %q, want own-beacon\n%s", out.ids(), out.text)
	}
	a.Filter(netns.In("iif != lo udp dport { 5670, 5669 } drop"))
	here, there := pairOf(t, a, b, "10.78.0.1", "10.78.0.2")
	checkContains(t, "what a says", here.text, `"pair-udp"`, "UDP does not pass from")
	checkContains(t, "what b says", there.text, `"pair-udp"`, "UDP does not pass from this host")
}

func TestDoctor_tcpBlocked(t *testing.T) {
	a, b, _ := network(t, child.Config{})
	// This host does not let others in.
	a.Filter(netns.In("iif != lo tcp flags & (syn|ack) == syn drop"))
	d := diagnose(t, a)
	d.check(t, "tcp-in", "b", "cannot connect to this host at 10.78.0.1")
	here, there := pairOf(t, a, b, "10.78.0.1", "10.78.0.2")
	if !is(here.pair.TCP.There, true) || !is(here.pair.TCP.Back, false) || !is(there.pair.TCP.There, false) || !is(there.pair.TCP.Back, true) {
		t.Errorf("pair\n%s\n%s\nwant TCP from a to b only", here.text, there.text)
	}
	checkContains(t, "what a says", here.text, `"pair-tcp"`, " to this host")
	checkContains(t, "what b says", there.text, `"pair-tcp"`, "TCP does not pass from this host to")
	a.Filter()
	// The other does not let this one in.
	b.Filter(netns.In("iif != lo tcp flags & (syn|ack) == syn drop"))
	d = diagnose(t, a)
	d.check(t, "tcp-out", "reaches this host", "cannot be reached")
	b.Filter(netns.In("iif != lo tcp flags & (syn|ack) == syn reject with tcp reset"))
	d = diagnose(t, a)
	d.check(t, "tcp-out", "refuses connections")
	// Both.
	a.Filter(netns.In("iif != lo tcp flags & (syn|ack) == syn drop"))
	d = diagnose(t, a)
	d.check(t, "tcp-both", "no connection in either direction")
}

func TestDoctor_otherPort(t *testing.T) {
	a, b, _ := network(t, child.Config{Port: 5671})
	d := diagnose(t, a)
	d.check(t, "other-port", "uses UDP port 5671", "this host 5670")
	args := []string{"doctor", "--json", "--listen", "2s", "--pair", "tea"}
	one, two := startDoctor(t, a, args...), startDoctor(t, b, append(args, "--port", "5672")...)
	here, there := one.read(2*doctorTime), two.read(2*doctorTime)
	checkContains(t, "what a says", here.text, "uses UDP port 5672")
	checkContains(t, "what b says", there.text, "uses UDP port 5670")
}

func TestDoctor_otherSubnet(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("lan")
	a, b := n.Host("a"), n.Host("b")
	a.Connect("lan", "eth0", "10.78.0.1/24")
	b.Connect("lan", "eth0", "10.79.0.2/24")
	nodeOn(b, child.Config{})
	d := diagnose(t, a)
	d.check(t, "other-subnet", "another subnet than this host (10.78.0.0/24)")
}

func TestDoctor_plainAndSecure(t *testing.T) {
	public, secret := kit.KeyPair(t)
	a, _, _ := network(t, child.Config{PublicKey: public, SecretKey: secret})
	path := filepath.Join(t.TempDir(), "a")
	zyreRun(t, 0, "cert", "new", path)
	d := diagnose(t, a)
	d.check(t, "plain-secure", "is secure (CURVE), and a node here would be plain")
	d = diagnose(t, a, "--cert", path)
	d.check(t, "")
	nodeOn(a, child.Config{Name: "plain"})
	d = diagnose(t, a, "--cert", path)
	d.check(t, "plain-secure", "is plain, and a node here would be secure")
}

// A key that one of them does not let in.
func TestDoctor_wrongKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b", "stranger"} {
		zyreRun(t, 0, "cert", "new", at(name))
	}
	store := func(name string, certs ...string) string {
		for _, cert := range certs {
			c, err := zyre.LoadCert(at(cert))
			must(t, err)
			must(t, os.MkdirAll(at(name), 0o700))
			must(t, c.SavePublic(filepath.Join(at(name), cert)))
		}
		return at(name)
	}
	all, none := store("all", "a", "b"), store("none", "stranger")
	hosts := netns.NewLAN(t, "a", "b")
	a, b := hosts[0], hosts[1]
	sub := startOn(t, b.Prefix(), "sub", "hall", "--name", "b", "--cert", at("b"), "--authorized", none)
	d := diagnose(t, a, "--cert", at("a"), "--authorized", all)
	d.check(t, "key", "does not let the key of this host in")
	sub.signal(syscall.SIGINT)
	sub.wait(0)
	startOn(t, b.Prefix(), "sub", "hall", "--name", "b", "--cert", at("b"), "--authorized", all)
	d = diagnose(t, a, "--cert", at("a"), "--authorized", none)
	d.check(t, "key", "has a key that this host does not let in")
	d = diagnose(t, a, "--cert", at("a"), "--authorized", all)
	d.check(t, "")
}

func TestDoctor_alike(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b", "c")
	const uuid = "0123456789ABCDEF0123456789ABCDEF"
	nodeOn(hosts[1], child.Config{Name: "twin"})
	nodeOn(hosts[2], child.Config{Name: "twin"})
	d := diagnose(t, hosts[0])
	d.check(t, "same-name", "2 nodes are called twin", "10.78.0.2", "10.78.0.3")

	more := netns.NewLAN(t, "a", "b", "c")
	for _, h := range more[1:] {
		startOn(t, h.Prefix(), "sub", "hall", "--name", h.Name, "--uuid", uuid)
	}
	d = diagnose(t, more[0])
	if !strings.Contains(d.ids(), "same-uuid") {
		t.Errorf("faults %q, want same-uuid\n%s", d.ids(), d.text)
	}
}

func TestDoctor_wrongInterface(t *testing.T) {
	t.Parallel()
	n := netns.New(t)
	n.Switch("lan")
	n.Switch("other")
	a, b := n.Host("a"), n.Host("b")
	a.Connect("other", "eth0", "10.77.0.1/24")
	a.Connect("lan", "eth1", "10.78.0.1/24")
	b.Connect("lan", "eth0", "10.78.0.2/24")
	a.DefaultRoute("10.77.0.254")
	nodeOn(b, child.Config{})
	d := diagnose(t, a)
	d.check(t, "wrong-interface", "heard on eth1", "would use eth0", `SetInterface("eth1")`)
	d = diagnose(t, a, "--interface", "eth1")
	d.check(t, "")
	d = diagnose(t, a, "--interface", "eth9")
	d.check(t, "no-interface", "eth9")
	nodeOn(a, child.Config{Name: "local", Interface: "lo"})
	d = diagnose(t, a, "--interface", "eth1")
	d.check(t, "loopback", "keeps to loopback")
	a.Down("eth0")
	a.Down("eth1")
	d = diagnose(t, a)
	d.check(t, "only-loopback", "no other interface is up")
}

func TestDoctor_hub(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a", "b")
	a, b := hosts[0], hosts[1]
	const at = "tcp://10.78.0.2:9999"
	d := diagnose(t, a, "--hub", at)
	d.check(t, "hub-down", "is down", "zyre hub tcp://*:9999")
	d = diagnose(t, a, "--hub", "tcp://10.78.0.99:9999")
	d.check(t, "hub-unreachable", "no such host")
	d = diagnose(t, a, "--hub", "tcp://nobody.invalid:9999")
	d.check(t, "hub-name", "cannot be looked up")
	hub := startOn(t, b.Prefix(), "hub", "tcp://*:9999")
	hub.logged(`(endpoints=)`)
	d = diagnose(t, a, "--hub", at)
	d.check(t, "no-others", "no other node is connected to the gossip hub")
	node := nodeOn(b, child.Config{GossipConnect: at})
	d = diagnose(t, a, "--hub", at)
	d.check(t, "")
	if len(d.nodes) != 1 || d.nodes[0].Source != "gossip" || !d.nodes[0].Answered || len(d.hubs) != 1 || !d.hubs[0].Up || d.hubs[0].Nodes < 1 {
		t.Errorf("nodes %+v, hubs %+v, want b by gossip", d.nodes, d.hubs)
	}
	path := filepath.Join(t.TempDir(), "hub")
	zyreRun(t, 0, "cert", "new", path)
	d = diagnose(t, a, "--hub", at, "--hub-cert", path)
	d.check(t, "hub-plain", "is plain")
	// A node's port is no hub.
	d = diagnose(t, a, "--hub", node.Started.Endpoint)
	d.check(t, "hub-silent", "does not answer to gossip")
	hub.signal(syscall.SIGINT)
	hub.wait(0)
	secure := startOn(t, b.Prefix(), "hub", "tcp://*:9999", "--cert", path)
	secure.logged(`(endpoints=)`)
	d = diagnose(t, a, "--hub", at)
	d.check(t, "hub-secure", "its public key is not known here")
}

// Without netlink a node works, and the doctor says what is missing.
func TestDoctor_noNetlink(t *testing.T) {
	a, _, _ := network(t, child.Config{})
	d := startDoctor(t, a, noNetlink+"=1", "doctor", "--json").read(doctorTime)
	d.check(t, "netlink", "AF_NETLINK")
	if len(d.nodes) != 1 || !d.nodes[0].Answered {
		t.Errorf("nodes %+v, want b", d.nodes)
	}
}

// A program that does not share the port keeps nodes from starting.
func TestDoctor_portTaken(t *testing.T) {
	t.Parallel()
	hosts := netns.NewLAN(t, "a")
	hosts[0].Start("holder").Do("hold", "", "0.0.0.0:5670", nil)
	d := diagnose(t, hosts[0])
	d.check(t, "udp-port", "another program has UDP port 5670")
}
