package monitor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
)

// Lines are all entries in their order; a slow reader is told how many it has missed.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStream(NewModel(ownUUID, time.Now()), time.Now)
		shout := func(n int) {
			for range n {
				s.Event(func(m *Model, now time.Time) { m.Event(now, &zyre.Event{Type: "JOIN", Group: "g"}) })
			}
		}
		var ids []uint64
		var missed uint64
		blocked, goOn, last := make(chan struct{}), make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- Lines(t.Context(), s, func(v any) error {
				switch v := v.(type) {
				case *Entry:
					ids = append(ids, v.ID)
					if len(ids) == 1 {
						close(blocked)
						<-goOn
					}
					if v.ID == maxEntries+8 {
						close(last)
					}
				case Missed:
					missed += v.Count
				}
				return nil
			})
		}()
		shout(1)
		<-blocked
		shout(maxEntries + 7)
		close(goOn)
		<-last
		s.End()
		if err := <-done; err != nil {
			t.Errorf("Lines = %v, want nil", err)
		}
		if missed != 7 || uint64(len(ids))+missed != maxEntries+8 || ids[len(ids)-1] != maxEntries+8 {
			t.Errorf("%d lines, %d missed, want %d together", len(ids), missed, maxEntries+8)
		}
		want := errors.New("no more")
		if err := Lines(t.Context(), s, func(any) error { return want }); !errors.Is(err, want) {
			t.Errorf("Lines = %v, want the error of write", err)
		}
	})
}
