package hosts

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
)

// reasonTime is how long it may take until a node says why it does not meet another.
const reasonTime = 15 * time.Second

// checkReason waits until a warning is in a node's Stats, once in its log, and in what it
// dumps.
func checkReason(t *testing.T, n *child.Node, pattern string) {
	t.Helper()
	in := regexp.MustCompile(pattern)
	within(t, reasonTime, n.Name+" says "+pattern, func() bool {
		told := slices.ContainsFunc(n.Stats().Warnings, func(w zyre.Warning) bool { return in.MatchString(w.Text) })
		return told && logged(n, "level=WARN.*"+pattern) > 0
	}, n)
	if got := logged(n, "level=WARN.*"+pattern); got != 1 {
		t.Errorf("%s has logged %q %d times, want once\n%s", n.Name, pattern, got, n)
	}
	checkDump(t, n, pattern+`.*: \d+ times, first `)
}

// checkDump fails the test unless a line of what a node dumps matches.
func checkDump(t *testing.T, n *child.Node, pattern string) {
	t.Helper()
	if dump := n.Dump(); !regexp.MustCompile(pattern).MatchString(dump) {
		t.Errorf("%q is not in the dump:\n%s", pattern, dump)
	}
}

// Who looks at a node that does not meet another, and that was given no logger, finds the
// reason in the log, in its Stats and in what it dumps.
func TestNet_reasons(t *testing.T) {
	type hosts = []*netns.Host
	plain := lifelike(child.Config{NoLogger: true})
	secure := func() child.Config {
		cfg := plain
		cfg.PublicKey, cfg.SecretKey = kit.KeyPair(t)
		return cfg
	}
	with := func(change func(cfg *child.Config)) child.Config {
		cfg := plain
		change(&cfg)
		return cfg
	}
	tests := []struct {
		name string
		run  func(t *testing.T, h hosts)
	}{
		{"one name", func(t *testing.T, h hosts) {
			cfg := with(func(c *child.Config) { c.Name = "same" })
			a := node(h[0], cfg)
			node(h[1], cfg)
			checkReason(t, a, "two nodes have the same name.*endpoint=tcp://10.78.0.2.*other_endpoint=tcp://10.78.0.1")
		}},
		{"one UUID and port", func(t *testing.T, h hosts) {
			cfg := with(func(c *child.Config) { c.UUID, c.PeerPort = "C0FFEE00C0FFEE00C0FFEE00C0FFEE00", 9000 })
			a, b := node(h[0], cfg), node(h[1], cfg)
			checkReason(t, a, "another node has this node's UUID.* endpoint=tcp://10.78.0.1:9000 other_endpoint=tcp://10.78.0.2:9000")
			checkReason(t, b, "another node has this node's UUID.* endpoint=tcp://10.78.0.2:9000 other_endpoint=tcp://10.78.0.1:9000")
		}},
		{"one UUID by gossip", func(t *testing.T, h hosts) {
			cfg := with(func(c *child.Config) { c.UUID = "C0FFEE00C0FFEE00C0FFEE00C0FFEE00" })
			cfg.GossipBind = "tcp://10.78.0.1:9999"
			a := node(h[0], cfg)
			cfg.GossipBind, cfg.GossipConnect = "", cfg.GossipBind
			b := node(h[1], cfg)
			checkReason(t, a, "another node has this node's UUID, and publishes it by gossip.* other_endpoint=tcp://10.78.0.2:")
			checkReason(t, b, "another node has this node's UUID, and publishes it by gossip.* other_endpoint=tcp://10.78.0.1:")
		}},
		{"plain and secure", func(t *testing.T, h hosts) {
			a, b := node(h[0], plain), node(h[1], secure())
			checkReason(t, a, "heard a node that is secure, and this one is plain.*address=10.78.0.2")
			checkReason(t, b, "heard a node that is plain, and this one is secure.*address=10.78.0.1")
		}},
		{"another version", func(t *testing.T, h hosts) {
			a := node(h[0], plain)
			h[1].Start("stranger").Beacon("stranger", child.BeaconConfig{
				Port: 5670, Interface: "eth0", Datagram: []byte("ZRE\x02UUIDuuidUUIDuuid\xc0\x00"),
			})
			checkReason(t, a, "beacons of another version.*address=10.78.0.2 version=2")
		}},
		{"another UDP port", func(t *testing.T, h hosts) {
			node(h[0], plain)
			b := node(h[1], with(func(c *child.Config) { c.Port = 5671 }))
			checkReason(t, b, "nodes on another UDP port.*address=10.78.0.1 port=5671 other_port=5670")
		}},
		{"UDP blocked on the host", func(t *testing.T, h hosts) {
			h[0].Filter(netns.In("udp dport 5670 drop"))
			a := node(h[0], plain)
			checkReason(t, a, "own beacons are not heard back.*interface=eth0 address=10.78.0.1 port=5670")
		}},
		{"TCP blocked", func(t *testing.T, h hosts) {
			h[1].Filter(netns.In("tcp flags & (syn|ack) == syn drop"))
			a, b := node(h[0], plain), node(h[1], plain)
			checkReason(t, a, `no answer to HELLO.*endpoint=tcp://10.78.0.2:\d+ .*for=1`)
			checkReason(t, b, `no answer to HELLO.*endpoint=tcp://10.78.0.1:\d+ .*for=1`)
			half := b.Stats().HalfOpenList
			if a := a.Stats(); len(half)+len(a.HalfOpenList) == 0 {
				t.Errorf("no half-open peer in Stats:\n%+v\n%+v", a, b.Stats())
			}
		}},
		{"no hub", func(t *testing.T, h hosts) {
			a := node(h[0], with(func(c *child.Config) { c.GossipConnect = "tcp://10.78.0.2:9999" }))
			checkReason(t, a, `a gossip hub does not answer.*endpoint=tcp://10.78.0.2:9999 .*for=1.*err="nothing answers`)
			checkDump(t, a, `gossip hub tcp://10.78.0.2:9999 at "tcp://10.78.0.2:9999" does not answer: nothing answers`)
		}},
		{"no such hub", func(t *testing.T, h hosts) {
			a := node(h[0], with(func(c *child.Config) { c.GossipConnect = "tcp://hub.nowhere:9999" }))
			checkReason(t, a, `a gossip hub does not answer.*endpoint=tcp://hub.nowhere:9999 .*err="the host name has no address`)
		}},
		{"no required peer", func(t *testing.T, h hosts) {
			a := node(h[0], with(func(c *child.Config) { c.Required = []child.Required{{Endpoint: "tcp://10.78.0.2:9999"}} }))
			checkReason(t, a, `no answer to HELLO.*endpoint=tcp://10.78.0.2:9999 .*for=1`)
			if half := a.Stats().HalfOpenList; len(half) != 1 || half[0].Endpoint != "tcp://10.78.0.2:9999" || half[0].Since.IsZero() {
				t.Errorf("HalfOpenList = %+v, want the required peer, and since when", half)
			}
			checkDump(t, a, `half open: \w+ tcp://10.78.0.2:9999 for \d+s`)
		}},
		{"no such required peer", func(t *testing.T, h hosts) {
			a := node(h[0], with(func(c *child.Config) {
				c.Required = []child.Required{{UUID: "00112233445566778899AABBCCDDEEFF", Endpoint: "tcp://peer.nowhere:9999"}}
			}))
			checkReason(t, a, `a required peer's host name has no address.*endpoint=tcp://peer.nowhere:9999 peer=00112233445566778899AABBCCDDEEFF`)
		}},
		{"gossip tells of an address of loopback", func(t *testing.T, h hosts) {
			a := node(h[0], with(func(c *child.Config) { c.GossipBind = "tcp://10.78.0.1:9999" }))
			b := node(h[1], with(func(c *child.Config) {
				c.GossipConnect, c.Endpoint = "tcp://10.78.0.1:9999", "tcp://127.0.0.1:*"
			}))
			checkReason(t, a, "endpoint that cannot be used from here.*peer="+b.UUID+" endpoint=tcp://127.0.0.1")
			checkReason(t, b, "this node announces a loopback address")
		}},
		{"key not authorized", func(t *testing.T, h hosts) {
			cfg := secure()
			cfg.Authorized = []string{cfg.PublicKey}
			a := node(h[0], cfg)
			other := secure()
			b := node(h[1], other)
			whose := `key="?` + regexp.QuoteMeta(other.PublicKey)
			checkReason(t, a, "refused: the key is not the right one.* what=sighting peer="+b.UUID+".*"+whose)
			checkReason(t, a, "refused: the key is not the right one.* what=connection .*address=10.78.0.2 "+whose)
			checkReason(t, b, `no answer to HELLO.*it may refuse this node's key.*endpoint=tcp://10.78.0.1`)
		}},
		{"key not authorized at the hub", func(t *testing.T, h hosts) {
			cfg, other := secure(), secure()
			cfg.Authorized, cfg.GossipBind = []string{cfg.PublicKey}, "tcp://10.78.0.1:9999"
			other.HubKey, other.GossipConnect = cfg.PublicKey, cfg.GossipBind
			a, b := node(h[0], cfg), node(h[1], other)
			checkReason(t, a, `refused: the key is not the right one.* what=connection .*address=10.78.0.2 key="?`+regexp.QuoteMeta(other.PublicKey))
			checkReason(t, b, `a gossip hub does not answer.*endpoint=tcp://10.78.0.1:9999 .*err="the hub refused this node's key"`)
			checkDump(t, b, `gossip hub tcp://10.78.0.1:9999 .* does not answer: the hub refused this node's key`)
		}},
		{"two interfaces", func(t *testing.T, h hosts) {
			h[0].Connect("lan", "eth1", "10.79.0.1/24")
			a := node(h[0], plain)
			checkReason(t, a, "no peer met yet: another interface may be the right one.*interface=eth0 address=10.78.0.1 .*others=.*eth1")
			if in := a.Stats().Interfaces; len(in) != 1 || in[0].Name != "eth0" || in[0].Address != "10.78.0.1" || in[0].Reason == "" {
				t.Errorf("Interfaces = %+v, want eth0 and why", in)
			}
			checkDump(t, a, `interface "eth0" 10.78.0.1: .+`)
		}},
		{"no network", func(t *testing.T, h hosts) {
			h[0].Down("eth0")
			h[0].Down("lo")
			a := node(h[0], plain)
			checkReason(t, a, "no interface for beacons, waiting for one.*reason=\"no interface is up\"")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, netns.NewLAN(t, "a", "b"))
		})
	}
}

// A healthy network causes no warning.
func TestNet_noWarnings(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "c")
	cfg := lifelike(child.Config{})
	a, b := node(h[0], cfg), node(h[1], cfg)
	alone := node(h[2], lifelike(child.Config{Port: 5671}))
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	checkReason(t, alone, "nodes on another UDP port") // the time has passed in which others would warn
	for _, n := range []*child.Node{a, b} {
		if w := n.Stats().Warnings; len(w) > 0 || logged(n, "level=WARN") > 0 {
			t.Errorf("%s warns: %+v", n.Name, w)
		}
	}
}
