package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/netif"
)

// The interfaces of the host that newExamination makes.
const (
	onLo = 1 + iota
	onEth
	onWlan
)

// newExamination is one of a host with eth0, which a node uses, wlan0 and lo. Its node does
// not run.
func newExamination(t *testing.T, c Config) *examination {
	t.Helper()
	c.Node, c.Port = zyre.NewZyre(t.Context()), 5670
	x := &examination{Config: c, report: &Report{}, heard: &sightings{}, probes: newProber(), ownEndpoint: "tcp://10.0.0.1:49152"}
	x.host = []netif.Interface{
		anInterface("lo", net.FlagLoopback, false, "127.0.0.1/8"),
		anInterface("eth0", broadcasts, true, "10.0.0.1/24"),
		anInterface("wlan0", broadcasts, true, "10.1.0.1/24"),
	}
	for i := range x.host {
		x.host[i].Index = onLo + i
	}
	eth0, _ := x.host[1].Link()
	x.links = []netif.Link{eth0}
	return x
}

// checkFaults compares the IDs of the faults, and looks for what they are to say.
func (x *examination) checkFaults(t *testing.T, want string, says ...string) {
	t.Helper()
	var ids []string
	var text strings.Builder
	for _, f := range x.report.Faults {
		ids = append(ids, f.ID)
		fmt.Fprintln(&text, f.What, f.Do)
		if f.What == "" || f.Do == "" {
			t.Errorf("fault %+v does not say what is wrong, and what to do", f)
		}
	}
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("faults %q, want %q\n%s", got, want, &text)
	}
	for _, s := range says {
		if !strings.Contains(text.String(), s) {
			t.Errorf("faults say\n%swant %q in it", &text, s)
		}
	}
}

// uuidOf is a UUID of one digit, again and again.
func uuidOf(digit string) string { return strings.Repeat(digit, 32) }

func TestTCPAddr(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://10.0.0.9:5": "10.0.0.9:5", "tcp://[fd00::9]:5": "[fd00::9]:5",
		"tcp://host:5": "", "tcp://10.0.0.9:0": "", "tcp://10.0.0.9": "", "10.0.0.9:5": "", "ipc:///tmp/x": "", "": "",
	} {
		at, ok := tcpAddr(endpoint)
		if ok != (want != "") || ok && at.String() != want {
			t.Errorf("tcpAddr(%q) = %v, %t, want %q", endpoint, at, ok, want)
		}
	}
}

func TestExamination_isWanted(t *testing.T) {
	for _, c := range []struct {
		against, addr string
		want          bool
	}{
		{"", "10.0.0.9", true},
		{"10.0.0.9 10.0.0.8", "10.0.0.8", true},
		{"10.0.0.9", "10.0.0.8", false},
		{"fe80::9", "fe80::9%eth0", true},
	} {
		x := newExamination(t, Config{})
		for a := range strings.FieldsSeq(c.against) {
			x.Against = append(x.Against, netip.MustParseAddr(a))
		}
		if got := x.isWanted(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("against %q: isWanted(%s) = %t, want %t", c.against, c.addr, got, c.want)
		}
	}
}

// A node is described by where it was heard best, and what comes first counts most: that a
// socket got it, on an interface in use, on the UDP port in use, with a port that is open.
func TestExamination_collect(t *testing.T) {
	x := newExamination(t, Config{})
	now := time.Now()
	at := func(host int, tcpPort uint16) sighting {
		return sighting{
			uuid: uuidOf("A"), version: versionPlain, count: 1, last: now,
			addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(host)}), tcpPort: tcpPort,
		}
	}
	var all []*sighting
	for i := range 16 { // the better the later
		s := at(10+i, uint16(100+i))
		s.received = i&8 != 0
		s.ifIndex = map[bool]int{true: onEth, false: onWlan}[i&4 != 0]
		s.udpPort = map[bool]int{true: x.Port, false: 5671}[i&2 != 0]
		if i&1 != 0 {
			x.probes.results[netip.AddrPortFrom(s.addr, s.tcpPort)] = &probe{state: tcpOpen, mechanism: "NULL"}
		}
		all = append(all, &s)
	}
	own, gone := at(9, 9), at(8, 8)
	own.uuid = x.ownUUID()
	gone.uuid, gone.goodbye = uuidOf("B"), now.Add(1)
	for i, s := range all {
		x.report = &Report{}
		x.heard.all = append(slices.Clone(all[:i+1]), &own, &gone)
		slices.Reverse(x.heard.all)
		x.collect()
		if len(x.report.Nodes) != 1 {
			t.Fatalf("%d nodes, want neither this host's nor one that has said goodbye", len(x.report.Nodes))
		}
		n := x.report.Nodes[0]
		want := fmt.Sprintf("tcp://%s:%d", s.addr, s.tcpPort)
		if n.UUID != s.uuid || n.Endpoint != want || n.UDPPort != s.udpPort || n.Beacons != i+1 || (n.TCP == tcpOpen) != (i&1 != 0) {
			t.Errorf("of %d sightings: %+v, want the endpoint %s", i+1, n, want)
		}
	}
	x.report, x.Against = &Report{}, []netip.Addr{netip.MustParseAddr("10.0.0.99")}
	if x.collect(); len(x.report.Nodes) != 0 {
		t.Errorf("%d nodes of other hosts than that asked for", len(x.report.Nodes))
	}
}
