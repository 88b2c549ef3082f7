package zyre_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

func start(nodes ...*zyre.Zyre) {
	for _, node := range nodes {
		if err := node.Start(); err != nil {
			log.Fatal(err)
		}
	}
}

// Two nodes find each other, and one says hello to whoever enters.
func Example() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	alice, bob := network.NewNode("alice"), network.NewNode("bob")
	bob.SetHeader("role", "%s", "printer")
	start(alice, bob)
	defer bob.Stop()
	go func() {
		for event := range bob.Events() {
			if event.Type == "ENTER" {
				bob.Whispers(event.PeerUUID, "hello %s", event.PeerName)
			}
		}
	}()
	for event := range alice.Events() {
		switch event.Type {
		case "ENTER":
			role, _ := event.Header("role")
			fmt.Println(event.PeerName, "is here, a", role)
		case "WHISPER":
			fmt.Printf("%s whispers: %s\n", event.PeerName, event.Msg)
			alice.Stop() // ends the loop
		case "STOP":
			fmt.Println("that was all")
		}
	}
	// Output:
	// bob is here, a printer
	// bob whispers: hello alice
	// that was all
}

// A message to a group reaches every member.
func ExampleZyre_Shout() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	alice, bob := network.NewNode("alice"), network.NewNode("bob")
	bob.Join("hall") // before Start: it is in the first HELLO
	start(alice, bob)
	defer bob.Stop()
	go func() {
		for event := range alice.Events() {
			if event.Type == "JOIN" {
				alice.Shout(event.Group, []byte("welcome"))
			}
		}
	}()
	for event := range bob.Events() {
		if event.Type == "SHOUT" {
			fmt.Printf("#%s <%s> %s\n", event.Group, event.PeerName, event.Msg)
			break
		}
	}
	alice.Stop()
	// Output: #hall <alice> welcome
}

// WhisperContext tells what became of a message.
func ExampleZyre_WhisperContext() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	node := network.NewNode("alice")
	start(node)
	defer node.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := node.WhisperContext(ctx, "00000000000000000000000000000000", []byte("a"), []byte("b"))
	if errors.Is(err, zyre.ErrUnknownPeer) {
		fmt.Println(err)
	}
	// Output: zyre: whisper 00000000000000000000000000000000: unknown peer
}

// Where datagrams do not pass, nodes find each other through a hub.
func ExampleZyre_GossipBind() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("hub")
	defer network.Close()
	hub, node := network.NewNode("hub"), network.NewNode("node")
	hub.GossipBind("tcp://10.0.0.1:*")
	start(hub)
	defer hub.Stop()
	node.GossipConnect("%s", hub.GossipEndpoint())
	start(node)
	defer node.Stop()
	event := <-node.Events()
	fmt.Println(event.Type, event.PeerName)
	// Output: ENTER hub
}

// Secure nodes talk only with those whose keys they know.
func ExampleZyre_SetZCert() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	alice, bob := network.NewNode("alice"), network.NewNode("bob")
	aliceCert, err := zyre.NewCert()
	if err != nil {
		log.Fatal(err)
	}
	bobCert, err := zyre.NewCert()
	if err != nil {
		log.Fatal(err)
	}
	alice.SetZCert(aliceCert.PublicKey, aliceCert.SecretKey).SetAuthorizedKeys(bobCert.PublicKey)
	bob.SetZCert(bobCert.PublicKey, bobCert.SecretKey).SetAuthorizedKeys(aliceCert.PublicKey)
	start(alice, bob)
	defer alice.Stop()
	defer bob.Stop()
	event := <-alice.Events()
	key, _ := event.Header("X-PUBLICKEY")
	fmt.Println(event.Type, event.PeerName, key == bobCert.PublicKey)
	// Output: ENTER bob true
}

// A node makes its certificate once and keeps it in files. The public ones of those who may
// talk with it are in a directory.
func ExampleLoadCert() {
	dir, err := os.MkdirTemp("", "certificates")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "alice.cert")
	cert, err := zyre.LoadCert(path)
	if errors.Is(err, fs.ErrNotExist) {
		if cert, err = zyre.NewCert(); err == nil {
			cert.Metadata = map[string]string{"name": "alice"}
			err = cert.Save(path) // alice.cert, and alice.cert_secret with mode 0600
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	friends, err := zyre.LoadCertStore(dir)
	if err != nil {
		log.Fatal(err)
	}
	var keys []string
	for _, friend := range friends {
		fmt.Println("may connect:", friend.Metadata["name"])
		keys = append(keys, friend.PublicKey)
	}
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	node := network.NewNode("alice")
	node.SetZCert(cert.PublicKey, cert.SecretKey).SetAuthorizedKeys(keys...)
	start(node)
	node.Stop()
	// Output: may connect: alice
}

// A group that always has a leader.
func ExampleZyre_SetContestInGroup() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	node := network.NewNode("alice")
	node.SetContestInGroup("crew").Join("crew")
	start(node)
	defer node.Stop()
	event := <-node.Events()
	fmt.Println(event.PeerName, "leads", event.Group)
	// Output: alice leads crew
}

// A program that needs its peers waits for them, and then begins.
func ExampleZyre_WaitPeers() {
	network := zyretest.NewNetwork(nil) // in memory; programs call zyre.NewZyre(ctx).SetName("alice")
	defer network.Close()
	alice, bob := network.NewNode("alice"), network.NewNode("bob")
	bob.Join("hall")
	start(alice, bob)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := alice.WaitPeers(ctx, "hall", 1); err != nil {
		log.Fatal(err) // zyre: wait for peers hall: 0 of 1: context deadline exceeded
	}
	alice.Shout("hall", []byte("let us begin"))
	for event := range bob.Events() {
		if event.Type == zyre.EventShout {
			fmt.Printf("%s: %s\n", event.Group, event.Msg)
			bob.Stop()
		}
	}
	alice.Stop()
	// Output:
	// hall: let us begin
}

// A log shows events without what is in the messages.
func ExampleEvent_String() {
	event := &zyre.Event{
		Type: zyre.EventShout, PeerUUID: "4A6F83C1D2E54F60B7A8091A2B3C4D5E", PeerName: "alice",
		Group: "hall", Frames: [][]byte{[]byte("from me"), []byte("to you")},
	}
	fmt.Println(event)
	// Output:
	// SHOUT 4A6F83C1D2E54F60B7A8091A2B3C4D5E "alice" group "hall" 2 frames 13 bytes
}
