// Minimal is the program of the README: it enters the network, greets every peer that
// enters, prints what happens, and stops on Ctrl-C.
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
	iface := flag.String("iface", "", `network interface; "lo" stays on this host`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	node := zyre.NewZyre(ctx).SetInterface(*iface) // Ctrl-C cancels ctx, which stops the node
	node.Join("hall")
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	for event := range node.Events() {
		fmt.Printf("%s %q %q %q\n", event.Type, event.PeerName, event.Group, event.Msg)
		switch event.Type {
		case "ENTER":
			node.Whispers(event.PeerUUID, "hello %s, I am %s", event.PeerName, node.Name())
		case "JOIN":
			node.Shouts(event.Group, "welcome to %s", event.Group)
		}
	}
}
