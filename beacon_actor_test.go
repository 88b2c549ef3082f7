package zyre

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestBeacon_directCommands(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		b.Cmds <- &Cmd{ID: "CONFIGURE", Payload: 5670}
		if r := <-b.Replies; r.ID != "CONFIGURE" || r.Err != nil || r.Payload != "192.0.2.7" {
			t.Errorf("reply = %+v, want 192.0.2.7", r)
		}
		b.Cmds <- nil
		if r := <-b.Replies; r.Err == nil {
			t.Errorf("reply to nil = %+v, want an error", r)
		}
		// An answer that nobody takes stops neither the beacons nor other callers.
		b.Cmds <- &Cmd{ID: "PUBLISH", Payload: []byte("x")}
		b.Cmds <- &Cmd{ID: "NONSENSE"}
		bubble.Sleep(2500 * time.Millisecond)
		beaconCmd(t, b, "VERBOSE", false)
		if got := len(f.take()); got != 3 {
			t.Errorf("sent %d in 2.5 s, want 3", got)
		}
		for _, want := range []string{"PUBLISH", "NONSENSE"} {
			if r := <-b.Replies; r.ID != want {
				t.Errorf("reply = %+v, want %s", r, want)
			}
		}
		b.Cmds <- &Cmd{ID: "$TERM"}
		if r := <-b.Replies; r == nil || r.ID != "$TERM" {
			t.Errorf("reply = %+v, want $TERM", r)
		}
		if _, ok := <-b.Signals; ok {
			t.Error("Signals is open after $TERM, want closed")
		}
		b.Close()
	})
}

func TestBeacon_cmdsClosedByOwner(t *testing.T) {
	fakeBeacon(t, newFakeNet(netiftest.Eth), beaconConfig{}, func(t *testing.T, b *Beacon) {
		close(b.Cmds)
		if _, ok := <-b.Signals; ok {
			t.Error("Signals is open, want closed")
		}
	})
}

// Many callers at once each get the answer to their own command, and an error
// at once when the Beacon is closed under them.
func TestBeacon_concurrent(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "CONFIGURE", 5670)
		var callers sync.WaitGroup
		for i := range 16 {
			callers.Go(func() {
				id := fmt.Sprintf("CALL-%d", i)
				for {
					r := b.SetBeaconCmd(&Cmd{ID: id})
					if r.ID != id || r.Err == nil {
						t.Errorf("SetBeaconCmd(%s) = %+v, want its own error", id, r)
					}
					if errors.Is(r.Err, errBeaconClosed) {
						return
					}
				}
			})
		}
		for range 4 {
			callers.Go(b.Close)
		}
		callers.Wait()
		start := time.Now()
		if r := b.SetBeaconCmd(&Cmd{ID: "SILENCE"}); !errors.Is(r.Err, errBeaconClosed) || r.ID != "SILENCE" {
			t.Errorf("SetBeaconCmd after Close = %+v, want errBeaconClosed", r)
		}
		b.goodbye([]byte("bye"))
		b.Close()
		if d := time.Since(start); d != 0 { // bubble time: nothing waited for a timer
			t.Errorf("calls after Close took %v", d)
		}
	})
}

func TestBeacon_notMade(t *testing.T) {
	var b Beacon
	if r := b.SetBeaconCmd(&Cmd{ID: "SILENCE"}); !errors.Is(r.Err, errBeaconClosed) {
		t.Errorf("SetBeaconCmd on a zero Beacon = %+v, want errBeaconClosed", r)
	}
	b.Close()
}
