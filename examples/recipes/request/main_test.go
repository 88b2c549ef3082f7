package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// startClient starts a node and gives its events to a client.
func startClient(t *testing.T, network *zyretest.Network, name string, answer func(request string) string) *client {
	t.Helper()
	c := newClient(network.NewNode(name), answer)
	c.node.Join("clock")
	if err := c.node.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for e := range c.node.Events() {
			c.handle(e)
		}
	}()
	return c
}

func TestClient_ask(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(request string) string
		then   func(network *zyretest.Network, bob *zyre.Zyre) // after the request has gone out
		want   string
		err    error
		after  time.Duration // at the most
	}{
		"reply":     {func(r string) string { return "re: " + r }, nil, "re: hello", nil, time.Second},
		"exit":      {nil, func(_ *zyretest.Network, bob *zyre.Zyre) { bob.Stop() }, "", errGone, time.Second},
		"killed":    {nil, func(n *zyretest.Network, bob *zyre.Zyre) { n.Kill(bob) }, "", errGone, 32 * time.Second},
		"no answer": {nil, func(*zyretest.Network, *zyre.Zyre) {}, "", context.DeadlineExceeded, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t)
				asked, closed := make(chan struct{}, 1), make(chan struct{})
				t.Cleanup(func() { close(closed) })
				answer := c.answer
				if answer == nil { // it never comes to an answer
					answer = func(string) string { asked <- struct{}{}; <-closed; return "" }
				}
				alice, bob := startClient(t, network, "alice", nil), startClient(t, network, "bob", answer)
				if err := alice.node.WaitPeers(t.Context(), "clock", 1); err != nil {
					t.Fatal(err)
				}
				if c.then != nil {
					go func() { <-asked; c.then(network, bob.node) }()
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				got, err := alice.ask(ctx, bob.node.UUID(), "hello")
				if got != c.want || !errors.Is(err, c.err) || time.Since(start) > c.after {
					t.Errorf("ask() = %q, %v after %v, want %q, %v, within %v", got, err, time.Since(start), c.want, c.err, c.after)
				}
				if len(alice.waiting) != 0 {
					t.Errorf("%d calls are left", len(alice.waiting))
				}
			})
		})
	}
}

// A request to nobody fails at once, and a reply of somebody else is none.
func TestClient_strangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		alice, bob := startClient(t, network, "alice", nil), startClient(t, network, "bob", nil)
		if _, err := alice.ask(t.Context(), bob.node.UUID()+"x", "hello"); !errors.Is(err, zyre.ErrUnknownPeer) {
			t.Errorf("ask(nobody) = %v, want %v", err, zyre.ErrUnknownPeer)
		}
		reply := make(chan result, 1)
		alice.waiting[7] = call{bob.node.UUID(), reply}
		for _, e := range []*zyre.Event{
			{Type: zyre.EventWhisper, PeerUUID: "MALLORY", Frames: [][]byte{[]byte("reply"), []byte("7"), []byte("x")}},
			{Type: zyre.EventWhisper, PeerUUID: bob.node.UUID(), Frames: [][]byte{[]byte("reply"), []byte("8"), []byte("x")}},
			{Type: zyre.EventWhisper, PeerUUID: bob.node.UUID(), Frames: [][]byte{[]byte("reply"), []byte("seven"), []byte("x")}},
			{Type: zyre.EventWhisper, PeerUUID: bob.node.UUID(), Frames: [][]byte{[]byte("reply")}},
		} {
			alice.handle(e)
		}
		if len(reply) != 0 {
			t.Errorf("%v was taken for a reply", <-reply)
		}
		alice.handle(&zyre.Event{Type: zyre.EventStop})
		if r := <-reply; !errors.Is(r.err, zyre.ErrNotRunning) {
			t.Errorf("after STOP: %v, want %v", r.err, zyre.ErrNotRunning)
		}
	})
}
