package zyre

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oneOfEach is each of the ten messages, with all its fields.
func oneOfEach(f *fakePeer) map[string][]byte {
	frames := map[string][]byte{}
	for _, m := range []*ZreMsg{
		f.hello("hall", "gate"), {id: WhisperID}, {id: ShoutID, Group: "hall"},
		{id: JoinID, Group: "hall", Status: 1}, {id: LeaveID, Group: "hall", Status: 1}, {id: PingID}, {id: PingOkID},
		{id: ElectID, Group: "hall", candidate: f.uuidText()}, {id: LeaderID, Group: "hall", candidate: f.uuidText()},
		{id: GoodbyeID},
	} {
		frames[fmt.Sprint(m.id)] = f.frames(m, 1)[0]
	}
	return frames
}

// stranger is a fake that says nothing of itself, connected to the victim.
func (b *bystander) stranger(name string) *fakePeer {
	b.t.Helper()
	f := newFakePeer(b.t, name, b.victim, nil)
	f.connect(firstEndpoint(b.victim))
	return f
}

// count waits until a counter has grown by exactly n since before, and fails the
// test if it grows beyond.
func (b *bystander) count(what string, before, n uint64, counter func(d Dropped) uint64) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s counted %d times", what, n), func() bool { return counter(b.dropped())-before >= n })
	b.beat()
	if got := counter(b.dropped()) - before; got != n {
		b.t.Errorf("%s counted %d times, want %d", what, got, n)
	}
}

// silence fails the test if the application saw anything of a peer.
func (b *bystander) silence(name string) {
	b.t.Helper()
	seen, _ := b.events.events()
	for _, e := range seen {
		if e.PeerName != "good" && e.PeerName != name || e.PeerName == name && name != "" {
			b.t.Errorf("event of %s: %s", name, describe(e))
		}
	}
}

func TestHostile_prefixesFromStranger(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := b.stranger("forger")
	before := b.dropped()
	foreign, malformed, strangers := uint64(0), uint64(0), uint64(0)
	for id, frame := range oneOfEach(f) {
		for i := range frame {
			switch v := (zreView{}); {
			case i < 2:
				foreign++
			case id == "1" && v.parse(frame[:i]) != nil:
				malformed++
			case i < 6:
				malformed++
			default:
				strangers++
			}
			f.send(frame[:i:i])
		}
		b.beat()
	}
	b.count("Foreign", before.Foreign, foreign, func(d Dropped) uint64 { return d.Foreign })
	b.count("Malformed", before.Malformed, malformed, func(d Dropped) uint64 { return d.Malformed })
	b.count("Strangers", before.Strangers, strangers, func(d Dropped) uint64 { return d.Strangers })
	b.silence("forger")
	b.check()
}

// What a peer that has entered sends cut short is refused, and what it sends whole
// afterwards is not affected.
func TestHostile_prefixesFromPeer(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := newFakePeer(t, "forger", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER forger", 1)
	before := b.dropped()
	malformed, whispers := uint64(0), 0
	for id, frame := range oneOfEach(f) {
		for i := 2; i < len(frame); i++ {
			part := slices.Clone(frame[:i])
			if new(zreView).parse(part) == nil {
				continue
			}
			malformed++
			if id != "1" && i >= 6 { // it counts in the sequence
				f.sent++
				putSequence(part, f.sent)
			}
			f.send(part)
			whispers++
			f.whisper("after %d", whispers)
		}
	}
	for i := range whispers {
		b.events.wait(t, fmt.Sprintf("WHISPER forger after %d", i+1), 1)
	}
	b.count("Malformed", before.Malformed, malformed, func(d Dropped) uint64 { return d.Malformed })
	if n := b.events.count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0:\n%s", n, b.events)
	}
	b.check()
}

func TestHostile_everyID(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := newFakePeer(t, "forger", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER forger", 1)
	before := b.dropped()
	for id := range 256 {
		if id >= int(HelloID) && id <= int(GoodbyeID) {
			continue
		}
		f.mu.Lock()
		f.sent++
		f.sendFrames(appendPlain(nil, byte(id), f.sent), []byte("content"), nil)
		f.mu.Unlock()
	}
	b.count("UnknownCommand", before.UnknownCommand, 256-10, func(d Dropped) uint64 { return d.UnknownCommand })
	for _, m := range []*ZreMsg{{id: ElectID, Group: "hall", candidate: "x"}, {id: LeaderID, Group: "hall", candidate: "y"}} {
		f.say(m)
	}
	// Frames too many, after messages without content.
	for _, m := range []*ZreMsg{{id: JoinID, Group: "hall", Status: 1}, {id: PingID}, {id: PingOkID}, {id: LeaveID, Group: "hall", Status: 2}} {
		f.mu.Lock()
		f.sent++
		f.sendFrames(append(f.frames(m, f.sent), make([][]byte, 5)...)...)
		f.mu.Unlock()
	}
	b.events.wait(t, "LEAVE forger hall", 1)
	// No content, and much of it.
	f.mu.Lock()
	f.sent++
	f.sendFrames(appendPlain(nil, WhisperID, f.sent))
	f.mu.Unlock()
	if e := b.events.wait(t, "WHISPER forger", 1); len(e.Msg) != 0 || len(e.Frames) != 1 {
		t.Errorf("WHISPER without content: %d frames, Msg %q, want one empty", len(e.Frames), e.Msg)
	}
	thousand := make([][]byte, 1000)
	f.say(&ZreMsg{id: ShoutID, Group: "hall", Frames: thousand})
	if e := b.events.wait(t, "SHOUT forger hall", 1); len(e.Frames) != 1000 {
		t.Errorf("SHOUT has %d frames, want 1000", len(e.Frames))
	}
	if n := b.events.count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0:\n%s", n, b.events)
	}
	b.check()
}

func TestHostile_everyStatus(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := newFakePeer(t, "forger", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER forger", 1)
	before := b.dropped()
	for status := range 256 {
		f.say(&ZreMsg{id: JoinID, Group: "g", Status: byte(status * 7)})
		f.say(&ZreMsg{id: LeaveID, Group: "g", Status: byte(status * 7)})
	}
	b.events.wait(t, "LEAVE forger g", 256)
	b.count("StatusMismatch", before.StatusMismatch, 512, func(d Dropped) uint64 { return d.StatusMismatch })
	if n := b.events.count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0", n)
	}
	b.check()
}

func TestHostile_signatureAndVersion(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := newFakePeer(t, "forger", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER forger", 1)
	before, n := b.dropped(), uint64(0)
	for _, frame := range oneOfEach(f) {
		for at, wrong := range map[int][]byte{0: {0, 0xFF}, 1: {0xA0, 0xFF}, 3: {0, 1, 3, 255}} {
			for _, value := range wrong {
				bad := slices.Clone(frame)
				bad[at] = value
				f.send(bad)
				n++
			}
		}
	}
	f.send(nil) // nothing at all
	n++
	b.count("Foreign", before.Foreign, n, func(d Dropped) uint64 { return d.Foreign })
	f.whisper("still here")
	b.events.wait(t, "WHISPER forger still here", 1)
	b.check()
}

func TestHostile_identities(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := newFakePeer(t, "forger", b.victim, nil)
	identities := [][]byte{b.victim.node.Load().identity, nil}
	for n := 1; n <= 255; n++ {
		identities = append(identities, append([]byte{1}, bytes.Repeat([]byte{byte(n)}, n-1)...))
	}
	for first := 2; first <= 255; first++ {
		identities = append(identities, append([]byte{byte(first)}, f.uuid[:]...))
	}
	before := b.dropped()
	want := uint64(0)
	for i, identity := range identities {
		if len(identity) == identitySize && identity[0] == 1 && !bytes.Equal(identity[1:], b.victim.uuid[:]) {
			continue
		}
		f.identity = identity
		f.greet(firstEndpoint(b.victim))
		f.whisper("x")
		want += 2
		if i%50 == 0 {
			b.beat()
		}
		eventually(t, "BadIdentity", func() bool { return b.dropped().BadIdentity-before.BadIdentity >= want })
	}
	b.silence("forger")
	b.check()
}

// HELLOs with endpoints of every kind that cannot be used.
func TestHostile_endpoints(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	good := firstEndpoint(b.good)
	own := firstEndpoint(b.victim)
	ownPort := own[strings.LastIndexByte(own, ':'):]
	for i, c := range []struct {
		endpoint string
		counter  func(d Dropped) uint64
		enters   bool
	}{
		{"", unreachable, false},
		{"garbage", unreachable, false},
		{"tcp://no-such-host.invalid:1", unreachable, false},
		{"tcp://localhost" + ownPort, unreachable, false},
		{"udp://127.0.0.1:1", unreachable, false},
		{"ipc:///tmp/zyre-hostile", unreachable, false},
		{"inproc://x", unreachable, false},
		{"tcp://*:1", unreachable, false},
		{"tcp://0.0.0.0" + ownPort, unreachable, false},
		{"tcp://[::]" + ownPort, unreachable, false},
		{"tcp://[::ffff:0.0.0.0]" + ownPort, unreachable, false},
		{"tcp://[::ffff:224.0.0.1]:1", unreachable, false},
		{"tcp://[::ffff:255.255.255.255]:1", unreachable, false},
		{"tcp://255.255.255.255:1", unreachable, false},
		{"tcp://224.0.0.1:1", unreachable, false},
		{"tcp://127.0.0.1:0", unreachable, false},
		{"tcp://127.0.0.1:99999", unreachable, false},
		{"tcp://127.0.0.1;127.0.0.1:1", unreachable, false},
		{"tcp://lo:1", unreachable, false},
		{"tcp://[fe80::1%lo]:1", unreachable, false},
		{"tcp://127.0.0.1:1\x00", unreachable, false},
		{strings.Repeat("x", 255), unreachable, false},
		{own, refused, false},
		{"tcp://[::ffff:127.0.0.1]" + ownPort, refused, false},
		{good, refused, false},
		{"tcp://127.0.0.1:1", nil, true},
	} {
		f := newFakePeer(t, fmt.Sprintf("forger-%d", i), b.victim, nil)
		f.endpoint = c.endpoint
		before := b.dropped()
		f.greet(own)
		f.whisper("x")
		start := time.Now()
		b.beat()
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("endpoint %q: the round trip of a good peer took %v, want less than 200ms", c.endpoint, took)
		}
		if c.enters {
			b.events.wait(t, "ENTER "+f.name, 1)
			f.close()
			continue
		}
		what := fmt.Sprintf("counter of endpoint %q", c.endpoint)
		b.count(what, c.counter(before), 1, c.counter)
		if n := b.events.count("ENTER " + f.name); n != 0 {
			t.Errorf("endpoint %q: ENTER came", c.endpoint)
		}
		f.close()
	}
	b.check()
}

func unreachable(d Dropped) uint64 { return d.Unreachable }
func refused(d Dropped) uint64     { return d.HelloRefused }

// A forger that claims the endpoint of a live peer, again and again.
func TestHostile_claims(t *testing.T) {
	port := freeUDPPort(t)
	b := newBystander(t, port)
	good := firstEndpoint(b.good)
	goodPort, err := strconv.Atoi(good[strings.LastIndexByte(good, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	f := newFakePeer(t, "forger", b.victim, nil)
	f.endpoint = good
	for range 50 {
		if _, err := rand.Read(f.uuid[:]); err != nil {
			t.Fatal(err)
		}
		f.identity = appendIdentity(nil, f.uuid)
		sendBeacon(t, port, f.uuid, uint16(goodPort))
		f.greet(firstEndpoint(b.victim))
		b.beat()
		sendBeacon(t, port, b.good.uuid, 1) // and another's UUID
		b.beat()
	}
	eventually(t, "no half-open peers are left", func() bool { return b.victim.Stats().HalfOpen <= 1 })
	b.silence("forger")
	b.check()
}

// Length fields that claim gigabytes cost no more than what came.
func TestHostile_lengthsAllocateNothing(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	f := b.stranger("forger")
	huge := []byte{0xFF, 0xFF, 0xFF, 0xFF}
	hello := appendPlain(nil, HelloID, 1)
	hello = append(hello, byte(len(f.endpoint)))
	hello = append(hello, f.endpoint...)
	var bad [][]byte
	bad = append(bad, append(slices.Clone(hello), huge...))                                          // groups
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 1), huge...))                      // length of a group
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 0, 1, 0), huge...))                // headers
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), huge...)) // a value
	padding := make([]byte, 100<<10)
	padded := append(append(slices.Clone(hello), 0, 0x0F, 0xFF, 0xFF), padding...) // a million groups
	before := b.dropped()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	const rounds = 100
	sent := 0
	for range rounds {
		for _, frame := range append(bad, padded) {
			f.send(frame)
			sent += len(frame)
		}
	}
	eventually(t, "all are counted", func() bool { return b.dropped().Malformed-before.Malformed >= uint64(rounds*(len(bad)+1)) })
	runtime.ReadMemStats(&m1)
	allocated := int(m1.TotalAlloc - m0.TotalAlloc)
	t.Logf("sent %d bytes, allocated %d", sent, allocated)
	if allocated > 3*sent {
		t.Errorf("allocated %d bytes for %d that came, want at most three times as many", allocated, sent)
	}
	b.beat()
	b.silence("forger")
	b.check()
}

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
	before := countResources()
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
	eventually(t, "descriptors go back", func() bool { return countResources().descriptors <= before.descriptors })
	// A newcomer enters all the same.
	f := newFakePeer(t, "newcomer", b.victim, nil)
	f.greet(firstEndpoint(b.victim))
	b.events.wait(t, "ENTER newcomer", 1)
	b.check()
}

// HELLO with groups and headers without end is refused whole.
func TestHostile_giantHello(t *testing.T) {
	b := newBystander(t, freeUDPPort(t))
	many := func(n int) (groups []string) {
		for i := range n {
			groups = append(groups, fmt.Sprint(i))
		}
		return groups
	}
	headers := func(n int) map[string]string {
		h := map[string]string{}
		for i := range n {
			h[fmt.Sprint(i)] = ""
		}
		return h
	}
	for _, c := range []struct {
		groups, headers int
		enters          bool
		counter         func(d Dropped) uint64
	}{
		{maxPeerGroups, 0, true, nil},
		{maxPeerGroups + 1, 0, false, func(d Dropped) uint64 { return d.GroupsRefused }},
		{0, maxPeerHeaders, true, nil},
		{0, maxPeerHeaders + 1, false, func(d Dropped) uint64 { return d.HelloRefused }},
		{0, 50_000, false, func(d Dropped) uint64 { return d.HelloRefused }},
	} {
		f := b.stranger(fmt.Sprintf("forger-%d-%d", c.groups, c.headers))
		before := b.dropped()
		hello := f.hello(many(c.groups)...)
		hello.Headers = headers(c.headers)
		f.say(hello)
		if c.enters {
			e := b.events.wait(t, "ENTER "+f.name, 1)
			if len(e.Headers) != c.headers {
				t.Errorf("ENTER has %d headers, want %d", len(e.Headers), c.headers)
			}
			if c.groups > 0 {
				b.events.wait(t, "JOIN "+f.name, c.groups)
			}
			f.say(&ZreMsg{id: GoodbyeID})
			b.events.wait(t, "EXIT "+f.name, 1)
		} else {
			b.count("a giant HELLO", c.counter(before), 1, c.counter)
			if n := b.events.count("ENTER " + f.name); n != 0 {
				t.Errorf("HELLO with %d groups, %d headers: ENTER came", c.groups, c.headers)
			}
		}
		b.beat()
	}
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
	sendBeacon(t, port, b.victim.uuid, 1)
	b.count("OwnBeacons", d.OwnBeacons, 1, func(d Dropped) uint64 { return d.OwnBeacons })
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
	before := countResources()
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
	eventually(t, "descriptors go back", func() bool { return countResources().descriptors <= before.descriptors })
}
