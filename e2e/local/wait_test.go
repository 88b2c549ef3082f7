package local_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A Shout right after WaitPeers goes to all.
func TestWaitPeers_shoutReachesAll(t *testing.T) {
	const count = 8
	for range 3 {
		port := kit.FreeUDPPort(t)
		var nodes []*zyre.Zyre
		var seen []*watch.Log
		for i := range count + 1 {
			z := kit.NewNode(t, fmt.Sprint("node", i), port)
			z.Join("hall")
			nodes = append(nodes, z)
			seen = append(seen, watch.Start(t, z))
		}
		for i, z := range nodes[:2] {
			ctx, cancel := context.WithTimeout(t.Context(), watch.Patience)
			err := errors.Join(z.WaitPeers(ctx, "hall", count), z.ShoutContext(ctx, "hall", fmt.Append(nil, "from ", i)))
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, r := range seen {
			for from := range 2 {
				if from != i {
					r.Wait(t, fmt.Sprintf("SHOUT node%d hall from %d", from, from), 1)
				}
			}
		}
		for _, z := range nodes {
			z.Stop()
		}
	}
}
