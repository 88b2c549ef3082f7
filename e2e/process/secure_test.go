//go:build unix

package process

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Secure nodes in two processes talk; one that dies and comes back enters again, and one
// that stops exits at once.
func TestZyre_secureProcesses(t *testing.T) {
	a := kit.NewStaticNode(t, "alice")
	pa, sa := kit.KeyPair(t)
	pb, sb := kit.KeyPair(t)
	a.SetZCert(pa, sa).SetAuthorizedKeys(pb)
	ra := watch.Start(t, a)
	cfg := child.Config{
		Name: "child", Interface: "lo", Endpoint: "tcp://127.0.0.1:*", PublicKey: pb, SecretKey: sb, Echo: true,
		Required: []child.Required{{UUID: a.UUID(), Endpoint: child.Endpoint(a), Key: pa}},
	}
	first := child.Run(t, cfg)
	e := ra.Wait(t, "ENTER child", 1)
	first.Wait(t, "ENTER alice", 1)
	a.Whispers(e.PeerUUID, "echo")
	ra.Wait(t, "WHISPER child echo", 1)
	first.Process.Kill() // without a word
	again := child.Run(t, cfg)
	again.Wait(t, "ENTER alice", 1)
	ra.Wait(t, "ENTER child", 2)
	start := time.Now()
	again.Stop()
	ra.Wait(t, "EXIT child", 1)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("EXIT of a secure process after %v", took)
	}
}
