package zyretest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// Two nodes meet and talk in memory. In a test the argument is t, and Close is not needed.
func ExampleNewNetwork() {
	network := zyretest.NewNetwork(nil)
	defer network.Close()
	alice, bob := network.NewNode("alice"), network.NewNode("bob")
	for _, node := range []*zyre.Zyre{alice, bob} {
		if err := node.Start(); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := alice.WaitPeers(context.Background(), "", 1); err != nil {
		fmt.Println(err)
		return
	}
	alice.Whispers(bob.UUID(), "hello")
	for event := range bob.Events() {
		if event.Type == zyre.EventWhisper {
			fmt.Printf("%s whispers: %s\n", event.PeerName, event.Msg)
			break
		}
	}
	// Output: alice whispers: hello
}

// An application that makes its node by itself is put on the network by the context.
func ExampleNetwork_Context() {
	application := func(ctx context.Context) error {
		node := zyre.NewZyre(ctx)
		if err := node.Start(); err != nil {
			return err
		}
		for event := range node.Events() {
			if event.Type == zyre.EventEnter {
				node.Whispers(event.PeerUUID, "welcome, %s", event.PeerName)
			}
		}
		return nil
	}
	network := zyretest.NewNetwork(nil)
	defer network.Close()
	ctx, stop := context.WithCancel(network.Context(context.Background()))
	defer stop()
	ended := make(chan error)
	go func() { ended <- application(ctx) }()

	visitor := network.NewNode("visitor")
	if err := visitor.Start(); err != nil {
		fmt.Println(err)
		return
	}
	for event := range visitor.Events() {
		if event.Type == zyre.EventWhisper {
			fmt.Printf("%s\n", event.Msg)
			break
		}
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// welcome, visitor
	// <nil>
}

// A node that is killed says no goodbye: its peers find out by its silence.
func ExampleNetwork_Kill() {
	network := zyretest.NewNetwork(nil)
	defer network.Close()
	const ms = time.Millisecond // in a bubble of testing/synctest the default, 30 s, takes no time
	alice := network.NewNode("alice").SetEvasiveTimeout(50 * ms).SetSilentTimeout(100 * ms).SetExpiredTimeout(200 * ms)
	bob := network.NewNode("bob")
	for _, node := range []*zyre.Zyre{alice, bob} {
		if err := node.Start(); err != nil {
			fmt.Println(err)
			return
		}
	}
	for event := range alice.Events() {
		switch event.Type {
		case zyre.EventEnter:
			network.Kill(bob)
		case zyre.EventExit:
			fmt.Println(event.PeerName, event.Reason)
			return
		}
	}
	// Output: bob expired
}
