package zyre_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// A node that shares its view tells it to a peer that asks, and neither application notices.
func TestPeerView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		a, b, c := network.NewNode("a"), network.NewNode("b").SetShareView(true), network.NewNode("c")
		if _, err := a.PeerView(t.Context(), b.UUID()); !errors.Is(err, zyre.ErrNotRunning) {
			t.Errorf("PeerView before Start = %v, want ErrNotRunning", err)
		}
		lines := startAll(t, a, b, c)
		bubble.Sleep(3 * time.Second)
		c.Whisper(b.UUID(), []byte("hello"))
		bubble.Sleep(10 * time.Second) // for pings
		v, err := a.PeerView(t.Context(), b.UUID())
		if err != nil || v.UUID != b.UUID() || v.Peers != 2 || len(v.PeerList) != 2 || v.Sent != 0 {
			t.Fatalf("PeerView = %+v, %v, want two peers", v, err)
		}
		i := slices.IndexFunc(v.PeerList, func(p zyre.ViewPeer) bool { return p.UUID == c.UUID() })
		if i < 0 || v.PeerList[i].Name != "c" || v.PeerList[i].Endpoint != b.PeerAddress(c.UUID()) || v.PeerList[i].Received < 2 {
			t.Errorf("peers = %+v, want c, from which a message came", v.PeerList)
		}
		for uuid, want := range map[string]error{
			c.UUID(): zyre.ErrNotShared, "x": zyre.ErrUnknownPeer, a.UUID(): zyre.ErrUnknownPeer,
		} {
			if _, err := a.PeerView(t.Context(), uuid); !errors.Is(err, want) {
				t.Errorf("PeerView(%q) = %v, want %v", uuid, err, want)
			}
		}
		checkUnanswered(t, a, b)
		if s := b.Stats(); s.ViewsSent != 4 || s.Dropped.ViewsRefused != 1 {
			t.Errorf("answers = %d, refused = %d, want 4 and 1", s.ViewsSent, s.Dropped.ViewsRefused)
		}
		for _, z := range []*zyre.Zyre{a, b, c} {
			z.Stop()
		}
		for i, l := range lines {
			<-l.done
			if got, want := slices.Contains(l.seen, "WHISPER"), i == 1; got != want {
				t.Errorf("node %d: events = %v, want only the application's WHISPER", i, l.seen)
			}
		}
	})
}

// checkUnanswered asks more often than b answers: three times at once.
func checkUnanswered(t *testing.T, a, b *zyre.Zyre) {
	t.Helper()
	bubble.Sleep(10 * time.Second)
	for range 3 {
		if _, err := a.PeerView(t.Context(), b.UUID()); err != nil {
			t.Errorf("PeerView = %v, want nil", err)
		}
	}
	started := time.Now()
	if _, err := a.PeerView(t.Context(), b.UUID()); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != 5*time.Second {
		t.Errorf("PeerView beyond the limit = %v after %v, want the deadline after 5 s", err, time.Since(started))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.PeerView(ctx, b.UUID()); !errors.Is(err, context.Canceled) {
		t.Errorf("PeerView with an ended context = %v, want that", err)
	}
}

// SetShareView says so in HELLO, and only then; applications can not set the header.
func TestSetShareView_header(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		a, b, c := network.NewNode("a"), network.NewNode("b").SetShareView(true), network.NewNode("c")
		startAll(t, a, b, c)
		bubble.Sleep(3 * time.Second)
		for z, want := range map[*zyre.Zyre]bool{b: true, c: false} {
			if _, ok := a.PeerHeaderValue(z.UUID(), "X-ZYRE-VIEW"); ok != want {
				t.Errorf("%s has the header: %v, want %v", z.Name(), ok, want)
			}
		}
		for _, z := range []*zyre.Zyre{a, b, c} {
			z.Stop()
		}
		if err := c.SetHeader("X-ZYRE-VIEW", "1").Start(); !errors.Is(err, zyre.ErrInvalid) {
			t.Errorf("Start with the header of an application = %v, want ErrInvalid", err)
		}
	})
}
