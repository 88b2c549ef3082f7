// Leader runs a job on one of several nodes: the leader of a group. When that node goes,
// another one leads and runs the job. Start it in several terminals, and end the one that
// works:
//
//	go run ./examples/recipes/leader -name alice -iface lo
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
	name := flag.String("name", "", "name of this node")
	iface := flag.String("iface", "", `network interface, or one of its addresses; "lo" stays on this host`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetName(*name).SetInterface(*iface).SetContestInGroup("backup")
	node.Join("backup")
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	lead(node, "backup", func(ctx context.Context) {
		for tick := time.NewTicker(time.Second); ; {
			select {
			case now := <-tick.C:
				fmt.Println("working", now.Format(time.TimeOnly))
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
}

// lead runs a job whenever this node leads a group, and cancels it when another one does.
// It reads the events of the node and returns when that has stopped and the job has ended.
//
// While the network is split each part has a leader, and for some seconds after a change
// the old and the new leader may both work. A job that must not run twice needs a lock at
// what it works on, such as a row in a database.
func lead(node *zyre.Zyre, group string, job func(ctx context.Context)) {
	end := func() {}
	for event := range node.Events() {
		if event.Type != zyre.EventLeader || event.Group != group {
			continue
		}
		end() // of what ran before; a LEADER event comes only when the leader has changed
		end = func() {}
		if event.PeerUUID == node.UUID() {
			end = run(job)
		}
	}
	end()
}

// run runs a job in a goroutine. The function returned cancels it and waits for its end.
func run(job func(ctx context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		job(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
