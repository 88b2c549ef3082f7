package zyre

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/zgossip"
)

// Endpoints that mean something to one host only are believed by nodes whose application
// uses such.
func TestNode_localEndpoints(t *testing.T) {
	lan, host := "tcp://10.0.0.7:9", "tcp://127.0.0.1:9"
	for name, c := range map[string]struct {
		change func(cfg *config)
		taken  bool
	}{
		"beacons":            {func(*config) {}, false},
		"gossip":             {func(cfg *config) { cfg.gossip.binds = []string{"tcp://*:*"} }, false},
		"endpoint":           {func(cfg *config) { cfg.endpoint = "tcp://10.0.0.1:*" }, false},
		"required":           {func(cfg *config) { cfg.require(requiredPeer{endpoint: lan}) }, false},
		"local hub":          {func(cfg *config) { cfg.gossip.hubs = []gossipHub{{endpoint: "tcp://localhost:9"}} }, true},
		"ipc hub":            {func(cfg *config) { cfg.gossip.binds = []string{"ipc://hub"} }, true},
		"local endpoint":     {func(cfg *config) { cfg.endpoint = "tcp://127.0.0.1:*" }, true},
		"IPv6":               {func(cfg *config) { cfg.endpoint = "tcp://[::1]:*" }, true},
		"inproc":             {func(cfg *config) { cfg.endpoint = "inproc://a" }, true},
		"local and required": {func(cfg *config) { cfg.require(requiredPeer{endpoint: host}) }, true},
	} {
		n := newSim(t, 1).node(func(cfg *config, _ *simSite) { c.change(cfg) }).n
		for _, endpoint := range []string{lan, host, "tcp://[::1]:9", "ipc:///run/a", "inproc://a"} {
			_, err := n.zre.location.reachable(endpoint)
			if taken := err == nil; taken != (c.taken || endpoint == lan) {
				t.Errorf("%s: reachable(%s) = %v", name, endpoint, err)
			}
		}
	}
}

// Whatever gossip tells, what a node keeps and tries is bounded, and ends with it.
func TestNode_hostileTuples(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(func(cfg *config, _ *simSite) { cfg.gossip.binds = []string{"tcp://*:*"} })
	b := s.node(nil)
	s.run(2 * time.Second)
	tell := func(key, value string, gone bool) {
		a.n.tuple(s.now, zgossip.Tuple{Key: key, Value: value, Gone: gone})
	}
	for _, key := range []string{"", "x", strings.Repeat("Z", 32), a.n.zre.id, uuidString(b.uuid), uuidString([16]byte{9})} {
		for _, value := range []string{
			"", "|", "x", "|key", "tcp://", "tcp://10.0.0.9:0", "tcp://*:*", "ipc:///run/x", "tcp://127.0.0.1:1",
			a.endpoint, b.endpoint, a.endpoint + "|x", "tcp://10.0.0.9:9|", "tcp://no.invalid:1|||", strings.Repeat("v", 1024),
		} {
			tell(key, value, false)
			tell(key, value, true)
			if err := simInvariants(a.n); err != nil {
				t.Fatalf("tuple %q = %q: %v", key, value, err)
			}
		}
	}
	many := func(gone bool) {
		for i := range maxKnownNodes + 2000 {
			tell(fmt.Sprintf("%032X", i+1), fmt.Sprintf("tcp://10.9.%d.%d:9", i/250, i%250), gone)
		}
	}
	many(false)
	s.run(time.Minute)
	if half := len(a.n.zre.peers) - a.n.zre.entered; len(a.n.zre.known) > maxKnownNodes || half > maxHalfOpen {
		t.Errorf("%d known nodes, %d half open, want at most %d and %d", len(a.n.zre.known), half, maxKnownNodes, maxHalfOpen)
	}
	many(true)
	if len(a.n.zre.known) != 0 || len(a.n.zre.peers) != 1 {
		t.Errorf("%d known nodes, %d peers after all are gone, want 0 and 1", len(a.n.zre.known), len(a.n.zre.peers))
	}
	if n := a.count("ENTER", b.uuid); n != 1 || len(a.history) != 1 {
		t.Errorf("history = %q, want one ENTER", a.history)
	}
}
