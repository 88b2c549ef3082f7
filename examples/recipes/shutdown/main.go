// Shutdown is a worker that ends in good order: it takes no new work, finishes what it has,
// says goodbye, and exits, within a time that it is given. It asks nobody to wait for a
// time-out: its peers see LEAVE and EXIT at once. Start it, and another node that shouts to
// the group "work" (examples/chat can), and press Ctrl-C:
//
//	go run ./examples/recipes/shutdown -name worker -iface lo
//	go run ./examples/chat -name boss -group work -iface lo
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-zyre/zyre"
)

func main() {
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	grace := flag.Duration("grace", 5*time.Second, "time to finish what was begun")
	flag.Parse()
	// The node gets no context: one that is cancelled would stop it at once.
	node := zyre.NewZyre(context.Background()).SetName(*name).SetInterface(*iface)
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	// systemd and Kubernetes send SIGTERM, and SIGKILL some time later.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once
	serve(ctx, node, "work", *grace, func(ctx context.Context, task string) string {
		select {
		case <-time.After(2 * time.Second): // the work
			return fmt.Sprintf("%q is done", task)
		case <-ctx.Done():
			return fmt.Sprintf("%q was given up", task)
		}
	})
}

// serve does what is shouted to a group, each task in a goroutine of its own, until ctx
// ends. Then it stops the node in good order. It returns when the node has stopped.
func serve(ctx context.Context, node *zyre.Zyre, group string, grace time.Duration, work func(ctx context.Context, task string) string) {
	node.Join(group)
	working, giveUp := context.WithCancel(context.Background()) // not ctx: that ends too early
	defer giveUp()
	var tasks sync.WaitGroup
	events := node.Events()
	for {
		select {
		case e := <-events:
			if e == nil { // somebody else has stopped the node
				giveUp()
				tasks.Wait()
				return
			}
			if e.Type == zyre.EventShout {
				tasks.Go(func() { node.Whispers(e.PeerUUID, "%s", work(working, string(e.Msg))) })
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	node.Leave(group) // no new work; peers see LEAVE and turn to others
	go func() {
		for range events { // what still comes; a node whose events nobody reads gets no room to send
		}
	}()
	time.AfterFunc(grace, giveUp)
	tasks.Wait()
	node.Stop() // sends what has not left yet, says goodbye, and waits for all of it
}
