package monitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// waitEntry waits for an entry of a type, and returns it.
func waitEntry(t *testing.T, s *Stream, kind string) Entry {
	t.Helper()
	for {
		news := s.Since(0, maxEntries)
		for _, e := range news.Entries {
			if e.Type == kind {
				return e
			}
		}
		if news.IsEnd {
			t.Fatalf("the stream has ended without %s: %+v", kind, news.Entries)
		}
		<-news.Changed
	}
}

// Real nodes: one gives up another sooner than the reverse. Meanwhile the link is red, and
// when the network has healed it is not any more.
func TestWatch_oneSided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		hasty := network.NewNode("hasty").SetShareView(true).SetExpiredTimeout(6 * time.Second).SetEvasiveTimeout(2 * time.Second)
		patient := network.NewNode("patient").SetShareView(true).SetExpiredTimeout(10 * time.Minute)
		own := network.NewNode("monitor")
		for _, z := range []*zyre.Zyre{hasty, patient, own} {
			if err := z.Start(); err != nil {
				t.Fatal(err)
			}
			if z != own {
				go func() {
					for range z.Events() {
						continue
					}
				}()
			}
		}
		s := NewStream(NewModel(own.UUID(), time.Now()), time.Now)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			Watch(ctx, own, s, true)
		}()
		for d, ok := s.Detail(hasty.UUID()); !ok || d.View == nil || len(d.View.Links) != 2; d, ok = s.Detail(hasty.UUID()) {
			<-s.Since(0, 0).Changed
		}
		network.Cut(hasty, patient)
		e := waitEntry(t, s, EntryOneSided)
		if e.Peer != patient.UUID() || e.Other != hasty.UUID() || e.Reason != "sees hasty, which does not see it" {
			t.Errorf("entry = %+v, want that patient sees hasty", e)
		}
		state, _ := s.State(0)
		if got := kindOf(state, patient.UUID(), hasty.UUID()); got != LinkOneSided {
			t.Errorf("kind of the link = %d, want %d", got, LinkOneSided)
		}
		network.Heal()
		waitEntry(t, s, EntryHealed)
		cancel()
		<-done
		for _, z := range []*zyre.Zyre{hasty, patient, own} {
			z.Stop()
		}
	})
}
