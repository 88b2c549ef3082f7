package zyre

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestBeacon_interval(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		if addr := beaconCmd(t, b, "CONFIGURE", 5670); addr != "192.0.2.7" {
			t.Errorf("CONFIGURE = %v, want 192.0.2.7", addr)
		}
		start := time.Now()
		offsets := func() (ms []int64) {
			for _, s := range f.take() {
				ms = append(ms, s.at.Sub(start).Milliseconds())
			}
			return ms
		}
		expect := func(wait time.Duration, want ...int64) {
			t.Helper()
			bubble.Sleep(wait)
			synctest.Wait()
			if got := offsets(); !slices.Equal(got, want) {
				t.Errorf("sent at %v ms, want %v", got, want)
			}
		}
		beaconCmd(t, b, "PUBLISH", []byte("one"))
		expect(3500*time.Millisecond, 0, 1000, 2000, 3000)
		beaconCmd(t, b, "PUBLISH", []byte("two")) // at 3.5 s
		expect(time.Second, 3500, 4500)
		beaconCmd(t, b, "INTERVAL", 100*time.Millisecond) // at 4.5 s
		expect(250*time.Millisecond, 4600, 4700)
		beaconCmd(t, b, "INTERVAL", 3*time.Second) // at 4.75 s
		expect(4*time.Second, 7700)
		beaconCmd(t, b, "INTERVAL", time.Millisecond) // at 8.75 s
		expect(2500*time.Microsecond, 8750, 8751, 8752)
		beaconCmd(t, b, "SILENCE", nil)
		expect(10 * time.Second)
		if got := b.stats.sent.Load(); got != 12 {
			t.Errorf("stats.sent = %d, want 12", got)
		}
	})
}

func TestBeacon_publishBeforeConfigure(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "PUBLISH", []byte("early"))
		beaconCmd(t, b, "CONFIGURE", 5670)
		synctest.Wait()
		if sends := f.take(); len(sends) != 1 || sends[0].data != "early" {
			t.Errorf("sent %v, want early once", sends)
		}
	})
}

func TestBeacon_commandErrors(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		for _, cmd := range []*Cmd{
			nil,
			{ID: "DANCE"},
			{ID: ""},
			{ID: "CONFIGURE"},
			{ID: "CONFIGURE", Payload: "5670"},
			{ID: "CONFIGURE", Payload: 0},
			{ID: "CONFIGURE", Payload: 65536},
			{ID: "INTERFACE", Payload: 1},
			{ID: "INTERVAL", Payload: 5},
			{ID: "INTERVAL", Payload: time.Duration(0)},
			{ID: "INTERVAL", Payload: time.Millisecond - 1},
			{ID: "INTERVAL", Payload: -time.Second},
			{ID: "PUBLISH"},
			{ID: "PUBLISH", Payload: "text"},
			{ID: "PUBLISH", Payload: []byte{}},
			{ID: "PUBLISH", Payload: make([]byte, 256)},
			{ID: "SUBSCRIBE"},
			{ID: "SUBSCRIBE", Payload: 7},
			{ID: "VERBOSE", Payload: "yes"},
		} {
			reply := b.SetBeaconCmd(cmd)
			if reply == nil || reply.Err == nil {
				t.Errorf("SetBeaconCmd(%+v) = %+v, want an error", cmd, reply)
			} else if cmd != nil && reply.ID != cmd.ID {
				t.Errorf("SetBeaconCmd(%+v) = %+v, want the same ID", cmd, reply)
			}
		}
		// Between CONFIGUREs, an error leaves things as they are.
		beaconCmd(t, b, "CONFIGURE", 5670)
		reply := b.SetBeaconCmd(&Cmd{ID: "INTERFACE", Payload: "eth9"})
		if !errors.Is(reply.Err, ErrNoInterface) {
			t.Errorf("INTERFACE eth9 = %v, want ErrNoInterface", reply.Err)
		}
		beaconCmd(t, b, "PUBLISH", []byte("x"))
		synctest.Wait()
		if sends := f.take(); len(sends) != 1 || sends[0].on != "eth0" {
			t.Errorf("sent %v, want one on eth0", sends)
		}
	})
}

func TestBeacon_unknownInterface(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "usb0")
		reply := b.SetBeaconCmd(&Cmd{ID: "CONFIGURE", Payload: 5670})
		if !errors.Is(reply.Err, ErrNoInterface) || !strings.Contains(reply.Err.Error(), "usb0") {
			t.Fatalf("CONFIGURE = %v, want ErrNoInterface naming usb0", reply.Err)
		}
		if f.opened != 0 {
			t.Errorf("opened %d sockets, want 0", f.opened)
		}
		f.set(func() { f.host = append(f.host, netiftest.Interface(20, "usb0", netiftest.LANFlags, "10.0.0.1/8")) })
		if addr := beaconCmd(t, b, "CONFIGURE", 5670); addr != "10.0.0.1" {
			t.Errorf("CONFIGURE = %v, want 10.0.0.1", addr)
		}
	})
}

func TestBeacon_portInUse(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	f.openErr = syscall.EADDRINUSE
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		reply := b.SetBeaconCmd(&Cmd{ID: "CONFIGURE", Payload: 5670})
		if !errors.Is(reply.Err, syscall.EADDRINUSE) {
			t.Errorf("CONFIGURE = %v, want EADDRINUSE", reply.Err)
		}
	})
}

// Whatever the system refuses to send with is tried again, ever more slowly, and logged
// once.
func TestBeacon_backoff(t *testing.T) {
	for _, refusal := range []syscall.Errno{syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EPERM, syscall.ENOBUFS} {
		t.Run(refusal.Error(), func(t *testing.T) { testBackoff(t, refusal) })
	}
}

func testBackoff(t *testing.T, refusal syscall.Errno) {
	f := newFakeNet(netiftest.Eth, netiftest.Wlan)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	fakeBeacon(t, f, beaconConfig{logger: logger}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "*")
		beaconCmd(t, b, "CONFIGURE", 5670)
		f.set(func() { f.sendErr["eth0"] = refusal })
		beaconCmd(t, b, "PUBLISH", []byte("x"))
		start := time.Now()
		bubble.Sleep(22*time.Second + time.Millisecond)
		f.set(func() { delete(f.sendErr, "eth0") })
		bubble.Sleep(5 * time.Second)
		synctest.Wait()
		var bad, good []int
		for _, s := range f.take() {
			sec := int(s.at.Sub(start).Seconds())
			if s.on == "eth0" {
				bad = append(bad, sec)
			} else {
				good = append(good, sec)
			}
		}
		if want := []int{0, 1, 3, 7, 12, 17, 22, 27}; !slices.Equal(bad, want) {
			t.Errorf("failing link tried at %v, want %v", bad, want)
		}
		if len(good) != 28 {
			t.Errorf("sent %d on the good link in 27 s, want 28", len(good))
		}
		if got := b.stats.sendErrors.Load(); got != 7 {
			t.Errorf("stats.sendErrors = %d, want 7", got)
		}
	})
	if got := strings.Count(log.String(), "cannot send beacons"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, log.String())
	}
	if !strings.Contains(log.String(), "sent again") {
		t.Errorf("log does not tell the recovery:\n%s", log.String())
	}
}

// What the node had announced just before it stopped does not follow its goodbye.
func TestBeacon_goodbyeIsLast(t *testing.T) {
	for range 20 { // select picks at random
		f := newFakeNet(netiftest.Eth)
		var slow atomic.Pointer[chan struct{}]
		interfaces := func() ([]netif.Interface, error) {
			if gate := slow.Load(); gate != nil {
				<-*gate
			}
			return f.interfaces()
		}
		config := beaconConfig{interfaces: interfaces, sightings: true, awaitPublish: true}
		fakeBeacon(t, f, config, func(t *testing.T, b *Beacon) {
			beaconCmd(t, b, "CONFIGURE", 5670)
			b.announceLatest(broadcast{datagram: []byte("live 1")})
			synctest.Wait()
			gate := make(chan struct{})
			slow.Store(&gate)
			bubble.Sleep(beaconScan + time.Millisecond)
			f.take()
			b.announceLatest(broadcast{datagram: []byte("live 2")})
			done := make(chan struct{})
			go func() { b.goodbye([]byte("bye")); close(done) }()
			synctest.Wait()
			close(gate)
			<-done
			sends := f.take()
			if last := sends[len(sends)-1].data; last != "bye" {
				t.Errorf("the last datagram is %q, want the goodbye", last)
			}
		})
	}
}

func TestBeacon_goodbyeIsSent(t *testing.T) {
	f := newFakeNet(netiftest.Eth, netiftest.Wlan)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "*")
		beaconCmd(t, b, "CONFIGURE", 5670)
		beaconCmd(t, b, "PUBLISH", []byte("x"))
		synctest.Wait()
		f.take()
		b.goodbye([]byte("bye"))
		count := map[string]int{}
		for _, s := range f.take() {
			count[s.on+" "+s.data]++
		}
		if count["eth0 bye"] != 3 || count["wlan0 bye"] != 3 || len(count) != 2 {
			t.Errorf("goodbye sent %v, want bye 3 times on each", count)
		}
		bubble.Sleep(5 * time.Second)
		if sends := f.take(); len(sends) != 0 {
			t.Errorf("after goodbye sent %v, want nothing", sends)
		}
	})
}
