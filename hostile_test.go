package zyre

import (
	"bytes"
	"crypto/rand"
	"fmt"
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
	eventuallyAll(b.t, what+" counted", int(n), func() int { return int(counter(b.dropped()) - before) })
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
	eventuallyAll(t, "all are counted", rounds*(len(bad)+1), func() int { return int(b.dropped().Malformed - before.Malformed) })
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
