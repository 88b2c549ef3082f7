//go:build unix

package process

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
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
	for _, c := range []struct {
		log     *watch.Log
		pattern string
		want    int
	}{
		{log, "ENTER watcher", 1}, {log, "EXIT watcher", 0},
		{watcher.Log, "EXIT old", 1}, {watcher.Log, "ENTER successor", 1}, {watcher.Log, "EXIT successor", 0},
	} {
		c.log.CheckCount(t, c.pattern, c.want)
	}
}
