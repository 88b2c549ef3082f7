//go:build unix

package process

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A hub that is killed and comes back serves newcomers; nobody else notices.
func TestZyre_gossipHubKilled(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://" + t.TempDir() + "/hub"} {
		t.Run(endpoint[:3], func(t *testing.T) { gossipHubKilled(t, endpoint) })
	}
}

func gossipHubKilled(t *testing.T, endpoint string) {
	cfg := child.Config{Name: "hub", Interface: "lo", Endpoint: "tcp://127.0.0.1:*", GossipBind: endpoint}
	hub := child.Run(t, cfg)
	at := hub.Started.Gossip
	join := func(name string) (*zyre.Zyre, *watch.Log) {
		z := kit.NewStaticNode(t, name)
		z.GossipConnect("%s", at)
		return z, watch.Start(t, z)
	}
	_, ra := join("alice")
	_, rb := join("bob")
	ra.Wait(t, "ENTER bob", 1)
	ra.Wait(t, "ENTER hub", 1)
	rb.Wait(t, "ENTER hub", 1)
	hub.Process.Kill()
	cfg.GossipBind = at
	child.Run(t, cfg)
	start := time.Now()
	c, rc := join("carol")
	for _, name := range []string{"hub", "alice", "bob"} {
		rc.Wait(t, "ENTER "+name, 1)
	}
	took := time.Since(start)
	t.Logf("a newcomer found all %v after the hub was back", took)
	if took > 5*time.Second {
		t.Errorf("a newcomer found all after %v, want less than 5s", took)
	}
	ra.CheckCount(t, "EXIT bob", 0)
	start = time.Now()
	c.Stop()
	ra.Wait(t, "EXIT carol", 1)
	if took := time.Since(start); took > time.Second {
		t.Errorf("EXIT %v after Stop, want less than 1s", took)
	}
}
