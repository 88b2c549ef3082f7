// Barrier starts a job on several nodes together: each waits until all are there, and then
// begins. Start it three times:
//
//	go run ./examples/recipes/barrier -iface lo -nodes 3
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-zyre/zyre"
)

func main() {
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	nodes := flag.Int("nodes", 3, "how many nodes take part, this one included")
	patience := flag.Duration("patience", time.Minute, "how long to wait for them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetInterface(*iface)
	if err := begin(ctx, node, "job", *nodes, *patience); err != nil {
		log.Fatal(err)
	}
	node.Shouts("job", "here is what %s found", node.Name())
	for event := range node.Events() {
		if event.Type == zyre.EventShout {
			fmt.Printf("%q\n", event.Msg)
		}
	}
}

// begin starts a node and returns when all nodes of a group are there. A Shout right
// afterwards reaches all of them.
//
// No two nodes return at the same moment: a message of one that has begun can come to
// another that still waits. It is not lost. The events lie in the channel until begin has
// returned and somebody reads them.
func begin(ctx context.Context, node *zyre.Zyre, group string, nodes int, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	node.Join(group) // before Start: then it is known from the first moment
	if err := node.Start(); err != nil {
		return err
	}
	if err := node.WaitPeers(ctx, group, nodes-1); err != nil { // this node is none of its peers
		node.Stop()
		return err // says how many were there
	}
	return nil
}
