package zyre

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif"
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

// What is announced already keeps the times of each link, however often it is published: the
// interval, and the pause after a send that was refused. Anything else goes out at once.
func TestBeacon_publishAgain(t *testing.T) {
	for name, publish := range map[string]func(t *testing.T, b *Beacon, data string){
		"PUBLISH":   func(t *testing.T, b *Beacon, data string) { beaconCmd(t, b, "PUBLISH", []byte(data)) },
		"broadcast": func(_ *testing.T, b *Beacon, data string) { b.announceLatest(broadcast{datagram: []byte(data)}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeNet(netiftest.Eth, netiftest.Wlan)
			f.sendErr["wlan0"] = syscall.ENETDOWN
			fakeBeacon(t, f, beaconConfig{awaitPublish: true}, func(t *testing.T, b *Beacon) {
				beaconCmd(t, b, "INTERFACE", "*")
				beaconCmd(t, b, "INTERVAL", 4*time.Second)
				beaconCmd(t, b, "CONFIGURE", 5670)
				expect := func(what, data string, seconds int, eth0, wlan0 []int) {
					t.Helper()
					start, got := time.Now(), map[string][]int{}
					for range 2 * seconds {
						publish(t, b, data)
						bubble.Sleep(500 * time.Millisecond)
					}
					for _, s := range f.take() {
						got[s.on] = append(got[s.on], int(s.at.Sub(start).Seconds()))
					}
					if !slices.Equal(got["eth0"], eth0) || !slices.Equal(got["wlan0"], wlan0) {
						t.Errorf("%s: sent after %v s, want %v and %v", what, got, eth0, wlan0)
					}
				}
				expect("the same", "one", 15, []int{0, 4, 8, 12}, []int{0, 4, 9, 14})
				expect("another", "two", 7, []int{0, 4}, []int{0, 5})
				// A change of the other links silences the Beacon until it is told what is true now.
				f.set(func() { f.host = append(f.host, netiftest.ZeroConf) })
				expect("a link more", "two", 10, []int{1, 5, 9}, []int{3, 8})
				beaconCmd(t, b, "SILENCE", nil)
				expect("after SILENCE", "two", 2, []int{0}, []int{0})
			})
		})
	}
}

// A node's datagram goes to the links that it names: its port is its own only there.
func TestBeacon_broadcastOn(t *testing.T) {
	f := newFakeNet(netiftest.Eth, netiftest.Wlan)
	fakeBeacon(t, f, beaconConfig{tellLinks: true, awaitPublish: true}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "*")
		beaconCmd(t, b, "CONFIGURE", 5670)
		links := <-b.linkChanges
		for _, test := range []struct {
			b    broadcast
			want []string // in 2.4 s
		}{
			{broadcast{[]byte("x"), links[:1]}, []string{"eth0", "eth0", "eth0"}},
			{broadcast{[]byte("x"), links}, []string{"wlan0", "eth0", "wlan0", "eth0", "wlan0"}},
			{broadcast{}, nil},
			{broadcast{[]byte("x"), links[1:]}, []string{"wlan0", "wlan0", "wlan0"}},
			{broadcast{[]byte("x"), []netif.Link{}}, nil},
			{broadcast{datagram: []byte("y")}, []string{"eth0", "wlan0", "eth0", "wlan0", "eth0", "wlan0"}},
		} {
			b.announceLatest(test.b)
			bubble.Sleep(2400 * time.Millisecond)
			var got []string
			for _, s := range f.take() {
				got = append(got, s.on)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q on %v: sent on %q, want %q", test.b.datagram, test.b.on, got, test.want)
			}
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
