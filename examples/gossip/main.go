// Gossip shows how nodes find each other where UDP does not pass, as in containers,
// VPNs and clouds: one node is the hub, and the others know its address. Without flags
// it runs a hub and two nodes in one process:
//
//	go run ./examples/gossip
//
// With flags it runs one node, so that a hub and other nodes can be on different hosts:
//
//	go run ./examples/gossip -endpoint tcp://192.168.1.7:* -hub tcp://192.168.1.7:9999
//	go run ./examples/gossip -endpoint tcp://192.168.1.8:* -connect tcp://192.168.1.7:9999
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	endpoint := flag.String("endpoint", "tcp://127.0.0.1:*", "endpoint on which peers connect to this node")
	hub := flag.String("hub", "", "be a hub at this endpoint")
	connect := flag.String("connect", "", "find other nodes through the hub at this endpoint")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if *hub == "" && *connect == "" {
		if err := three(ctx); err != nil {
			log.Fatal(err)
		}
		return
	}
	node, err := start(ctx, "", *endpoint, *hub, *connect)
	if err != nil {
		log.Fatal(err)
	}
	for e := range node.Events() {
		fmt.Printf("%s %q %q\n", e.Type, e.PeerName, e.PeerAddr)
	}
}

// start starts a node that is a hub, or connects to one.
func start(ctx context.Context, name, endpoint, hub, connect string) (*zyre.Zyre, error) {
	node := zyre.NewZyre(ctx).SetName(name)
	if err := node.SetEndpoint("%s", endpoint); err != nil {
		return nil, err
	}
	if hub != "" {
		node.GossipBind("%s", hub)
	}
	if connect != "" {
		node.GossipConnect("%s", connect)
	}
	if err := node.Start(); err != nil {
		return nil, err
	}
	if hub != "" {
		fmt.Println("hub at", node.GossipEndpoint())
	}
	return node, nil
}

// three runs a hub and two nodes until these two have found each other.
func three(ctx context.Context) error {
	hub, err := start(ctx, "hub", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
	if err != nil {
		return err
	}
	defer hub.Stop()
	alice, err := start(ctx, "alice", "tcp://127.0.0.1:*", "", hub.GossipEndpoint())
	if err != nil {
		return err
	}
	defer alice.Stop()
	bob, err := start(ctx, "bob", "tcp://127.0.0.1:*", "", hub.GossipEndpoint())
	if err != nil {
		return err
	}
	defer bob.Stop()
	for e := range alice.Events() {
		fmt.Printf("alice sees %s %q\n", e.Type, e.PeerName)
		if e.PeerName == "bob" {
			return nil
		}
	}
	return ctx.Err()
}
