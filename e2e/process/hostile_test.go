//go:build unix

package process

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

// bystander is a pair of healthy nodes that talk while one of them is attacked: the
// victim, whose events are checked, hears beats from the other.
type bystander struct {
	t      testing.TB
	victim *zyre.Zyre
	good   *child.Node
	events *watch.Log // of the victim
	watch.Beats
}

// newBystander starts the node under attack and a healthy peer of it.
func newBystander(t testing.TB, port int) *bystander {
	t.Helper()
	b := &bystander{t: t, victim: kit.NewNode(t, "victim", port)}
	b.victim.Join("hall")
	b.events = watch.Start(t, b.victim)
	b.good = child.Run(t, remote("good", port))
	b.Beats = watch.Beats{T: t, Events: b.events, Peer: "good", Send: func(text string) { b.good.Whisper(b.victim.UUID(), "%s", text) }}
	b.events.Wait(t, "ENTER good", 1)
	b.good.Wait(t, "ENTER victim", 1)
	return b
}

// dial connects to the victim.
func (b *bystander) dial() net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(child.Endpoint(b.victim), "tcp://"))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// together asks whether the two see each other, and nobody else.
func (b *bystander) together() bool {
	good := b.good.Stats().PeerList
	return slices.Equal(b.victim.Peers(), []string{b.good.UUID}) && len(good) == 1 && good[0].UUID == b.victim.UUID()
}

// ZMTP frames that claim gigabytes are libzmq's to refuse.
func TestHostile_frameLengths(t *testing.T) {
	b := newBystander(t, kit.FreeUDPPort(t))
	for _, claim := range []uint64{1 << 20, 1 << 30, 1 << 32, 1 << 40, 1 << 62, 1<<63 - 1, 1<<64 - 1} {
		c := b.dialZMTP()
		frame := binary.BigEndian.AppendUint64([]byte{2}, claim) // long, last
		if _, err := c.Write(append(frame, "only this"...)); err != nil {
			t.Logf("claim %d: %v", claim, err)
		}
		b.Beat()
		c.Close()
	}
	b.Check()
}

// dialZMTP connects to the victim as a DEALER would, and shakes hands.
func (b *bystander) dialZMTP() net.Conn {
	b.t.Helper()
	c := b.dial()
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL")
	ready := "\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x11\x01ABCDEFGHIJKLMNOP"
	if _, err := c.Write(append(append(greeting, 4, byte(len(ready))), ready...)); err != nil {
		b.t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(watch.Patience))
	if _, err := io.ReadFull(c, make([]byte, 64+2+10)); err != nil {
		b.t.Fatalf("shake hands: %v", err)
	}
	return c
}

func TestHostile_foreignProtocols(t *testing.T) {
	b := newBystander(t, kit.FreeUDPPort(t))
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
			c := b.dial()
			if _, err := c.Write(bytes); err != nil {
				t.Logf("%s: %v", name, err)
			}
			c.Close()
		}
		b.Beat()
	}
	b.CheckSilence()
	b.Check()
}

// Connections that say nothing, or next to nothing, keep nobody from being served,
// and leave nothing behind.
func TestHostile_silentConnections(t *testing.T) {
	port := kit.FreeUDPPort(t)
	b := newBystander(t, port)
	b.Beat()
	before := leak.Count(t)
	var conns []net.Conn
	for i := range 500 {
		conns = append(conns, b.dial())
		if i%100 == 0 {
			b.Beat()
		}
	}
	greeting := append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'N', 'U', 'L', 'L'}, make([]byte, 48)...)
	for i := range greeting { // slow loris
		for _, c := range conns[:100] {
			_, _ = c.Write(greeting[i : i+1])
		}
		b.Beat()
	}
	for _, c := range conns {
		c.Close()
	}
	watch.Until(t, "descriptors go back", func() bool { return leak.Count(t).Descriptors <= before.Descriptors })
	// A newcomer enters all the same.
	child.Run(t, remote("newcomer", port))
	b.events.Wait(t, "ENTER newcomer", 1)
	b.Check()
}

func TestHostile_datagrams(t *testing.T) {
	const size, version = 22, 1 // of a proper beacon
	port := kit.FreeUDPPort(t)
	b := newBystander(t, port)
	var noise [1500]byte
	_, _ = rand.Read(noise[:])
	beacons := func(length int) (datagrams [][]byte) {
		datagrams = append(datagrams, noise[:length])
		for v := range 5 {
			d := slices.Clone(noise[:length])
			copy(d, []byte{'Z', 'R', 'E', byte(v)})
			if length != size || v != version {
				datagrams = append(datagrams, d)
			}
		}
		return datagrams
	}
	for length := range 1501 {
		sendDatagrams(t, port, beacons(length)...)
		if length%100 == 0 {
			b.Beat()
		}
	}
	b.Beat()
	dropped := b.victim.Stats().Dropped
	if dropped.BadBeacons == 0 {
		t.Errorf("BadBeacons = 0, want more")
	}
	watch.Until(t, "OwnBeacons counted", func() bool { // the system may drop some after such a flood
		sendBeacon(t, port, uuidOf(t, b.victim.UUID()), 1)
		return b.victim.Stats().Dropped.OwnBeacons > dropped.OwnBeacons
	})
	for range 20 {
		sendBeacon(t, port, [16]byte(noise[:]), 0)
		sendBeacon(t, port, uuidOf(t, b.good.UUID), 1)
		b.Beat()
	}
	if s := b.victim.Stats(); s.HalfOpen != 0 || s.Peers != 1 {
		t.Errorf("HalfOpen, Peers = %d, %d, want 0, 1", s.HalfOpen, s.Peers)
	}
	b.CheckSilence()
	b.Check()
}

// A forged goodbye costs one EXIT: the peer is back at once.
func TestHostile_forgedGoodbye(t *testing.T) {
	port := kit.FreeUDPPort(t)
	b := newBystander(t, port)
	sendBeacon(t, port, uuidOf(t, b.good.UUID), 0)
	b.events.Wait(t, "EXIT good", 1)
	b.events.Wait(t, "ENTER good", 2)
	watch.Until(t, "good sees victim", b.together)
	b.good.Whisper(b.victim.UUID(), "again")
	b.events.Wait(t, "WHISPER good again", 1)
	b.victim.Whispers(b.good.UUID, "again")
	b.good.Wait(t, "WHISPER victim again", 1)
	b.events.CheckCount(t, "EXIT good", 1)
}

// Forged goodbyes without end keep two nodes apart no longer than they last.
func TestHostile_forgedGoodbyeFlood(t *testing.T) {
	port := kit.FreeUDPPort(t)
	b := newBystander(t, port)
	goodbyes := 0
	watch.Paced(5*time.Millisecond, func() (last bool) {
		sendBeacon(t, port, uuidOf(t, b.good.UUID), 0)
		sendBeacon(t, port, uuidOf(t, b.victim.UUID()), 0)
		goodbyes++
		return goodbyes == 500
	})
	start := time.Now()
	exits := b.events.Count("EXIT good")
	watch.Until(t, "they meet again", b.together)
	// Ten beacons of each later whatever goodbyes were left have had their effect.
	beacons := func() [2]uint64 { return [2]uint64{b.victim.Stats().Beacon.Sent, b.good.Stats().Beacon.Sent} }
	met := beacons()
	again := 0
	watch.Until(t, "ten beacons of each", func() bool {
		again++
		b.good.Whisper(b.victim.UUID(), "again %d", again)
		now := beacons()
		return now[0] >= met[0]+10 && now[1] >= met[1]+10
	})
	b.events.Wait(t, fmt.Sprintf("WHISPER good again %d", again), 1)
	t.Logf("%d goodbyes of each gave %d EXITs; messages flow %v after", goodbyes, exits, time.Since(start))
	if exits > 60 { // each return takes a beacon
		t.Errorf("EXIT came %d times, want at most 60", exits)
	}
	if late := b.events.Count("EXIT good") - exits; late > 1 {
		t.Errorf("EXIT came %d times after the flood, want at most 1:\n%s", late, b.events)
	}
}

// A flood of beacons that name ports where nobody is, from nodes that do not exist.
func TestHostile_beaconFlood(t *testing.T) {
	const maxHalfOpen = 1024
	port := kit.FreeUDPPort(t)
	before := leak.Count(t)
	b := newBystander(t, port)
	datagrams := make([][]byte, 5000)
	for i := range datagrams {
		var uuid [16]byte
		_, _ = rand.Read(uuid[:])
		datagrams[i] = child.BeaconOf(uuid, uint16(1+i%1000))
	}
	for i := 0; i < len(datagrams); i += 500 {
		sendDatagrams(t, port, datagrams[i:i+500]...)
		b.Beat()
		if s := b.victim.Stats(); s.HalfOpen > maxHalfOpen {
			t.Errorf("HalfOpen = %d, want at most %d", s.HalfOpen, maxHalfOpen)
		}
	}
	s := b.victim.Stats()
	t.Logf("half open %d, refused %d, evicted %d, errors %d", s.HalfOpen, s.Dropped.BeaconsRefused, s.Dropped.HalfOpenEvicted, s.Dropped.Errors)
	// A real newcomer is found, since beacons repeat.
	start := time.Now()
	late := child.Run(t, remote("late", port))
	b.events.Wait(t, "ENTER late", 1)
	t.Logf("a newcomer entered after %v", time.Since(start))
	b.Beat()
	b.Check()
	late.Process.End()
	b.good.Process.End()
	b.victim.Stop()
	watch.Until(t, "descriptors go back", func() bool { return leak.Count(t).Descriptors <= before.Descriptors })
}

// The sender of a message that is larger than its receiver takes hears of it, once, and what
// it sends afterwards arrives. A message within the limit arrives.
func TestHostile_tooLarge(t *testing.T) {
	const limit = 64 << 20
	port := kit.FreeUDPPort(t)
	z := kit.QuickTimeouts(kit.NewNode(t, "alice", port), 500*time.Millisecond, 20*time.Second)
	events := watch.Start(t, z)
	bob := child.Run(t, remote("bob", port))
	events.Wait(t, "ENTER bob", 1)
	bob.Wait(t, "ENTER alice", 1)
	for _, size := range []int{limit + 1, 96 << 20} {
		before := events.Count("EXIT bob")
		z.Whisper(bob.UUID, make([]byte, size))
		events.Wait(t, "EXIT bob", before+1)
		events.Wait(t, "ENTER bob", before+2)
		text := fmt.Sprint("after ", size)
		watch.Until(t, "a small message arrives", func() bool {
			z.Whispers(bob.UUID, "%s", text)
			return bob.Count("WHISPER alice "+text) > 0
		})
	}
	for _, e := range events.Entries() {
		if e.Type == zyre.EventExit && e.Reason != zyre.ReasonTooLarge {
			t.Errorf("EXIT with reason %q, want %q", e.Reason, zyre.ReasonTooLarge)
		}
	}
	if n := events.Count("EXIT bob"); n != 2 {
		t.Errorf("%d EXIT, want 2", n)
	}
	if err := z.WhisperContext(t.Context(), bob.UUID, make([][]byte, 10_001)...); !errors.Is(err, zyre.ErrTooLarge) {
		t.Errorf("WhisperContext(10,001 frames) = %v, want ErrTooLarge", err)
	}
	if err := z.ShoutContext(t.Context(), "hall", make([][]byte, 10_001)...); !errors.Is(err, zyre.ErrTooLarge) {
		t.Errorf("ShoutContext(10,001 frames) = %v, want ErrTooLarge", err)
	}
	if n := events.Count("EXIT bob"); n != 2 {
		t.Errorf("%d EXIT, want 2", n)
	}
}
