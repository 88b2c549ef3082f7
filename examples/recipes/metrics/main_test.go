package main

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/go-zyre/zyre"
)

// Prometheus sees what the node has counted at the moment at which it asks.
func TestCollector(t *testing.T) {
	alice, bob := localNode(t, "alice"), localNode(t, "bob")
	if err := bob.RequirePeer("", alice.Endpoint(), ""); err != nil {
		t.Fatal(err)
	}
	for e := range bob.Events() {
		if e.Type == zyre.EventEnter {
			break
		}
	}
	for range 3 {
		if err := bob.WhisperContext(t.Context(), alice.UUID(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	bob.Whispers("nobody", "hello")
	want := `
# HELP zyre_peers See Stats of github.com/go-zyre/zyre.
# TYPE zyre_peers gauge
zyre_peers{node="bob"} 1
# HELP zyre_whispers_sent_total See Stats of github.com/go-zyre/zyre.
# TYPE zyre_whispers_sent_total counter
zyre_whispers_sent_total{node="bob"} 3
# HELP zyre_paused See Stats of github.com/go-zyre/zyre.
# TYPE zyre_paused gauge
zyre_paused{node="bob"} 0
`
	if err := testutil.CollectAndCompare(newCollector(bob), strings.NewReader(want),
		"zyre_peers", "zyre_whispers_sent_total", "zyre_paused"); err != nil {
		t.Error(err)
	}
}

// The names are those that Prometheus asks for, none comes twice, and none is missing.
func TestCollector_names(t *testing.T) {
	c := newCollector(zyre.NewZyre(context.Background()).SetName("alice"))
	if err := prometheus.NewPedanticRegistry().Register(c); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	for _, name := range []string{
		"zyre_dropped_malformed_total", "zyre_beacon_sent_total", "zyre_gossip_tuples",
		// those of docs/recipes.md
		"zyre_peers", "zyre_paused", "zyre_held_bytes", "zyre_pushed_back_total", "zyre_gaps_total", "zyre_beacon_send_errors_total",
	} {
		if n := testutil.CollectAndCount(c, name); n != 1 {
			t.Errorf("%d metrics are named %s, want 1", n, name)
		}
	}
}

// localNode starts a node that nobody outside this process can meet.
func localNode(t *testing.T, name string) *zyre.Zyre {
	t.Helper()
	node := zyre.NewZyre(t.Context()).SetName(name).SetInterface("lo")
	if err := node.SetEndpoint("inproc://metrics-%s", name); err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Stop)
	return node
}
