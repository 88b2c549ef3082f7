//go:build unix

package process

import (
	"strings"
	"testing"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Whether two nodes are in one process, and connect by inproc, or in two, and connect by
// TCP, makes no difference to what they see.
func TestInproc_nodes(t *testing.T) {
	port := 0
	for name, startBob := range map[string]func(t *testing.T) (l *watch.Log, uuid string, shout, stop func()){
		"inproc": func(t *testing.T) (l *watch.Log, uuid string, shout, stop func()) {
			z := kit.NewNode(t, "bob", port)
			z.Join("g")
			return watch.Start(t, z), z.UUID(), func() { z.Shouts("g", "to all") }, z.Stop
		},
		"tcp": func(t *testing.T) (l *watch.Log, uuid string, shout, stop func()) {
			cfg := remote("bob", port)
			cfg.Groups = []string{"g"}
			n := child.Run(t, cfg)
			return n.Log, n.UUID, func() { n.Shout("g", "to all") }, n.Stop
		},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			port = kit.FreeUDPPort(t)
			alice := kit.NewNode(t, "alice", port)
			alice.Join("g")
			for range 3 {
				ra := watch.Start(t, alice)
				rb, bob, shout, stop := startBob(t)
				ra.Wait(t, "JOIN bob g", 1)
				rb.Wait(t, "JOIN alice g", 1)
				if got := alice.PeerAddress(bob); !strings.HasPrefix(got, "tcp://127.0.0.1:") {
					t.Errorf("PeerAddress() = %q, want an address of TCP", got)
				}
				alice.Whispers(bob, "to bob")
				shout()
				rb.Wait(t, "WHISPER alice to bob", 1)
				ra.Wait(t, "SHOUT bob g to all", 1)
				stop()
				ra.Wait(t, "EXIT bob", 1)
				alice.Stop()
			}
		})
	}
}
