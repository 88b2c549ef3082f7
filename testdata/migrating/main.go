// A program of go-zeromq/zyre, which uses all that it has in common with this package.
// TestMigrating_compiles changes the import path, and compiles it.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/go-zeromq/zyre"
)

func main() {
	zyre.SetEvasive(3 * time.Second)
	zyre.SetExpired(5 * time.Second)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node := zyre.NewZyre(ctx)
	node.SetName("alice").SetHeader("X-HELLO", "World").SetInterface("lo")
	node.SetPort(5671).SetInterval(time.Second).SetVerbose()
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	defer node.Stop()
	node.Join("CHAT")
	fmt.Println(node.UUID(), node.Name())
	for {
		select {
		case e, ok := <-node.Events():
			if !ok {
				return
			}
			talk(node, e)
		case <-time.After(10 * time.Second):
			for _, peer := range node.Peers() {
				node.Whispers(peer, "hello, one of %d", len(node.Peers()))
			}
		case <-ctx.Done():
			node.Leave("CHAT")
			return
		}
	}
}

func talk(node *zyre.Zyre, e *zyre.Event) {
	switch e.Type {
	case "ENTER":
		value, ok := e.Header("X-HELLO")
		log.Println(e.PeerUUID, e.PeerName, e.PeerAddr, e.Headers, value, ok)
		node.Whisper(e.PeerUUID, []byte("welcome"))
	case "JOIN", "LEAVE":
		node.Shouts(e.Group, "%s %s", e.PeerName, e.Type)
	case "WHISPER", "SHOUT":
		node.Shout(e.Group, e.Msg)
	case "EXIT":
		log.Println(e.PeerName, "is gone")
	}
}

// classes are for programs that speak ZRE by themselves.
func classes(ctx context.Context, lo *net.Interface) error {
	beacon := zyre.NewBeacon()
	defer beacon.Close()
	reply := beacon.SetBeaconCmd(&zyre.Cmd{ID: "CONFIGURE", Payload: 5671})
	beacon.Cmds <- &zyre.Cmd{ID: "INTERVAL", Payload: time.Second}
	answer, signal := <-beacon.Replies, <-beacon.Signals
	log.Println(reply.Err, answer.ID, signal.Addr, signal.Transmit)
	own := &zyre.BeaconMsg{Protocol: [3]byte{'Z', 'R', 'E'}, Version: 1, UUID: make([]byte, 16), Port: 49152}

	peer := zyre.NewPeer(ctx, "0123456789ABCDEF0123456789ABCDEF")
	defer peer.Destroy()
	if err := peer.Connect(own.UUID, "tcp://127.0.0.1:49152"); err != nil {
		return err
	}
	msg := zyre.NewZreMsg(zyre.HelloID)
	msg.Endpoint, msg.Name, msg.Status = "tcp://127.0.0.1:49153", "bob", 1
	msg.Groups, msg.Headers = []string{"CHAT"}, map[string]string{"X-HELLO": "World"}
	if err := peer.Send(msg); err != nil {
		return err
	}
	group := zyre.NewGroup("CHAT")
	group.Join(peer)
	shout := zyre.NewZreMsg(zyre.ShoutID)
	shout.Group, shout.Content = "CHAT", []byte("hello")
	group.Send(shout)
	group.Leave(peer)
	peer.Refresh()
	value, ok := peer.Header("X-HELLO")
	log.Println(peer.Identity, peer.Name, peer.Headers, value, ok, peer.MessagesLost(shout))
	peer.Disconnect()
	log.Println(zyre.Signature, zyre.Version, []uint8{
		zyre.WhisperID, zyre.JoinID, zyre.LeaveID, zyre.PingID, zyre.PingOkID,
	})

	v4, err4 := zyre.NewIPv4Conn(5671)
	v6, err6 := zyre.NewIPv6Conn(5671)
	either, err := zyre.NewConn(5671)
	log.Println(err4, err6, err, v4.ConnData.Addr())
	for _, c := range []zyre.Connection{v4, v6, either} {
		if err := c.JoinGroup(lo); err != nil {
			return err
		}
		if err := c.WriteTo([]byte(c.Addr())); err != nil {
			return err
		}
		n, from, err := c.ReadFrom(make([]byte, 255))
		log.Println(n, from.String(), err, c.Close())
	}
	return nil
}

var _ = classes
