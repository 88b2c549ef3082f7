package hosts

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// forgery is beacons that a host sends for nodes that do not exist, or for others, from any
// address.
type forgery struct {
	From, To string // addresses with ports
	Beacon   []byte
	Nodes    int // if not 0, how many nodes it is for, each with a UUID of its own
	Count    int // of beacons
	Rate     int // a second; 0: all at once
}

// run returns how many it has sent.
func (f *forgery) run() (sent int, err error) {
	if f.Count == 0 {
		return 0, nil
	}
	from, err1 := netip.ParseAddrPort(f.From)
	to, err2 := netip.ParseAddrPort(f.To)
	fd, err3 := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		return 0, err
	}
	packet := datagram(from, to, f.Beacon)
	uuid := packet[len(packet)-len(f.Beacon)+4:]
	start := time.Now()
	watch.Paced(time.Millisecond, func() (last bool) {
		due := f.Count
		if f.Rate > 0 {
			due = min(due, 1+int(time.Since(start).Seconds()*float64(f.Rate)))
		}
		for ; sent < due && err == nil; sent++ {
			if f.Nodes > 0 {
				binary.BigEndian.PutUint64(uuid, uint64(sent%f.Nodes))
			}
			err = unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: to.Addr().As4()})
		}
		return sent == f.Count || err != nil
	})
	return sent, err
}

// datagram is a packet of IPv4, which the kernel completes, and UDP without a checksum.
func datagram(from, to netip.AddrPort, data []byte) []byte {
	packet := make([]byte, 28, 28+len(data))
	packet[0], packet[8], packet[9] = 0x45, 64, unix.IPPROTO_UDP
	copy(packet[12:], from.Addr().AsSlice())
	copy(packet[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(packet[20:], from.Port())
	binary.BigEndian.PutUint16(packet[22:], to.Port())
	binary.BigEndian.PutUint16(packet[24:], uint16(8+len(data)))
	return append(packet, data...)
}

// However many beacons are forged with the UUID and the key of a secure node, and another
// address, the node meets its peers as soon as it starts, and stays.
func TestNet_forgedSecureBeacons(t *testing.T) {
	for name, rate := range map[string]int{"200 a second": 200, "3000 a second": 3000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 5 * time.Second
			const mostTime = time.Second
			h := netns.NewLAN(t, "a", "b", "x")
			cfg := lifelike(child.Config{})
			cfg.PublicKey, cfg.SecretKey = kit.KeyPair(t)
			others := lifelike(child.Config{UUID: "C0FFEE00C0FFEE00C0FFEE00C0FFEE00"})
			others.PublicKey, others.SecretKey = kit.KeyPair(t)
			cfg.Authorized = []string{cfg.PublicKey, others.PublicKey}
			others.Authorized = cfg.Authorized
			a, x := node(h[0], cfg), h[2].Start("forger")
			beacon := child.BeaconOf([16]byte(slices.Repeat([]byte{0xC0, 0xFF, 0xEE, 0}, 4)), 7000)
			beacon[3] = 3
			key := kit.RawKey(others.PublicKey)
			forged := forgery{From: "10.78.0.3:5670", To: "10.78.0.255:5670", Beacon: append(beacon, key[:]...),
				Count: rate * int(limit/time.Second), Rate: rate}
			var sent int
			cost := costOf(t, a, mostMemory, func() error {
				done := make(chan error, 1)
				go func() { done <- x.Try("forge", "", forged, &sent) }()
				watch.Until(t, "a has been told of b", func() bool { return a.Stats().HalfOpen > 0 })
				b := node(h[1], others)
				waited, started := waited(a, b), time.Now()
				took := within(t, 5*time.Second, "met", meshed(a, b), a, b) - waited()
				met := time.Now()
				if took > mostTime {
					t.Errorf("met %v after b started, want at most %v", took, mostTime)
				}
				t.Logf("met %v after b started, %v of them without a processor", time.Since(started), waited())
				checkTalk(t, a, b)
				err := <-done
				checkTalk(t, a, b)
				checkPairs(t, met, 0, a, b)
				return err
			})
			t.Logf("%d beacons; %v", sent, cost)
		})
	}
}

// A stranger has a node connect to a third host, but no more often than it is told of nodes
// there, and ten times a second while that host closes its connections, for 5 s after a beacon;
// and never to one outside its subnets.
func TestNet_reflection(t *testing.T) {
	const (
		limit      = 4 * time.Second // of the attack
		listen     = 20 * time.Second
		sighting   = 5 * time.Second // for so long a node is tried after a beacon
		perSecond  = 10
		third      = "10.78.0.4:7000"
		outside    = "10.99.0.4:7000"
		many, rate = 1000, 250
	)
	beacon := child.ForgedBeacon(1, 7000)
	for name, c := range map[string]struct {
		beacons forgery
		hellos  int
		most    int           // nodes that are connected to
		tried   time.Duration // for how long
	}{
		"a node in a beacon":     {forgery{From: "10.78.0.4:5670", Count: 1}, 0, 1, sighting},
		"the same, told again":   {forgery{From: "10.78.0.4:5670", Count: many, Rate: rate}, 0, 1, limit + sighting},
		"many nodes in beacons":  {forgery{From: "10.78.0.4:5670", Count: many, Rate: rate, Nodes: many}, 0, int(limit/time.Second) + 1, limit + sighting},
		"beacons from elsewhere": {forgery{From: "10.99.0.4:5670", Count: many, Rate: rate, Nodes: many}, 0, 0, 0},
		"many nodes in HELLOs":   {forgery{}, 100, 100, listen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "x", "third")
			h[0].DefaultRoute("10.78.0.4")
			h[3].AddAddr("eth0", "10.99.0.4/24")
			a, b := node(h[0], lifelike(child.Config{Interface: "eth0"})), node(h[1], child.Config{})
			within(t, 5*time.Second, "meshed", meshed(a, b), a, b)
			x, at := h[2].Start("stranger"), h[3].Start("services")
			start, before := time.Now(), a.Stats().Beacon.Ignored
			var came map[string]int
			c.beacons.To, c.beacons.Beacon = "10.78.0.1:5670", beacon // not to all: b would connect as well
			told := namings{Node: a.Started.Endpoint, Limit: limit, Beacon: c.beacons, Named: slices.Repeat([]string{"tcp://" + third}, c.hellos)}
			cost := costOf(t, a, mostMemory, func() error {
				done := make(chan error, 1)
				go func() { done <- at.Try("service", "", service{At: []string{third, outside}, Limit: listen}, &came) }()
				return errors.Join(x.Try("name", "", told, &struct{}{}), <-done)
			})
			t.Logf("%d connections to the third host, %d outside, in %v; %v", came[third], came[outside], listen, cost)
			most := c.most
			if most > 0 {
				most += perSecond * int(c.tried/time.Second+1)
			}
			if came[third] > most || c.most > 0 && came[third] == 0 {
				t.Errorf("%d connections to the third host, want 1 to %d", came[third], most)
			}
			if came[outside] > 0 {
				t.Errorf("%d connections to another subnet, want none", came[outside])
			}
			if ignored := a.Stats().Beacon.Ignored - before; c.most == 0 && ignored == 0 {
				t.Error("no beacon ignored, want those that came from elsewhere")
			}
			checkTalk(t, a, b)
			checkPairs(t, start, 0, a, b)
		})
	}
}
