//go:build unix

package soak

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/watch"
)

// soakTime is how long a soak lasts, or the test is skipped.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(os.Getenv("ZYRE_SOAK"))
	if err != nil {
		t.Skip("goes on for a while: make soak DURATION=…")
	}
	return d
}

// mustStart starts a node and keeps its events. It is stopped when the test ends.
func mustStart(t testing.TB, z *zyre.Zyre) *watch.Log {
	t.Helper()
	t.Cleanup(z.Stop)
	if err := z.Start(); err != nil {
		t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
	}
	return watch.Record(z)
}

// newNode makes a node of this process that stays on this host.
func newNode(name string) *zyre.Zyre {
	return zyre.NewZyre(context.Background()).SetName(name).SetInterface("lo")
}

// startTroop starts some nodes in a process of their own, which can die all at once.
func startTroop(t testing.TB, cfg child.Config, count int) (p *child.Process, uuids []string) {
	t.Helper()
	p = child.Start(t, "troop")
	cfg.Interface = "lo"
	for i := range count {
		cfg.Name = fmt.Sprint("troop", i)
		uuids = append(uuids, p.Node(cfg).UUID)
	}
	p.StartAll()
	return p, uuids
}
