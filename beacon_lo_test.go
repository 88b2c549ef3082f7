package zyre

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Tests with real sockets. They send on the loopback interface only.

// loopback gives the name of the loopback interface.
func loopback(t *testing.T) string {
	t.Helper()
	ifis, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range ifis {
		if ifi.Flags&net.FlagLoopback != 0 && ifi.Flags&net.FlagUp != 0 {
			return ifi.Name
		}
	}
	t.Skip("no loopback interface is up")
	return ""
}

// loBeacon starts a Beacon on an interface or address of the loopback.
func loBeacon(t *testing.T, port int, on, filter string) *Beacon {
	t.Helper()
	b := NewBeacon()
	t.Cleanup(b.Close)
	beaconCmd(t, b, "INTERFACE", on)
	beaconCmd(t, b, "CONFIGURE", port)
	beaconCmd(t, b, "SUBSCRIBE", filter)
	beaconCmd(t, b, "INTERVAL", 50*time.Millisecond)
	return b
}

// hear waits until the Beacon has heard all of the datagrams.
func hear(t *testing.T, b *Beacon, want ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	deadline := time.After(patience)
	for len(missing) > 0 {
		select {
		case s := <-b.Signals:
			delete(missing, string(s.Transmit))
		case <-deadline:
			t.Fatalf("not heard: %v", missing)
		}
	}
}

func TestBeacon_loopback(t *testing.T) {
	lo := loopback(t)
	for _, on := range []string{lo, "127.0.0.1"} {
		t.Run(on, func(t *testing.T) {
			port := freeUDPPort(t)
			var all []*Beacon
			var names []string
			for i := range 5 {
				b := loBeacon(t, port, on, "ZRE")
				name := fmt.Sprintf("ZRE beacon %d", i)
				beaconCmd(t, b, "PUBLISH", []byte(name))
				all, names = append(all, b), append(names, name)
			}
			for i, b := range all {
				others := append(append([]string{}, names[:i]...), names[i+1:]...)
				hear(t, b, others...)
			}
			all[0].goodbye([]byte("ZRE bye"))
			for _, b := range all[1:] {
				hear(t, b, "ZRE bye")
			}
		})
	}
}

func TestBeacon_loopbackFilter(t *testing.T) {
	lo, port := loopback(t), freeUDPPort(t)
	hearer, speaker := loBeacon(t, port, lo, "AB"), loBeacon(t, port, lo, "")
	other := loBeacon(t, port, lo, "")
	beaconCmd(t, other, "PUBLISH", []byte("ACx"))
	beaconCmd(t, speaker, "PUBLISH", []byte("ABx"))
	hear(t, speaker, "ACx")
	s := <-hearer.Signals
	if string(s.Transmit) != "ABx" || s.Addr != "127.0.0.1" {
		t.Errorf("heard %+v, want ABx from 127.0.0.1", s)
	}
	for range 5 {
		if s := <-hearer.Signals; string(s.Transmit) != "ABx" {
			t.Errorf("heard %q, want ABx only", s.Transmit)
		}
	}
}

func TestBeacon_loopbackUnknownInterface(t *testing.T) {
	for _, on := range []string{"nosuchif0", "127.255.0.77", "fe80::1%nosuchif0"} {
		b := NewBeacon()
		beaconCmd(t, b, "INTERFACE", on)
		if r := b.SetBeaconCmd(&Cmd{ID: "CONFIGURE", Payload: freeUDPPort(t)}); !errors.Is(r.Err, ErrNoInterface) {
			t.Errorf("CONFIGURE on %s = %v, want ErrNoInterface", on, r.Err)
		}
		b.Close()
	}
}

// Beacons of others, at 500 a second, that nobody takes from Signals, keep the
// Beacon neither from sending at its interval nor from answering.
func TestBeacon_flood(t *testing.T) {
	lo, port := loopback(t), freeUDPPort(t)
	b := loBeacon(t, port, lo, "")
	ifi, err := net.InterfaceByName(lo)
	if err != nil {
		t.Fatal(err)
	}
	others, err := NewIPv4Conn(port)
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	if err := others.JoinGroup(ifi); err != nil {
		t.Fatal(err)
	}
	beaconCmd(t, b, "PUBLISH", []byte("ours"))
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	start := time.Now()
	for ; b.stats.sent.Load() < 10 || b.stats.droppedFull.Load() == 0; <-pace.C {
		// On a busy machine a send may not get to run in its time.
		if err := others.WriteTo([]byte("theirs")); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if time.Since(start) > patience {
			t.Fatalf("stats.sent, droppedFull = %d, %d after %v, want 10 and some", b.stats.sent.Load(), b.stats.droppedFull.Load(), patience)
		}
	}
	beaconCmd(t, b, "SILENCE", nil)
	if got, due := b.stats.sent.Load(), uint64(time.Since(start)/(50*time.Millisecond)); got > due+1 {
		t.Errorf("stats.sent = %d, want at most %d", got, due+1)
	}
}

// Each interval from 1 ms on is kept: the datagrams arrive sooner than at 50 ms, as before,
// and not sooner than they are due.
func TestBeacon_loopbackInterval(t *testing.T) {
	const count = 500
	lo := loopback(t)
	for _, interval := range []time.Duration{time.Millisecond, 1500 * time.Microsecond} {
		port := freeUDPPort(t)
		hearer, speaker := loBeacon(t, port, lo, "ZRE"), loBeacon(t, port, lo, "none")
		beaconCmd(t, speaker, "INTERVAL", interval)
		start := time.Now()
		beaconCmd(t, speaker, "PUBLISH", []byte("ZRE x"))
		deadline := time.After(patience)
		for heard := range count {
			select {
			case <-hearer.Signals:
			case <-deadline:
				t.Fatalf("%v: heard %d datagrams in %v, want %d", interval, heard, patience, count)
			}
		}
		if took := time.Since(start); took < (count-1)*interval {
			t.Errorf("%v: %d datagrams took %v, want at least %v", interval, count, took, (count-1)*interval)
		}
		beaconCmd(t, speaker, "SILENCE", nil)
	}
}

// settle waits until a count is back to what it was.
func settle(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for count() > want {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d %s, want %d\n%s", count(), what, want, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux: nothing to compare
	}
	return len(entries)
}

func TestBeacon_leavesNothing(t *testing.T) {
	lo, port := loopback(t), freeUDPPort(t)
	round := func() {
		a, b := NewBeacon(), NewBeacon()
		unused := NewBeacon()
		for _, x := range []*Beacon{a, b} {
			beaconCmd(t, x, "INTERFACE", lo)
			beaconCmd(t, x, "CONFIGURE", port)
			beaconCmd(t, x, "CONFIGURE", port)
			beaconCmd(t, x, "SUBSCRIBE", "")
		}
		beaconCmd(t, a, "PUBLISH", []byte("x"))
		hear(t, b, "x")
		var wg sync.WaitGroup
		for _, x := range []*Beacon{a, b, unused, a, b} {
			wg.Go(x.Close)
		}
		wg.Wait()
		start := time.Now()
		b.SetBeaconCmd(&Cmd{ID: "SILENCE"})
		if d := time.Since(start); d > time.Second {
			t.Errorf("SetBeaconCmd after Close took %v", d)
		}
	}
	round() // opens what the runtime keeps
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	for range 20 {
		round()
	}
	settle(t, "goroutines", goroutines, runtime.NumGoroutine)
	settle(t, "descriptors", descriptors, openDescriptors)
}
