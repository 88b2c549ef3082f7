//go:build unix

package process

import (
	"runtime"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A peer that is required by its endpoint alone is met, and so is the process that takes
// its place after it was killed, which has another UUID.
func TestZyre_requiredByEndpoint(t *testing.T) {
	cfg := child.Config{Name: "first", Interface: "lo", Endpoint: "tcp://127.0.0.1:*"}
	server := child.Run(t, cfg)
	cfg.Endpoint = server.Started.Endpoint
	a := kit.NewStaticNode(t, "alice")
	if err := a.RequirePeer("", cfg.Endpoint, ""); err != nil {
		t.Fatal(err)
	}
	ra := watch.Start(t, a)
	ra.Wait(t, "ENTER first", 1)
	server.Process.Kill()
	cfg.Name = "second"
	child.Run(t, cfg)
	took := watch.Within(t, 40*time.Second, "the second server enters", func() bool { return ra.Has("second") }, ra)
	t.Logf("entered %v after the restart", took)
	if took > 5*time.Second && runtime.GOOS == "linux" {
		t.Errorf("the next process entered after %v, want less than 5s", took)
	}
	for _, name := range []string{"first", "second"} {
		ra.CheckCount(t, "ENTER "+name, 1)
	}
}
