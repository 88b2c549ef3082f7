//go:build unix

package process

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// A process dies, and after it has been silent for so long that it would be told HELLO
// again, the next one starts at its port and whispers to whoever enters. Nothing that was
// meant for the first one reaches it: each sees the other enter once, and the whisper
// arrives.
func TestStorm_successorAtSameEndpoint(t *testing.T) {
	const evasive, expired = 500 * time.Millisecond, 4 * time.Second
	port, peerPort := kit.FreeUDPPort(t), kit.QuietTCPPort(t)
	watcher := child.Run(t, quick(remote("watcher", port), evasive, expired))
	cfg := quick(remote("old", port), evasive, expired)
	cfg.PeerPort = peerPort
	old := child.Run(t, cfg)
	watcher.Wait(t, "ENTER old", 1)
	old.Wait(t, "ENTER watcher", 1)
	old.Process.Kill()
	watch.Until(t, "silent for longer than half the expired timeout", func() bool {
		peers := watcher.Stats().PeerList
		return len(peers) == 0 || peers[0].Idle > expired*3/4
	})

	successor := kit.NewNode(t, "successor", port).SetBeaconPeerPort(peerPort)
	kit.MustStart(t, successor)
	log := watch.RecordGreeting(successor)
	watcher.Wait(t, "WHISPER successor hello", 1)
	watcher.Whisper("successor", "hello yourself")
	log.Wait(t, "WHISPER watcher hello yourself", 1)
	checkSuccession(t, watcher.Log, "old", log)
}

// A process says HELLO and dies before the node could connect to it. The node's HELLO goes
// to the next process at the same port, which whispers to the node at once. The whisper
// arrives, as does the answer, and each sees the other enter once.
func TestStorm_helloToSuccessor(t *testing.T) {
	port, peerPort := kit.FreeUDPPort(t), kit.QuietTCPPort(t)
	cfg := remote("watcher", port)
	cfg.Echo = true
	watcher := child.Run(t, cfg)
	dead, err := foreignnet.Start(t.Context(), foreignnet.Options{Name: "dead"})
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	conn, err := dead.Connect(watcher.Started.Endpoint, foreignnet.ConnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hello := dead.Hello()
	hello.Endpoint = fmt.Sprintf("tcp://127.0.0.1:%d", peerPort)
	if err := conn.SayAt(1, hello); err != nil {
		t.Fatal(err)
	}
	watcher.Wait(t, "ENTER dead", 1)

	successor := kit.NewNode(t, "successor", port).SetBeaconPeerPort(peerPort)
	kit.MustStart(t, successor)
	log := watch.RecordGreeting(successor)
	watcher.Wait(t, "WHISPER successor hello", 1)
	log.Wait(t, "WHISPER watcher hello", 1)
	checkSuccession(t, watcher.Log, "dead", log)
}

// checkSuccession checks that a watcher and a successor saw each other enter once, and that the
// watcher saw the one before exit.
func checkSuccession(t *testing.T, watcher *watch.Log, before string, successor *watch.Log) {
	t.Helper()
	successor.CheckCount(t, "ENTER watcher", 1)
	successor.CheckCount(t, "EXIT watcher", 0)
	watcher.CheckCount(t, "EXIT "+before, 1)
	watcher.CheckCount(t, "ENTER successor", 1)
	watcher.CheckCount(t, "EXIT successor", 0)
}
