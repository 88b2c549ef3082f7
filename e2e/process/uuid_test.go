//go:build unix

package process

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A process that keeps its UUID, dies without a goodbye and is started again at once exits
// and enters, once each, under that UUID, and what it says is heard.
func TestSetUUID_killed(t *testing.T) {
	const uuid = "C0FFEE00C0FFEE00C0FFEE00C0FFEE11"
	port := kit.FreeUDPPort(t)
	alice := kit.QuickTimeouts(kit.NewNode(t, "alice", port), time.Second, 6*time.Second)
	kit.MustStart(t, alice)
	ra := watch.Record(alice)
	cfg := quick(remote("bob", port), time.Second, 6*time.Second)
	cfg.UUID = uuid
	p := child.Start(t, "bob")
	p.Node(cfg).Start()
	ra.Wait(t, "ENTER bob", 1)
	p.Kill()
	again := child.Start(t, "bob again").Node(cfg)
	again.Start()
	if e := ra.Wait(t, "ENTER bob", 2); e.PeerUUID != uuid || again.UUID != uuid {
		t.Errorf("ENTER of %s, UUID %s, want %s", e.PeerUUID, again.UUID, uuid)
	}
	watch.Until(t, "bob has met alice", func() bool { return again.Stats().Peers == 1 })
	again.Whisper(alice.UUID(), "here again")
	ra.Wait(t, "WHISPER bob here again", 1)
	if n := ra.Count("EXIT bob"); n != 1 || ra.Count("ENTER bob") != 2 {
		t.Errorf("%d EXIT, want 1:\n%s", n, ra)
	}
}
