package doctor

import (
	"net/netip"
	"testing"
	"time"
)

// heardAt is a sighting of a node that a socket got.
func heardAt(addr string, ifIndex int) sighting {
	return sighting{
		uuid: uuidOf("A"), version: versionPlain, tcpPort: 5, addr: netip.MustParseAddr(addr), ifIndex: ifIndex, udpPort: 5670,
		received: true, count: 2, last: time.Now(),
	}
}

// seenAt is a sighting on the wire only.
func seenAt(addr string, ifIndex int) sighting {
	s := heardAt(addr, ifIndex)
	s.received = false
	return s
}

// Each thing that keeps a node and this host apart is found by what it shows.
func TestExamination_judgeNodes(t *testing.T) {
	plain, secure := Config{Beaconing: true}, Config{Beaconing: true, PublicKey: "own key"}
	restricted := Config{Beaconing: true, PublicKey: "own key", Restricted: true, Authorized: []string{"friend"}}
	well := Node{Entered: true, Answered: true, TCP: tcpOpen}
	beaconing := func(n Node) Node { n.Source = "beacon"; return n }
	gossip := func(n Node) Node { n.Source = "gossip"; return n }
	const near, far = "10.0.0.9", "10.9.0.9"
	other := heardAt(near, onEth)
	other.udpPort = 5671
	once := seenAt(near, onEth)
	once.count = 1
	for _, c := range []struct {
		name   string
		config Config
		node   Node
		heard  sighting
		want   string
		says   string
	}{
		{"well", plain, well, heardAt(near, onEth), "", ""},
		{"well, but a firewall drops its beacons", plain, well, seenAt(near, onEth), "udp-in", "on eth0, and do not pass its firewall"},
		{"the same, and beacons do not matter", Config{}, well, seenAt(near, onEth), "", ""},
		{"it hangs", plain, Node{Entered: true, TCP: tcpOpen}, heardAt(near, onEth), "silent", "does not answer PING"},
		{"it lets nobody in", plain, Node{Entered: true, TCP: tcpSilent}, heardAt(near, onEth), "tcp-out", "cannot be reached"},
		{"it refuses", plain, Node{Entered: true, TCP: tcpRefused}, heardAt(near, onEth), "tcp-out", "refuses connections"},

		{"beacons that are not used here", Config{}, beaconing(Node{}), heardAt(near, onEth), "", ""},
		{"another UDP port", plain, beaconing(Node{}), other, "other-port", "uses UDP port 5671 for its beacons, and this host 5670"},
		{"another subnet, on the wire only", plain, beaconing(Node{}), seenAt(far, onEth), "other-subnet", "(10.0.0.0/24)"},
		{"another subnet", plain, beaconing(Node{TCP: tcpSilent}), heardAt(far, onEth), "other-subnet", "(10.0.0.0/24)"},
		{"another subnet, with a way there", plain, beaconing(Node{TCP: tcpOpen, Mechanism: "NULL"}), heardAt(far, onEth), "tcp-in", ""},
		{"another address of this host", plain, beaconing(Node{TCP: tcpRefused}), heardAt("10.1.0.1", onEth), "tcp-both", ""},
		{"a firewall drops its beacons", plain, beaconing(Node{}), seenAt(near, onEth), "udp-in", "let UDP port 5670 in"},
		{"a beacon on the wire that may still be read", plain, beaconing(Node{}), once, "", ""},
		{"loopback only", plain, beaconing(Node{}), heardAt("127.0.0.1", onLo), "loopback", "keeps to loopback"},
		{"another interface", plain, beaconing(Node{}), heardAt("10.1.0.9", onWlan), "wrong-interface", "is heard on wlan0, and a node here would use eth0"},

		{"it is secure", plain, beaconing(Node{Secure: true, TCP: tcpOpen}), heardAt(near, onEth), "plain-secure", "a node here would be plain"},
		{"it is plain", secure, beaconing(Node{TCP: tcpOpen}), heardAt(near, onEth), "plain-secure", "a node here would be secure"},
		{"its port is secure", plain, gossip(Node{TCP: tcpOpen, Mechanism: "CURVE"}), sighting{}, "plain-secure", "a node here would be plain"},
		{"its port is plain", secure, gossip(Node{Secure: true, TCP: tcpOpen, Mechanism: "NULL"}), sighting{}, "plain-secure", "a node here would be secure"},
		{"its key is not let in", restricted, beaconing(Node{Secure: true, Key: "stranger", TCP: tcpOpen, Mechanism: "CURVE"}), heardAt(near, onEth),
			"key", "has a key that this host does not let in: stranger"},
		{"this key is not let in", restricted, beaconing(Node{Secure: true, Key: "friend", TCP: tcpOpen, Mechanism: "CURVE"}), heardAt(near, onEth),
			"key", "its key is own key"},
		{"the same, where all are let in here", secure, beaconing(Node{Secure: true, Key: "stranger", TCP: tcpOpen, Mechanism: "CURVE"}), heardAt(near, onEth),
			"key", "does not let the key of this host in"},

		{"TCP does not come in", plain, beaconing(Node{TCP: tcpOpen, Mechanism: "NULL"}), heardAt(near, onEth), "tcp-in", "cannot connect to this host at 10.0.0.1:49152"},
		{"TCP passes neither way", plain, beaconing(Node{TCP: tcpSilent}), heardAt(near, onEth), "tcp-both", "cannot be reached (no answer)"},
		{"nothing there", plain, beaconing(Node{TCP: tcpRefused}), heardAt(near, onEth), "tcp-both", "refuses connections"},
		{"something else there", plain, gossip(Node{TCP: notZeroMQ}), sighting{}, "not-zeromq", "does not speak ZeroMQ"},
		{"an endpoint of another host", plain, gossip(Node{Endpoint: "ipc:///tmp/x"}), sighting{}, "endpoint", "ipc:///tmp/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExamination(t, c.config)
			n := c.node
			n.UUID = uuidOf("A")
			if c.heard.uuid != "" {
				n.sightings, n.Address, n.UDPPort = []sighting{c.heard}, c.heard.addr.String(), c.heard.udpPort
				n.Interface, n.Endpoint = x.host[c.heard.ifIndex-onLo].Name, "tcp://"+netip.AddrPortFrom(c.heard.addr, c.heard.tcpPort).String()
			}
			x.report.Nodes = []*Node{&n}
			x.judgeNodes()
			x.checkFaults(t, c.want, c.says)
			if told := len(x.report.Facts) == 1; told != (n.Source == "beacon" && !c.config.Beaconing) {
				t.Errorf("facts %+v, want one if beacons are not used here", x.report.Facts)
			}
		})
	}
	x := newExamination(t, plain)
	x.links = nil
	x.report.Nodes = []*Node{{UUID: uuidOf("A"), Source: "beacon", sightings: []sighting{heardAt(near, onEth)}, Address: near}}
	x.judgeNodes()
	x.checkFaults(t, "") // why no node starts here was said before
	x.heard.add(beacon(7, 1, 9), netip.MustParseAddr(near), onEth, x.Port, true)
	x.judgeNodes()
	x.checkFaults(t, "version", near+" (version 7")
}

// Nodes that have one name, or one UUID, are told apart by where they are.
func TestExamination_judgeNames(t *testing.T) {
	x := newExamination(t, Config{})
	for digit, name := range map[string]string{"A": "twin", "B": "twin", "C": "single", "D": "", "E": ""} {
		n := x.report.addNode(uuidOf(digit))
		n.Name, n.Endpoint = name, "tcp://10.0.0.9:"+digit
	}
	x.judgeNames()
	x.checkFaults(t, "same-name", "2 nodes are called twin: AAAAAA at 10.0.0.9:A, BBBBBB at 10.0.0.9:B")

	at := func(addr string, port uint16) sighting {
		s := heardAt(addr, onEth)
		s.tcpPort = port
		return s
	}
	old, once := at("10.0.0.8", 6), at("10.0.0.8", 6)
	old.last = time.Now().Add(-time.Minute)
	once.count = 1
	for _, c := range []struct {
		name  string
		other sighting
		want  string
	}{
		{"two hosts", at("10.0.0.8", 6), "same-uuid"},
		{"two processes", at("10.0.0.9", 6), "same-uuid"},
		{"one node on two networks", at("10.1.0.9", 5), ""},
		{"it has moved", old, ""},
		{"heard but once", once, ""},
	} {
		x := newExamination(t, Config{})
		x.report.addNode(uuidOf("A")).sightings = []sighting{at("10.0.0.9", 5), c.other}
		x.judgeNames()
		t.Run(c.name, func(t *testing.T) { x.checkFaults(t, c.want) })
	}
}

// This host's own beacons come back to it, or something is wrong.
func TestExamination_judgeOwn(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		heard  func(x *examination) []*sighting
		want   string
	}{
		{"they come", Config{Beaconing: true}, func(x *examination) []*sighting { return []*sighting{{uuid: x.ownUUID(), received: true}} }, ""},
		{"they do not", Config{Beaconing: true}, func(*examination) []*sighting { return nil }, "own-beacon"},
		{"they do on the wire", Config{Beaconing: true}, func(x *examination) []*sighting { return []*sighting{{uuid: x.ownUUID()}} }, "own-beacon"},
		{"another's do", Config{Beaconing: true}, func(*examination) []*sighting { return []*sighting{{uuid: uuidOf("A"), received: true}} }, "own-beacon"},
		{"there are none", Config{}, func(*examination) []*sighting { return nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExamination(t, c.config)
			x.heard.all = c.heard(x)
			x.judgeOwn()
			x.checkFaults(t, c.want)
		})
	}
}

// If nobody is heard, and no fault explains it, it is said what may be behind it.
func TestExamination_judgeSilence(t *testing.T) {
	hub := []Hub{{Endpoint: "tcp://10.0.0.2:9999"}}
	near, far := []netip.Addr{netip.MustParseAddr("10.0.0.9")}, []netip.Addr{netip.MustParseAddr("10.9.0.9")}
	for _, c := range []struct {
		name   string
		config Config
		before string // a fault that was found before
		want   string
		says   string
	}{
		{"nobody", Config{Beaconing: true}, "", "no-others", "was heard on eth0 within 0s"},
		{"what the host runs in", Config{Beaconing: true}, "", "no-others", "this host is WSL: broadcasts do not reach it"},
		{"nobody at the hub", Config{Hubs: hub}, "", "no-others", "no other node is connected to the gossip hub"},
		{"no way to be found", Config{}, "", "no-others", "without beacons or gossip"},
		{"not the one looked at", Config{Target: "bob", Against: near}, "", "against", "nothing is heard of bob"},
		{"that is elsewhere", Config{Target: "bob", Against: far}, "", "against", "nothing is heard of bob, which is not in the subnet of this host"},
		{"a fault explains it", Config{Beaconing: true}, "own-beacon", "own-beacon", ""},
		{"a fault that does not", Config{Beaconing: true}, "descriptors", "descriptors no-others", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExamination(t, c.config)
			x.around = []string{"WSL: broadcasts do not reach it"}
			if c.before != "" {
				x.report.fault(c.before, "what", "do")
			}
			x.judgeSilence()
			x.checkFaults(t, c.want, c.says)
		})
	}
	x := newExamination(t, Config{Beaconing: true})
	x.report.addNode(uuidOf("A"))
	x.judgeSilence()
	x.checkFaults(t, "")
}
