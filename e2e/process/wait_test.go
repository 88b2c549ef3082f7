//go:build unix

package process

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A Shout right after WaitPeers reaches as many members as were waited for, in other
// processes too: of a node that has just started, and to nodes that have just started.
func TestWaitPeers_processes(t *testing.T) {
	const members = 4
	port := kit.FreeUDPPort(t)
	var processes []*child.Node
	for i := range members {
		cfg := remote(fmt.Sprint("member", i), port)
		cfg.Groups = []string{"hall"}
		processes = append(processes, child.Run(t, cfg))
	}
	alice := kit.NewNode(t, "alice", port)
	shouts := 0
	shout := func() {
		t.Helper()
		shouts++
		ctx, cancel := context.WithTimeout(t.Context(), watch.Patience)
		defer cancel()
		if err := alice.WaitPeers(ctx, "hall", members); err != nil {
			t.Fatal(err)
		}
		if err := alice.ShoutContext(ctx, "hall", fmt.Append(nil, shouts)); err != nil {
			t.Fatal(err)
		}
		for _, p := range processes {
			p.Wait(t, fmt.Sprint("SHOUT alice hall ", shouts), 1)
		}
	}
	for range kit.Long(200, 20) {
		watch.Start(t, alice)
		shout()
		alice.Stop()
	}
	log := watch.Start(t, alice)
	shout()
	for range kit.Long(50, 5) {
		exits := log.Count("EXIT")
		for _, p := range processes {
			p.Stop()
		}
		watch.Until(t, "all have exited", func() bool { return log.Count("EXIT") == exits+members })
		for _, p := range processes {
			p.Start()
		}
		shout()
	}
}
