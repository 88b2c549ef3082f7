package local_test

import (
	"fmt"
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// A process says HELLO and dies before the node could connect to it. The node's HELLO goes
// to the next process at the same port, which whispers to the node at once. The whisper
// arrives, and each sees the other enter once.
func TestStorm_helloToSuccessor(t *testing.T) {
	port, peerPort := kit.FreeUDPPort(t), kit.QuietTCPPort(t)
	z := kit.NewNode(t, "watcher", port)
	kit.MustStart(t, z)
	seen := watch.Record(z)
	dead := newStranger(t, foreignnet.Options{Name: "dead"})
	dead.dial(kit.Endpoint(t, z), foreignnet.ConnOptions{})
	hello := dead.Hello()
	hello.Endpoint = fmt.Sprintf("tcp://127.0.0.1:%d", peerPort)
	dead.must(dead.conn.SayAt(1, hello))
	seen.Wait(t, "ENTER dead", 1)

	successor := kit.NewNode(t, "successor", port).SetBeaconPeerPort(peerPort)
	kit.MustStart(t, successor)
	log := watch.RecordGreeting(successor)
	seen.Wait(t, "WHISPER successor hello", 1)
	z.Whispers(successor.UUID(), "hello yourself")
	log.Wait(t, "WHISPER watcher hello yourself", 1)
	for _, c := range []struct {
		log     *watch.Log
		pattern string
		want    int
	}{
		{log, "ENTER watcher", 1}, {log, "EXIT watcher", 0},
		{seen, "EXIT dead", 1}, {seen, "ENTER successor", 1}, {seen, "EXIT successor", 0},
	} {
		c.log.CheckCount(t, c.pattern, c.want)
	}
}
