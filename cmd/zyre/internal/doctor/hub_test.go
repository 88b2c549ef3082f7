package doctor

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/go-zyre/zyre/internal/zgossip"
)

// Of what hubs tell only nodes are kept, with the latest endpoint of each.
func TestHubWatch_take(t *testing.T) {
	a, b := uuidOf("A"), uuidOf("B")
	for _, c := range []struct {
		name   string
		tuples []zgossip.Tuple
		want   map[string]string
	}{
		{"plain", []zgossip.Tuple{{Key: a, Value: "tcp://10.0.0.9:5"}}, map[string]string{a: "tcp://10.0.0.9:5"}},
		{"secure", []zgossip.Tuple{{Key: a, Value: "tcp://10.0.0.9:5|key"}}, map[string]string{a: "tcp://10.0.0.9:5"}},
		{"it moves", []zgossip.Tuple{{Key: a, Value: "tcp://10.0.0.9:5"}, {Key: a, Value: "tcp://10.0.0.9:6"}}, map[string]string{a: "tcp://10.0.0.9:6"}},
		{"it is gone", []zgossip.Tuple{{Key: a, Value: "x"}, {Key: b, Value: "y"}, {Key: a, Gone: true}}, map[string]string{b: "y"}},
		{"it has no endpoint any more", []zgossip.Tuple{{Key: a, Value: "x"}, {Key: a, Value: "|key"}}, nil},
		{"lower case", []zgossip.Tuple{{Key: uuidOf("a"), Value: "x"}}, map[string]string{a: "x"}},
		{"what another program publishes", []zgossip.Tuple{{Key: "x", Value: "y"}, {Key: a[1:], Value: "y"}, {Key: uuidOf("x"), Value: "y"}}, nil},
	} {
		w := &hubWatch{tuples: map[string]string{}}
		for _, tuple := range c.tuples {
			w.take(tuple)
		}
		if got := w.endpoints(); !maps.Equal(got, c.want) {
			t.Errorf("%s: endpoints() = %v, want %v", c.name, got, c.want)
		}
	}
}

// What hubs tell of a node is taken in, unless it is this one or at a host that is not looked at.
func TestExamination_addGossip(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.9:5")
	x := newExamination(t, Config{PublicKey: "key", Against: []netip.Addr{at.Addr()}})
	x.probes.results[at] = &probe{state: tcpOpen, mechanism: "CURVE"}
	known := x.report.addNode(uuidOf("B"))
	known.Source = "beacon"
	x.addGossip(&hubWatch{tuples: map[string]string{
		x.ownUUID(): "tcp://10.0.0.9:4",
		uuidOf("A"): "tcp://10.0.0.9:5",
		uuidOf("B"): "tcp://10.0.0.9:5",
		uuidOf("C"): "tcp://10.0.0.8:5",
		uuidOf("D"): "ipc:///tmp/x",
	}})
	for uuid, want := range map[string]Node{
		uuidOf("A"): {Source: "gossip", Secure: true, Endpoint: "tcp://10.0.0.9:5", TCP: tcpOpen, Mechanism: "CURVE"},
		uuidOf("B"): {Source: "beacon", Endpoint: "tcp://10.0.0.9:5", TCP: tcpOpen, Mechanism: "CURVE"},
		uuidOf("D"): {Source: "gossip", Secure: true, Endpoint: "ipc:///tmp/x"},
	} {
		n := x.report.node(uuid)
		if n == nil || n.Source != want.Source || n.Secure != want.Secure || n.Endpoint != want.Endpoint || n.TCP != want.TCP || n.Mechanism != want.Mechanism {
			t.Errorf("node %.6s = %+v, want %+v", uuid, n, want)
		}
	}
	if len(x.report.Nodes) != 3 {
		t.Errorf("%d nodes, want 3", len(x.report.Nodes))
	}
}

func TestExamination_judgeHub(t *testing.T) {
	plain, keyed := Hub{Endpoint: "tcp://10.0.0.2:9999"}, Hub{Endpoint: "tcp://10.0.0.2:9999", Key: "hub key"}
	for _, c := range []struct {
		name      string
		hub       Hub
		state     HubState
		isNumeric bool
		want      string
		says      string
	}{
		{"up", plain, HubState{Up: true, TCP: tcpSilent}, true, "", ""},
		{"no such name", Hub{Endpoint: "tcp://nobody:9999"}, HubState{Error: "no such host"}, false, "hub-name", "cannot be looked up: no such host"},
		{"down", plain, HubState{TCP: tcpRefused}, true, "hub-down", "zyre hub tcp://*:9999"},
		{"down, of IPv6", Hub{Endpoint: "tcp://[fd00::2]:9999"}, HubState{TCP: tcpRefused}, true, "hub-down", "zyre hub tcp://*:9999"},
		{"no answer", plain, HubState{TCP: tcpSilent}, true, "hub-unreachable", "a firewall drops the connection"},
		{"no way", plain, HubState{TCP: tcpUnreachable}, true, "hub-unreachable", "there is no such host"},
		{"something else", plain, HubState{TCP: notZeroMQ}, true, "hub-foreign", "does not speak ZeroMQ"},
		{"secure, without its key", plain, HubState{TCP: tcpOpen, Mechanism: "CURVE"}, true, "hub-secure", "its public key is not known here"},
		{"secure, with a wrong key", keyed, HubState{TCP: tcpOpen, Mechanism: "CURVE"}, true, "hub-key", "does not let this node in"},
		{"plain, with a key", keyed, HubState{TCP: tcpOpen, Mechanism: "NULL"}, true, "hub-plain", "a key for it was given"},
		{"no hub", plain, HubState{TCP: tcpOpen, Mechanism: "NULL"}, true, "hub-silent", "may be that of a node"},
		{"on this host", Hub{Endpoint: "ipc:///tmp/hub"}, HubState{}, false, "hub-silent", "ipc:///tmp/hub"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExamination(t, Config{})
			x.judgeHub(c.hub, &c.state, c.isNumeric)
			x.checkFaults(t, c.want, c.says)
			if c.want != "" {
				x.checkFaults(t, c.want, "the gossip hub "+c.hub.Endpoint)
			}
		})
	}
}
