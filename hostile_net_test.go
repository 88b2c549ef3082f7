package zyre

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// ZMTP frames that claim gigabytes are libzmq's to refuse.
func TestHostile_frameLengths(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	for _, claim := range []uint64{1 << 20, 1 << 30, 1 << 32, 1 << 40, 1 << 62, 1<<63 - 1, 1<<64 - 1} {
		c := dialZMTP(t, firstEndpoint(b.victim))
		frame := binary.BigEndian.AppendUint64([]byte{2}, claim) // long, last
		if _, err := c.Write(append(frame, "only this"...)); err != nil {
			t.Logf("claim %d: %v", claim, err)
		}
		b.beat()
		c.Close()
	}
	b.check()
}

// dialZMTP connects as a DEALER would, and shakes hands.
func dialZMTP(t *testing.T, endpoint string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL")
	ready := "\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x11\x01ABCDEFGHIJKLMNOP"
	if _, err := c.Write(append(append(greeting, 4, byte(len(ready))), ready...)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, 64+2+10)); err != nil {
		t.Fatalf("shake hands: %v", err)
	}
	return c
}

func TestHostile_foreignProtocols(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	noise := make([]byte, 4096)
	_, _ = rand.Read(noise)
	greeting := func(version ...byte) []byte {
		return append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F}, version...)
	}
	for name, bytes := range map[string][]byte{
		"HTTP":          []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"TLS":           append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3}, noise[:512]...),
		"noise":         noise,
		"zeros":         make([]byte, 4096),
		"ZMTP 1.0":      append([]byte{1, 0, 5, 0}, noise[:64]...),
		"ZMTP 1.0 long": append([]byte{0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0}, noise[:64]...),
		"ZMTP 2.0":      append(greeting(1, 5, 0, 0), noise[:64]...),
		"ZMTP 3.1":      append(append(greeting(3, 1), "NULL"...), noise...),
		"ZMTP 3.1 mechanism": append(append(append(greeting(3, 1), noise[:20]...), make([]byte, 32)...),
			noise...),
		"ZMTP 3.1 READY": append(append(append(greeting(3, 1), "NULL"...), make([]byte, 48)...), append([]byte{4, 200}, noise...)...),
	} {
		for range 20 {
			c, err := net.Dial("tcp", strings.TrimPrefix(firstEndpoint(b.victim), "tcp://"))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, _ = c.Write(bytes)
			c.Close()
		}
		b.beat()
	}
	b.silence("forger")
	b.check()
}

// Connections that say nothing, or next to nothing, keep nobody from being served,
// and leave nothing behind.
func TestHostile_silentConnections(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	b.beat()
	before := countHoldings(t)
	var conns []net.Conn
	for i := range 500 {
		c, err := net.Dial("tcp", strings.TrimPrefix(firstEndpoint(b.victim), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if i%100 == 0 {
			b.beat()
		}
	}
	greeting := append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'N', 'U', 'L', 'L'}, make([]byte, 48)...)
	for i := range greeting { // slow loris
		for _, c := range conns[:100] {
			_, _ = c.Write(greeting[i : i+1])
		}
		pause(10 * time.Millisecond)
	}
	b.beat()
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "descriptors go back", func() bool { return countHoldings(t).descriptors <= before.descriptors })
	// A newcomer enters all the same.
	f := newFakePeer(t, "newcomer", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER newcomer", 1)
	b.check()
}

func TestHostile_datagrams(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	var noise [1500]byte
	_, _ = rand.Read(noise[:])
	beacons := func(length int) (datagrams [][]byte) {
		datagrams = append(datagrams, noise[:length])
		for version := range 5 {
			d := slices.Clone(noise[:length])
			copy(d, []byte{'Z', 'R', 'E', byte(version)})
			if length == beaconSize && version == beaconVersion {
				continue // a proper one
			}
			datagrams = append(datagrams, d)
		}
		return datagrams
	}
	for length := range 1501 {
		sendDatagrams(t, port, beacons(length)...)
		if length%100 == 0 {
			b.beat()
		}
	}
	b.beat()
	d := b.dropped()
	if d.BadBeacons == 0 {
		t.Errorf("BadBeacons = 0, want more")
	}
	eventually(t, "OwnBeacons counted", func() bool { // the system may drop some after such a flood
		sendBeacon(t, port, b.victim.uuid, 1)
		return b.dropped().OwnBeacons > d.OwnBeacons
	})
	for range 20 {
		sendBeacon(t, port, [16]byte(noise[:]), 0)
		sendBeacon(t, port, b.good.uuid, 1)
		b.beat()
	}
	if s := b.victim.Stats(); s.HalfOpen != 0 || s.Peers != 1 {
		t.Errorf("HalfOpen, Peers = %d, %d, want 0, 1", s.HalfOpen, s.Peers)
	}
	b.silence("")
	b.check()
}

// A forged goodbye costs one EXIT: the peer is back at once.
func TestHostile_forgedGoodbye(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	sendBeacon(t, port, b.good.uuid, 0)
	b.events.wait(t, "EXIT good", 1)
	b.events.wait(t, "ENTER good", 2)
	eventually(t, "good sees victim", func() bool { return slices.Equal(b.good.Peers(), []string{b.victim.UUID()}) })
	b.good.Whispers(b.victim.UUID(), "again")
	b.events.wait(t, "WHISPER good again", 1)
	b.victim.Whispers(b.good.UUID(), "again")
	if exits := b.events.count("EXIT good"); exits != 1 {
		t.Errorf("EXIT came %d times, want 1", exits)
	}
}

// Forged goodbyes without end keep two nodes apart no longer than they last.
func TestHostile_forgedGoodbyeFlood(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	for range 500 {
		sendBeacon(t, port, b.good.uuid, 0)
		sendBeacon(t, port, b.victim.uuid, 0)
		pause(5 * time.Millisecond)
	}
	start := time.Now()
	exits := b.events.count("EXIT good")
	eventually(t, "they meet again", func() bool {
		return slices.Equal(b.good.Peers(), []string{b.victim.UUID()}) &&
			slices.Equal(b.victim.Peers(), []string{b.good.UUID()})
	})
	for i := range 20 {
		b.good.Whispers(b.victim.UUID(), "again %d", i)
		pause(50 * time.Millisecond)
	}
	eventually(t, "messages flow", func() bool { return b.events.count("WHISPER good again 19") == 1 })
	t.Logf("500 goodbyes of each gave %d EXITs; messages flow %v after", exits, time.Since(start))
	if exits > 60 { // each return takes a beacon
		t.Errorf("EXIT came %d times, want at most 60", exits)
	}
	if late := b.events.count("EXIT good") - exits; late > 1 {
		t.Errorf("EXIT came %d times after the flood, want at most 1:\n%s", late, b.events)
	}
}

// A flood of beacons that name ports where nobody is, from nodes that do not exist.
func TestHostile_beaconFlood(t *testing.T) {
	port := freeUDPPort(t)
	before := countHoldings(t)
	b := newBystander(t, port)
	datagrams := make([][]byte, 5000)
	for i := range datagrams {
		var uuid [16]byte
		_, _ = rand.Read(uuid[:])
		d, err := newBeaconMsg(uuid, uint16(1+i%1000)).append(nil)
		if err != nil {
			t.Fatal(err)
		}
		datagrams[i] = d
	}
	for i := 0; i < len(datagrams); i += 500 {
		sendDatagrams(t, port, datagrams[i:i+500]...)
		b.beat()
		if s := b.victim.Stats(); s.HalfOpen > maxHalfOpen {
			t.Errorf("HalfOpen = %d, want at most %d", s.HalfOpen, maxHalfOpen)
		}
	}
	s := b.victim.Stats()
	t.Logf("half open %d, refused %d, evicted %d, errors %d", s.HalfOpen, s.Dropped.BeaconsRefused, s.Dropped.HalfOpenEvicted, s.Dropped.Errors)
	// A real newcomer is found, since beacons repeat.
	late := newLoopbackNode(t, "late", port)
	start := time.Now()
	mustStart(t, late)
	b.events.wait(t, "ENTER late", 1)
	t.Logf("a newcomer entered after %v", time.Since(start))
	b.beat()
	b.check()
	late.Stop()
	b.good.Stop()
	b.victim.Stop()
	eventually(t, "descriptors go back", func() bool { return countHoldings(t).descriptors <= before.descriptors })
}
