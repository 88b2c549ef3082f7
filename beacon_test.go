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

func TestBeacon_receive(t *testing.T) {
	f := newFakeNet(netiftest.Eth, netiftest.Wlan, netiftest.IPv6LinkLocal)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "eth0")
		beaconCmd(t, b, "CONFIGURE", 5670)
		c := f.conn(udp4)
		put := func(data, src string, ifindex int, want bool) {
			t.Helper()
			c.put(data, src, ifindex)
			select {
			case s := <-b.Signals:
				if !want || string(s.Transmit) != data || s.Addr != src {
					t.Errorf("put(%.10q, %s, %d): heard %+v, want %v", data, src, ifindex, s, want)
				}
			default:
				if want {
					t.Errorf("put(%.10q, %s, %d): heard nothing", data, src, ifindex)
				}
			}
		}
		put("ZRE unasked", "192.0.2.8", 2, false)
		beaconCmd(t, b, "SUBSCRIBE", "ZRE")
		put("ZRE1", "192.0.2.8", 2, true)
		put("ZR", "192.0.2.8", 2, false)
		put("other", "192.0.2.8", 2, false)
		put("ZRE other interface", "198.51.100.8", 3, false)
		put("ZRE subnet tells", "192.0.2.8", 0, true)
		put("ZRE other subnet", "198.51.100.8", 0, false)
		put("ZRE no source", "", 2, false)
		put("ZRE from nowhere", "0.0.0.0", 2, false)
		put("ZRE from many", "224.0.0.1", 2, false)
		put("", "192.0.2.8", 2, false)
		put("ZRE"+strings.Repeat("x", 252), "192.0.2.8", 2, true)
		put("ZRE"+strings.Repeat("x", 253), "192.0.2.8", 2, false)
		put("ZRE"+strings.Repeat("x", 5000), "192.0.2.8", 2, false)
		beaconCmd(t, b, "SUBSCRIBE", []byte{})
		put("anything", "192.0.2.8", 2, true)

		beaconCmd(t, b, "PUBLISH", []byte("mine"))
		put("mine", "192.0.2.7", 2, false)
		put("mine!", "192.0.2.7", 2, true)
		beaconCmd(t, b, "PUBLISH", []byte("mine too"))
		put("mine too", "192.0.2.7", 2, false)
		put("mine", "192.0.2.7", 2, false)
		bubble.Sleep(2 * time.Second)
		put("mine", "192.0.2.7", 2, true)
		b.goodbye([]byte("bye"))
		put("bye", "192.0.2.7", 2, false)
		put("mine too", "192.0.2.7", 2, false)
		beaconCmd(t, b, "UNSUBSCRIBE", nil)
		put("anything", "192.0.2.8", 2, false)

		s := &b.stats
		for _, c := range []struct {
			name      string
			got, want uint64
		}{
			{"received", s.received.Load(), 23},
			{"droppedSize", s.droppedSize.Load(), 3},
			{"droppedSource", s.droppedSource.Load(), 3},
			{"droppedLink", s.droppedLink.Load(), 2},
			{"droppedFilter", s.droppedFilter.Load(), 4},
			{"droppedOwn", s.droppedOwn.Load(), 5},
		} {
			if c.got != c.want {
				t.Errorf("stats.%s = %d, want %d", c.name, c.got, c.want)
			}
		}
	})
}

// A node's own datagram is another node's if it comes from an address that the host does not
// have. One that it had until just now may still lie in the socket.
func TestBeacon_foreign(t *testing.T) {
	host := func(prefixes ...string) netif.Interface {
		return netiftest.Interface(2, "eth0", netiftest.LANFlags, prefixes...)
	}
	f := newFakeNet(host("192.0.2.7/24", "192.0.2.17/24", "fe80::7/64"), netiftest.Interface(3, "eth1", netiftest.LANFlags, "192.0.2.27/24"))
	for _, sightings := range []bool{true, false} {
		f.set(func() { f.host[0] = host("192.0.2.7/24", "192.0.2.17/24", "fe80::7/64") })
		fakeBeacon(t, f, beaconConfig{sightings: sightings}, func(t *testing.T, b *Beacon) {
			beaconCmd(t, b, "INTERFACE", "eth0")
			beaconCmd(t, b, "SUBSCRIBE", "ZRE")
			beaconCmd(t, b, "CONFIGURE", 5670)
			mine := beaconDatagram([16]byte{1}, 9000, "")
			beaconCmd(t, b, "PUBLISH", mine)
			put := func(src string, foreign bool) {
				t.Helper()
				own := b.stats.droppedOwn.Load()
				f.conn(udp4).put(string(mine), src, 2)
				heard := len(b.Signals) > 0
				if heard {
					<-b.Signals
				}
				foreign = foreign && sightings
				if ours := b.stats.droppedOwn.Load() > own; heard != foreign || ours == foreign {
					t.Errorf("sightings %t, from %s: heard %t, counted as own %t, want foreign %t", sightings, src, heard, ours, foreign)
				}
			}
			put("192.0.2.7", false)
			put("192.0.2.17", false) // another address
			put("192.0.2.27", false) // another interface in the same network
			put("192.0.2.8", true)
			f.set(func() { f.host[0] = host("192.0.2.7/24") })
			put("192.0.2.17", false)
			bubble.Sleep(beaconScan)
			put("192.0.2.17", false) // until just now
			bubble.Sleep(beaconScan)
			put("192.0.2.17", true)
		})
	}
}

func TestBeacon_zone(t *testing.T) {
	f := newFakeNet(netiftest.IPv6LinkLocal)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		if addr := beaconCmd(t, b, "CONFIGURE", 5670); addr != "fe80::a%eth7" {
			t.Errorf("CONFIGURE = %v, want fe80::a%%eth7", addr)
		}
		beaconCmd(t, b, "SUBSCRIBE", "")
		f.conn(udp6).put("hello", "fe80::b%oldname", 10)
		if s := <-b.Signals; s.Addr != "fe80::b%eth7" {
			t.Errorf("Signal.Addr = %s, want fe80::b%%eth7", s.Addr)
		}
	})
}

// Nobody takes Signals: the actor goes on, and what does not fit is counted.
func TestBeacon_signalsFull(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{sightings: true, tellLinks: true}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "CONFIGURE", 5670)
		beaconCmd(t, b, "SUBSCRIBE", "")
		synctest.Wait()
		if got := netiftest.Format(<-b.linkChanges); got != "eth0 192.0.2.7 192.0.2.255" {
			t.Errorf("links after CONFIGURE = %q, want eth0", got)
		}
		flood, _ := newBeaconMsg([16]byte{1}, 1).append(nil)
		for range beaconSignals + 10 {
			f.conn(udp4).put(string(flood), "192.0.2.8", 2)
		}
		if got := b.stats.droppedFull.Load(); got != 10 {
			t.Errorf("stats.droppedFull = %d, want 10", got)
		}
		// The links change twice meanwhile: the last state is told, late.
		f.set(func() { f.host = []netif.Interface{netiftest.Wlan} })
		bubble.Sleep(1500 * time.Millisecond)
		f.set(func() { f.host = []netif.Interface{netiftest.Down(netiftest.Wlan)} })
		bubble.Sleep(1500 * time.Millisecond)
		beaconCmd(t, b, "PUBLISH", []byte("alive"))
		for range beaconSignals {
			if s := <-b.Signals; s.sighting.uuid != [16]byte{1} {
				t.Errorf("Signal = %+v, want the flood", s)
			}
		}
		if links := <-b.linkChanges; links == nil || len(links) != 0 {
			t.Errorf("links = %v, want none", links)
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
			b.announceLatest([]byte("live 1"))
			synctest.Wait()
			gate := make(chan struct{})
			slow.Store(&gate)
			bubble.Sleep(beaconScan + time.Millisecond)
			f.take()
			b.announceLatest([]byte("live 2"))
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

func TestBeacon_readErrors(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "CONFIGURE", 5670)
		beaconCmd(t, b, "SUBSCRIBE", "")
		c := f.conn(udp4)
		for range beaconMaxReadErrors - 1 {
			c.in <- fakeDatagram{err: syscall.ENETDOWN}
		}
		c.put("after errors", "192.0.2.8", 2)
		if s := <-b.Signals; string(s.Transmit) != "after errors" {
			t.Errorf("heard %q, want after errors", s.Transmit)
		}
		for range beaconMaxReadErrors {
			c.in <- fakeDatagram{err: syscall.EBADF}
		}
		f.set(func() { f.openErr = syscall.ENOBUFS })
		bubble.Sleep(3 * time.Second)
		beaconCmd(t, b, "PUBLISH", []byte("no socket"))
		bubble.Sleep(3 * time.Second)
		if f.opened != 1 || b.stats.sendErrors.Load() == 0 {
			t.Errorf("opened %d sockets, %d send errors, want 1 and some", f.opened, b.stats.sendErrors.Load())
		}
		f.set(func() { f.openErr = nil })
		bubble.Sleep(2 * time.Second)
		synctest.Wait()
		if f.opened != 2 {
			t.Fatalf("opened %d sockets, want 2", f.opened)
		}
		f.conn(udp4).put("again", "192.0.2.8", 2)
		if s := <-b.Signals; string(s.Transmit) != "again" {
			t.Errorf("heard %q, want again", s.Transmit)
		}
	})
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
