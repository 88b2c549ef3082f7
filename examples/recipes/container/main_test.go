package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// env is an environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

// What is in the environment acts, and a node without any meets others by beacons.
func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := map[string]*zyre.Zyre{}
		for _, e := range []env{
			{"ZYRE_NAME": "plain"},
			{"ZYRE_NAME": "fixed", "ZYRE_GROUPS": "hall,kitchen", "ZYRE_PORT": "49152"},
		} {
			node := startWith(t, network.NewNode(""), e)
			nodes[node.Name()] = node
		}
		plain, fixed := nodes["plain"], nodes["fixed"]
		if err := plain.WaitPeers(t.Context(), "kitchen", 1); err != nil {
			t.Fatal(err)
		}
		if p, _ := plain.Peer(fixed.UUID()); p.Name != "fixed" || !strings.HasSuffix(p.Endpoint, ":49152") {
			t.Errorf("the other node is %+v, want fixed at port 49152", p)
		}
	})
}

// Where no beacon passes nodes are met by address, at the endpoint that they advertise.
func TestConfigure_withoutBeacons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		network.SetLoss(1)
		first := startWith(t, network.NewNode(""), env{})
		second := startWith(t, network.NewNode(""), env{"ZYRE_PEERS": first.Endpoint()})
		if err := second.WaitPeers(t.Context(), "", 1); err != nil {
			t.Error(err)
		}
		const outside = "tcp://203.0.113.5:49152"
		if got := startWith(t, network.NewNode(""), env{"ZYRE_ADVERTISE": outside}).Endpoint(); got != outside {
			t.Errorf("the endpoint told is %s, want %s", got, outside)
		}
	})
}

// Nodes find each other through a hub, and send no beacons then.
func TestConfigure_hub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		hub := startWith(t, network.NewNode(""), env{"ZYRE_NAME": "hub", "ZYRE_HUB_BIND": "tcp://*:9999"})
		node := startWith(t, network.NewNode(""), env{"ZYRE_HUBS": "tcp://hub:9999"})
		if err := node.WaitPeers(t.Context(), "", 1); err != nil {
			t.Error(err)
		}
		if sent := hub.Stats().Beacon.Sent + node.Stats().Beacon.Sent; sent != 0 {
			t.Errorf("%d beacons were sent, want none", sent)
		}
	})
}

// startWith starts a node as an environment says.
func startWith(t *testing.T, node *zyre.Zyre, e env) *zyre.Zyre {
	t.Helper()
	if err := errors.Join(configure(node, e.get), node.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Stop)
	return node
}

func TestConfigure_faults(t *testing.T) {
	for name, e := range map[string]env{
		"port":      {"ZYRE_PORT": "many"},
		"peer":      {"ZYRE_PEERS": "nowhere"},
		"advertise": {"ZYRE_ADVERTISE": "nowhere"},
		"hub":       {"ZYRE_HUBS": "nowhere"},
	} {
		synctest.Test(t, func(t *testing.T) {
			node := zyretest.NewNetwork(t).NewNode("")
			if err := configure(node, e.get); err == nil {
				err = node.Start()
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			}
		})
	}
}

// The variables of compose.yaml are those that the program knows.
func TestCompose(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.FieldsFunc(string(compose), func(r rune) bool { return r == ' ' || r == ':' || r == '{' || r == '\n' }) {
		if strings.HasPrefix(word, "ZYRE_") && !strings.Contains(string(source), `"`+word+`"`) {
			t.Errorf("compose.yaml sets %s, which the program does not read", word)
		}
	}
}
