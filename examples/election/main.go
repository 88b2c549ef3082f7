// Election runs five nodes that elect a leader. Whenever they agree on a leader it stops
// that node, and the others elect the next.
//
//	go run ./examples/election
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-zyre/zyre"
)

const port = 15673 // UDP port of the beacons; not the default, to meet no other nodes

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// news says that a node has reported a leader.
type news struct{ node, leader string }

func run(ctx context.Context) error {
	nodes := map[string]*zyre.Zyre{}
	leaders := make(chan news)
	for i := range 5 {
		node := zyre.NewZyre(ctx).SetName(fmt.Sprint("node", i+1)).SetInterface("lo").SetPort(port)
		node.SetContestInGroup("crew").Join("crew")
		if err := node.Start(); err != nil {
			return err
		}
		nodes[node.Name()] = node
		go func() { // ends with the node
			for e := range node.Events() {
				if e.Type == "LEADER" {
					leaders <- news{node.Name(), e.PeerName}
				}
			}
		}()
	}
	reported := map[string]string{}
	for len(nodes) > 0 {
		select {
		case n := <-leaders:
			reported[n.node] = n.leader
			if leader, ok := agreed(nodes, reported); ok {
				if len(nodes) > 1 {
					fmt.Printf("all %d agree: %s leads; now it stops\n", len(nodes), leader)
				} else {
					fmt.Printf("%s is left, and leads alone\n", leader)
				}
				stopping := nodes[leader]
				delete(nodes, leader)
				go stopping.Stop()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// agreed returns the leader if all nodes have reported the same one, and it still runs.
func agreed(nodes map[string]*zyre.Zyre, reported map[string]string) (leader string, ok bool) {
	for name := range nodes {
		if leader == "" {
			leader = reported[name]
		}
		if reported[name] != leader || nodes[leader] == nil {
			return "", false
		}
	}
	return leader, true
}
