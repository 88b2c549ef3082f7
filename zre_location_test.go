package zyre

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
	"github.com/go-zyre/zyre/internal/transport"
)

// testLink makes a link.
func testLink(name, prefix string) netif.Link {
	p := netip.MustParsePrefix(prefix)
	addr := p.Addr()
	if addr.Is6() && addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(name)
	}
	return netif.Link{Name: name, Addr: addr, Prefix: p.Masked()}
}

var (
	linkA  = testLink("eth0", "10.0.0.1/24")
	linkB  = testLink("eth1", "192.168.7.1/24")
	linkLo = testLink("lo", "127.0.0.1/8")
	link6  = testLink("eth2", "fe80::1/64")
)

func TestLocation_isOurs(t *testing.T) {
	l := location{
		links: []netif.Link{linkA, linkB}, port: 1000, endpoints: []string{"ipc:///tmp/ours", "tcp://10.0.0.1:1000"},
		advertised: "tcp://203.0.113.5:7",
	}
	for _, c := range []struct {
		endpoint string
		want     bool
	}{
		{"tcp://10.0.0.1:1000", true},
		{"tcp://192.168.7.1:1000", true},
		{"ipc:///tmp/ours", true},
		{"tcp://203.0.113.5:7", true},
		{"tcp://10.0.0.1:1001", false},
		{"tcp://10.0.0.2:1000", false},
		{"ipc:///tmp/theirs", false},
		{"", false},
	} {
		t.Run(c.endpoint, func(t *testing.T) {
			if got := l.isOurs(c.endpoint); got != c.want {
				t.Errorf("isOurs(%q) = %t, want %t", c.endpoint, got, c.want)
			}
		})
	}
}

func TestLocation_announced(t *testing.T) {
	both := []netif.Link{linkA, linkB}
	for _, c := range []struct {
		name     string
		location location
		peer     string
		want     string
	}{
		{"on the peer's network", location{links: both, port: 7}, "tcp://192.168.7.9:1", "tcp://192.168.7.1:7"},
		{"on the first, if none is the peer's", location{links: both, port: 7}, "tcp://172.16.0.1:1", "tcp://10.0.0.1:7"},
		{"on the first, without a peer", location{links: both, port: 7}, "", "tcp://10.0.0.1:7"},
		{"no network", location{}, "tcp://10.0.0.9:1", ""},
		{"not bound", location{links: both}, "tcp://10.0.0.9:1", ""},
		{"advertised", location{links: both, port: 7, advertised: "tcp://203.0.113.5:7"}, "", "tcp://203.0.113.5:7"},
		{"fixed", location{links: both, port: 7, fixed: "x", endpoints: []string{"tcp://10.9.9.9:7"}}, "", "tcp://10.9.9.9:7"},
		{"fixed to all addresses", location{links: both, port: 7, fixed: "x", endpoints: []string{"tcp://0.0.0.0:7"}}, "tcp://192.168.7.9:1", "tcp://192.168.7.1:7"},
		{"fixed to ipc", location{fixed: "x", endpoints: []string{"ipc:///tmp/x"}}, "", "ipc:///tmp/x"},
		{"without its zone", location{links: []netif.Link{link6}, port: 7}, "tcp://[fe80::9%eth2]:1", "tcp://[fe80::1]:7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.location.announced(c.peer); got != c.want {
				t.Errorf("announced(%q) = %q, want %q", c.peer, got, c.want)
			}
		})
	}
}

func TestLocation_isCutOff(t *testing.T) {
	for _, c := range []struct {
		name     string
		location location
		endpoint string
		want     bool
	}{
		{"a network", location{links: []netif.Link{linkA}}, "tcp://10.0.0.9:1", false},
		{"no network", location{}, "tcp://10.0.0.9:1", true},
		{"loopback alone", location{links: []netif.Link{linkLo}}, "tcp://10.0.0.9:1", true},
		{"to this host", location{}, "tcp://127.0.0.1:1", false},
		{"to a file", location{}, "ipc:///tmp/x", false},
		{"fixed", location{fixed: "x"}, "tcp://10.0.0.9:1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.location.isCutOff(c.endpoint); got != c.want {
				t.Errorf("isCutOff(%q) = %t, want %t", c.endpoint, got, c.want)
			}
		})
	}
}

func TestLocation_reachable(t *testing.T) {
	plain, lo := location{links: []netif.Link{linkA}}, location{links: []netif.Link{linkLo}}
	local, one6 := location{links: []netif.Link{linkA}, local: true}, location{links: []netif.Link{link6}}
	for _, c := range []struct {
		name     string
		location location
		endpoint string
		want     string
		err      error
	}{
		{"an address", plain, "tcp://10.0.0.9:1", "tcp://10.0.0.9:1", nil},
		{"mapped into IPv6", plain, "tcp://[::ffff:10.0.0.9]:1", "tcp://10.0.0.9:1", nil},
		{"a host name", plain, "tcp://somewhere:1", "tcp://somewhere:1", transport.ErrNeedsLookup},
		{"loopback", plain, "tcp://127.0.0.1:1", "", transport.ErrUnreachable},
		{"loopback, on loopback", lo, "tcp://127.0.0.1:1", "tcp://127.0.0.1:1", nil},
		{"loopback, used by the application", local, "tcp://127.0.0.1:1", "tcp://127.0.0.1:1", nil},
		{"ipc", plain, "ipc:///tmp/x", "", transport.ErrUnreachable},
		{"ipc, used by the application", local, "ipc:///tmp/x", "ipc:///tmp/x", nil},
		{"multicast", plain, "tcp://224.0.0.1:1", "", transport.ErrBadEndpoint},
		{"broadcast", plain, "tcp://255.255.255.255:1", "", transport.ErrBadEndpoint},
		{"unspecified", plain, "tcp://0.0.0.0:1", "", transport.ErrUnreachable},
		{"somebody's zone", plain, "tcp://[fe80::9%eth7]:1", "", transport.ErrUnreachable},
		{"link-local, on one link", one6, "tcp://[fe80::9]:1", "tcp://[fe80::9%eth2]:1", nil},
		{"link-local, on two", location{links: []netif.Link{linkA, link6}}, "tcp://[fe80::9]:1", "", transport.ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule := c.location.ownRule()
			rule.Namer = transport.NamedHere
			got, err := rule.Reachable(c.endpoint)
			if c.want != "" && got != c.want || !errors.Is(err, c.err) {
				t.Errorf("reachable(%q) = %q, %v, want %q, %v", c.endpoint, got, err, c.want, c.err)
			}
		})
	}
}

func TestLocation_toward(t *testing.T) {
	l := location{links: []netif.Link{linkA, linkB, link6, testLink("eth3", "fe80::2/64")}}
	for _, c := range []struct {
		name, endpoint string
		want           int
	}{
		{"the peer's subnet", "tcp://192.168.7.9:1", 1},
		{"by zone", "tcp://[fe80::9%eth3]:1", 3},
		{"no link's subnet", "tcp://172.16.0.1:1", 0},
		{"no address", "ipc:///tmp/x", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, want := l.toward(c.endpoint), l.links[c.want].Addr; got != want {
				t.Errorf("toward(%q) = %v, want %v", c.endpoint, got, want)
			}
		})
	}
}

// What is on this host is connected to only if somebody on this host says so, or its beacon,
// and by gossip where this node is itself.
func TestNaming_thisHost(t *testing.T) {
	const (
		used, unused = "tcp://10.0.0.1:6379", "tcp://172.17.0.1:6379"
		lan          = "tcp://10.0.0.9:9"
	)
	own, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")
	hello := func(from netip.Addr, endpoint string) func(b *zreBench) {
		return func(b *zreBench) {
			m := b.packet(&ZreMsg{id: HelloID, Endpoint: endpoint, Name: "peer"}, 0)
			m.Address = from
			b.z.receive(b.now, &m)
		}
	}
	gossip := func(endpoint string) func(b *zreBench) {
		return func(b *zreBench) { b.z.gossiped(b.now, stateUUID, endpoint, "", "hub") }
	}
	named := func(from netip.Addr, numeric string) func(b *zreBench) {
		return func(b *zreBench) {
			hello(from, stateUnresolved)(b)
			b.z.resolved(b.now, lookupKey{stateUnresolved, false}, []string{numeric}, nil)
		}
	}
	for _, c := range []struct {
		what  string
		do    []func(b *zreBench)
		wants string // where it is connected to; empty if to nothing
	}{
		{"a HELLO of another host, about that", []func(*zreBench){hello(other, lan)}, lan},
		{"a HELLO of another host, about this one", []func(*zreBench){hello(other, used)}, ""},
		{"the same, about another interface", []func(*zreBench){hello(other, unused)}, ""},
		{"a HELLO of this host", []func(*zreBench){hello(own, used)}, used},
		{"the same, mapped into IPv6", []func(*zreBench){hello(netip.MustParseAddr("::ffff:10.0.0.1"), used)}, used},
		{"a HELLO by another address of this host", []func(*zreBench){hello(netip.MustParseAddr("172.17.0.1"), used)}, used},
		{"a HELLO of this process", []func(*zreBench){hello(netip.MustParseAddr("127.0.0.1"), used)}, used},
		{"a HELLO by ZMTP 2, from wherever", []func(*zreBench){hello(netip.Addr{}, lan)}, lan},
		{"the same, about this host", []func(*zreBench){hello(netip.Addr{}, used)}, ""},
		{"the same, then a beacon of this host", []func(*zreBench){
			hello(netip.Addr{}, used), func(b *zreBench) { b.z.sighted(b.now, stateUUID, used) },
		}, used},
		{"a HELLO of another host, then a beacon of this one", []func(*zreBench){
			hello(other, used), func(b *zreBench) { b.z.sighted(b.now, stateUUID, used) },
		}, used},
		{"gossip, about where this node is", []func(*zreBench){gossip(used)}, used},
		{"gossip, about another interface", []func(*zreBench){gossip(unused)}, ""},
		{"gossip, and a HELLO through a port of this host", []func(*zreBench){gossip(used), hello(other, used)}, used},
		{"a name in a HELLO of another host", []func(*zreBench){named(other, used)}, ""},
		{"a name in a HELLO of this host", []func(*zreBench){named(own, used)}, used},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newZREBench(t)
			b.port.host = []netif.Interface{netiftest.Interface(7, "docker0", netiftest.LANFlags, own.String()+"/16", "172.17.0.1/16")}
			for _, do := range c.do {
				do(b)
			}
			p := b.peer()
			if got := p != nil && p.mailbox != nil; got != (c.wants != "") || got && p.endpoint != c.wants {
				t.Errorf("connected: %t, to %+v, want %q", got, p, c.wants)
			}
		})
	}
}

// A node that a HELLO of another host says to be this one is refused, as before.
func TestNaming_ourselves(t *testing.T) {
	b := newZREBench(t)
	m := b.packet(&ZreMsg{id: HelloID, Endpoint: "tcp://10.0.0.1:1000", Name: "peer"}, 0)
	m.Address = netip.MustParseAddr("10.0.0.9")
	b.z.receive(b.now, &m)
	if b.peer() != nil || b.z.counters.helloRefused != 1 {
		t.Errorf("peer %+v, %d HELLOs refused, want none and 1", b.peer(), b.z.counters.helloRefused)
	}
}

// A look-up is charged to the host that a HELLO came from, and of gossip to the neighbour that
// has told of it until the node enters: from then on to its own host.
func TestNaming_charged(t *testing.T) {
	b := newZREBench(t)
	if got := b.z.namedBy(netip.MustParseAddr("2001:db8::7")).charged; got != "2001:db8::" {
		t.Errorf("charged to %q, want the subnet", got)
	}
	b.z.gossiped(b.now, stateUUID, stateUnresolved, "", "tcp://hub:9")
	b.z.resolved(b.now, lookupKey{stateUnresolved, false}, []string{stateEndpoint}, nil)
	k := b.z.known[stateUUID]
	if got := k.naming().charged; got != "tcp://hub:9" {
		t.Errorf("charged to %q, want the hub", got)
	}
	b.hello(stateEndpoint)
	b.pass(2 * time.Second)
	if got := k.naming().charged; got != "127.0.0.1" {
		t.Errorf("after it has entered charged to %q, want the host that its HELLO came from", got)
	}
	b.z.gossiped(b.now, stateUUID, "tcp://other:9", "", "tcp://hub:9")
	if got := b.z.known[stateUUID].naming().charged; got != "tcp://hub:9" {
		t.Errorf("another endpoint is charged to %q, want the hub", got)
	}
}

// Nodes of one host meet by their link-local address of IPv6, too.
func TestNaming_linkLocal(t *testing.T) {
	for from, want := range map[string]string{"fe80::2%eth2": "tcp://[fe80::2%eth2]:9", "fe80::3%eth2": ""} {
		b := newZREBench(t)
		b.z.location.links = []netif.Link{testLink("eth2", "fe80::2/64")}
		b.port.host = []netif.Interface{netiftest.Interface(7, "eth1", netiftest.LANFlags, "fe80::2/64")}
		m := b.packet(&ZreMsg{id: HelloID, Endpoint: "tcp://[fe80::2]:9", Name: "peer"}, 0)
		m.Address = netip.MustParseAddr(from)
		b.z.receive(b.now, &m)
		if got := b.peer().endpoint; got != want {
			t.Errorf("a HELLO from %s leads to %q, want %q", from, got, want)
		}
	}
}

// A peer that speaks ZMTP 2, of which libzmq tells neither host nor connection, enters and is heard
// as any other.
func TestZyre_oldZMTP(t *testing.T) {
	z := newLoopbackNode(t, "new", freeUDPPort(t))
	old := newRawPeer(t, "old", "tcp://127.0.0.1:1")
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	if err := z.RequirePeer(uuidString(old.uuid), old.endpoint, ""); err != nil {
		t.Fatal(err)
	}
	mustStart(t, z)
	events := record(z)
	r, err := zmtp.DialOld(z.node.Load().binder.endpoints[0], appendIdentity(nil, old.uuid))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	say := func(sequence uint16, m *ZreMsg) {
		packet := packetOf(t, old.uuid, sequence, m)
		frames := zmtp.AppendFrame(nil, packet.Header, len(packet.Frames) > 0)
		for _, f := range packet.Frames {
			frames = zmtp.AppendFrame(frames, f, false)
		}
		if _, err := r.Write(frames); err != nil {
			t.Fatal(err)
		}
	}
	say(1, &ZreMsg{id: HelloID, Endpoint: old.endpoint, Name: "old"})
	events.wait(t, "ENTER old", 1)
	const count, size = 40, 100 << 10 // more than a stranger may have sent of one message
	for i := range count {
		say(uint16(i+2), &ZreMsg{id: WhisperID, Content: make([]byte, size)})
	}
	events.wait(t, "WHISPER old", count)
	if got := z.Stats().Dropped.ConnectionsCut; got != 0 {
		t.Errorf("%d connections were ended, want none", got)
	}
}
