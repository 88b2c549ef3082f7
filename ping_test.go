package zyre

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/transport/mem"
)

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		a, b := newMemNode(network, "a"), newMemNode(network, "b")
		if _, err := a.Ping(t.Context(), b.UUID()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Ping before Start = %v, want ErrNotRunning", err)
		}
		mustStart(t, b)
		mustStart(t, a)
		must(t, "WaitPeers", a.WaitPeers(t.Context(), "", 1))
		for range 3 {
			if d, err := a.Ping(t.Context(), b.UUID()); err != nil || d < 0 || d > time.Second {
				t.Errorf("Ping = %v, %v, want a round trip", d, err)
			}
		}
		if _, err := a.Ping(nil, b.UUID()); err != nil { //nolint:staticcheck // nil is allowed, as everywhere
			t.Errorf("Ping(nil) = %v, want nil", err)
		}
		for _, peer := range []string{"", "nobody", a.UUID()} {
			if _, err := a.Ping(t.Context(), peer); !errors.Is(err, ErrUnknownPeer) {
				t.Errorf("Ping(%q) = %v, want ErrUnknownPeer", peer, err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Ping(ended, b.UUID()); !errors.Is(err, context.Canceled) {
			t.Errorf("Ping with an ended context = %v, want Canceled", err)
		}
		a.Stop()
		b.Stop()
		if _, err := a.Ping(t.Context(), b.UUID()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Ping after Stop = %v, want ErrNotRunning", err)
		}
	})
}
