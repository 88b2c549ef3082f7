package zyre

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

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
