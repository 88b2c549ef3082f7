package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// What was begun is finished, or given up at the end of the grace, and told; then the worker
// leaves and exits.
func TestServe(t *testing.T) {
	for name, c := range map[string]struct {
		takes, stopped time.Duration // the work, and until EXIT
		want           string
	}{
		"finished": {3 * time.Second, 3 * time.Second, "done"},
		"given up": {time.Hour, 10 * time.Second, "given up"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t)
				boss, worker := network.NewNode("boss"), network.NewNode("worker")
				for _, node := range []*zyre.Zyre{boss, worker} {
					if err := node.Start(); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				begun := make(chan struct{})
				go serve(ctx, worker, "work", 10*time.Second, func(ctx context.Context, _ string) string {
					close(begun)
					select {
					case <-time.After(c.takes):
						return "done"
					case <-ctx.Done():
						return "given up"
					}
				})
				if err := boss.WaitPeers(t.Context(), "work", 1); err != nil {
					t.Fatal(err)
				}
				boss.Shouts("work", "dig")
				<-begun
				cancel()
				start := time.Now()
				var seen []string
				for e := range boss.Events() {
					seen = append(seen, e.Type+string(e.Msg))
					if e.Type == zyre.EventExit {
						break
					}
				}
				if want := []string{"ENTER", "JOIN", "LEAVE", "WHISPER" + c.want, "EXIT"}; !slices.Equal(seen, want) {
					t.Errorf("the boss sees %q, want %q", seen, want)
				}
				if took := time.Since(start); took < c.stopped || took > c.stopped+time.Second {
					t.Errorf("EXIT after %v, want %v", took, c.stopped)
				}
			})
		})
	}
}

// Stopped by somebody else, it gives up.
func TestServe_stopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := zyretest.NewNetwork(t).NewNode("worker")
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, node.Stop)
		serve(t.Context(), node, "work", time.Minute, func(context.Context, string) string { return "" })
	})
}
