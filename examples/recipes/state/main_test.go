package main

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/zyretest"
)

func startShared(t *testing.T, network *zyretest.Network, name string) *shared {
	t.Helper()
	s := newShared(network.NewNode(name), "state")
	if err := s.node.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for e := range s.node.Events() {
			s.handle(e)
		}
	}()
	return s
}

// settle lets all that was sent arrive.
func settle() {
	synctest.Wait()             // panics outside a bubble, where time is real
	time.Sleep(3 * time.Second) //nolint:forbidigo // it takes no time
	synctest.Wait()
}

func checkState(t *testing.T, when string, nodes ...*shared) {
	t.Helper()
	want := map[string]map[string]string{}
	for _, s := range nodes {
		want[s.node.UUID()] = s.own
	}
	for _, s := range nodes {
		if got := s.all(); !maps.EqualFunc(got, want, maps.Equal) {
			t.Errorf("%s: %s has %v, want %v", when, s.node.Name(), got, want)
		}
	}
}

// Whoever joins gets the state of all, and then the changes; whoever goes takes its own
// part along.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		alice, bob := startShared(t, network, "alice"), startShared(t, network, "bob")
		alice.set("light", "on")
		bob.set("door", "open")
		settle()
		checkState(t, "two", alice, bob)
		carol := startShared(t, network, "carol")
		for i := range 1000 { // changes go on while the newcomer is greeted
			alice.set("count", fmt.Sprint(i))
		}
		settle()
		checkState(t, "a newcomer", alice, bob, carol)
		network.Break(alice.node, carol.node)
		alice.set("light", "off")
		settle()
		settle()
		checkState(t, "after messages were lost", alice, bob, carol)
		bob.node.Stop()
		settle()
		checkState(t, "one has left", alice, carol)
		carol.node.Leave("state")
		settle()
		checkState(t, "the other has left the group", alice)
	})
}
