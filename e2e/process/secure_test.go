//go:build unix

package process

import (
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/e2e/child"
)

// keyPair makes a pair of CURVE keys.
func keyPair(t testing.TB) (public, secret string) {
	t.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		t.Fatal(err)
	}
	return public, secret
}

// Secure nodes in two processes talk; one that dies and comes back enters again, and one
// that stops exits at once.
func TestZyre_secureProcesses(t *testing.T) {
	a := localStatic(t, "alice")
	pa, sa := keyPair(t)
	pb, sb := keyPair(t)
	a.SetZCert(pa, sa).SetAuthorizedKeys(pb)
	ra := mustStart(t, a)
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
