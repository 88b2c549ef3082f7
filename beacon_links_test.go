package zyre

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
)

func TestBeacon_linkChanges(t *testing.T) {
	f := newFakeNet(netiftest.Lo, netiftest.Down(netiftest.Eth))
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	fakeBeacon(t, f, beaconConfig{logger: logger, tellLinks: true}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "INTERFACE", "eth0")
		if addr := beaconCmd(t, b, "CONFIGURE", 5670); addr != "" {
			t.Errorf("CONFIGURE = %v, want no address", addr)
		}
		beaconCmd(t, b, "PUBLISH", []byte("x"))
		steps := []struct {
			host  []netif.Interface
			links string
			sends int // in the 1.5 s from when the change is seen
			open  int
		}{
			{[]netif.Interface{netiftest.Lo, netiftest.Eth}, "eth0 192.0.2.7 192.0.2.255", 2, 1},
			{[]netif.Interface{netiftest.Lo, netiftest.Interface(2, "eth0", netiftest.LANFlags, "192.0.2.9/24")}, "eth0 192.0.2.9 192.0.2.255", 2, 1},
			{[]netif.Interface{netiftest.Lo, netiftest.Interface(2, "eth0", netiftest.LANFlags, "fd00::9/64")}, "eth0 fd00::9 -", 2, 2},
			{[]netif.Interface{netiftest.Lo}, "", 0, 2},
			{[]netif.Interface{netiftest.Lo, netiftest.Interface(30, "eth0", netiftest.LANFlags, "192.0.2.9/24")}, "eth0 192.0.2.9 192.0.2.255", 2, 3},
		}
		if links := <-b.linkChanges; len(links) != 0 {
			t.Errorf("links = %v, want none", links)
		}
		for _, step := range steps {
			f.take()
			f.set(func() { f.host = step.host })
			changed := time.Now()
			if got := netiftest.Format(<-b.linkChanges); got != step.links {
				t.Errorf("links = %q, want %q", got, step.links)
			}
			if wait := time.Since(changed); wait > time.Second {
				t.Errorf("change told after %v, want at most 1 s", wait)
			}
			at := time.Now() // the very instant, in a bubble
			bubble.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			sends := slices.DeleteFunc(f.take(), func(s fakeSend) bool { return s.at.Before(at) })
			if len(sends) != step.sends {
				t.Errorf("after %q sent %v, want %d", step.links, sends, step.sends)
			}
			for _, s := range sends {
				if s.err != nil {
					t.Errorf("sent at %v: %v", s.at.Sub(at), s.err)
				}
			}
			if f.opened != step.open {
				t.Errorf("after %q opened %d sockets, want %d", step.links, f.opened, step.open)
			}
		}
	})
	if got := strings.Count(log.String(), "beacons use an interface"); got != 4 {
		t.Errorf("%d choices logged, want 4:\n%s", got, log.String())
	}
	if got := strings.Count(log.String(), "no interface for beacons"); got != 2 {
		t.Errorf("%d losses logged, want 2:\n%s", got, log.String())
	}
}

func TestBeacon_interfacesFail(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	fakeBeacon(t, f, beaconConfig{}, func(t *testing.T, b *Beacon) {
		beaconCmd(t, b, "CONFIGURE", 5670)
		beaconCmd(t, b, "PUBLISH", []byte("x"))
		f.set(func() { f.hostErr = syscall.ENOBUFS })
		bubble.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if got := len(f.take()); got != 4 {
			t.Errorf("sent %d in 3.5 s, want 4", got)
		}
	})
}

// A card is in two subnets, and a node uses one of them or both: what is heard from a
// subnet that it does not use would lead to a node that cannot answer.
func TestBeacon_subnets(t *testing.T) {
	card := netiftest.Interface(2, "eth0", netiftest.LANFlags, "192.0.2.7/24", "10.0.0.7/24")
	for _, test := range []struct {
		want, src string
		heard     bool
	}{
		{"", "192.0.2.1", true},
		{"", "10.0.0.1", true},
		{"", "198.51.100.1", false}, // of another network, or forged
		{"*", "10.0.0.1", true},
		{"192.0.2.7", "192.0.2.1", true},
		{"192.0.2.7", "10.0.0.1", false},
		{"192.0.2.7", "198.51.100.1", false},
		{"10.0.0.7,192.0.2.7", "10.0.0.1", true},
	} {
		f := newFakeNet(card)
		fakeBeacon(t, f, beaconConfig{sightings: true}, func(t *testing.T, b *Beacon) {
			beaconCmd(t, b, "INTERFACE", test.want)
			beaconCmd(t, b, "SUBSCRIBE", "ZRE")
			beaconCmd(t, b, "CONFIGURE", 5670)
			msg := newBeaconMsg([16]byte{1}, 49152)
			datagram, err := msg.append(nil)
			if err != nil {
				t.Fatal(err)
			}
			f.conn(udp4).put(string(datagram), test.src, 2)
			from := ""
			select {
			case s := <-b.Signals:
				from = s.Addr
			default:
			}
			if want := map[bool]string{true: test.src}[test.heard]; from != want {
				t.Errorf("with INTERFACE %q a datagram of %s was heard from %q, want %q", test.want, test.src, from, want)
			}
		})
	}
}
