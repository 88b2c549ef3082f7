package local_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// headerSize is the size of a header frame up to and with its sequence number.
const headerSize = 6

// oneOfEach is the header frame of each of the ten messages, with all its fields, by id.
func oneOfEach(t *testing.T, f *stranger) map[uint8][]byte {
	t.Helper()
	hello := f.Hello("hall", "gate")
	hello.Headers = []foreign.Header{{Key: "X", Value: "y"}}
	frames := map[uint8][]byte{}
	for _, m := range []foreign.Message{
		hello, {ID: foreign.WhisperID}, {ID: foreign.ShoutID, Group: "hall"},
		{ID: foreign.JoinID, Group: "hall", Status: 1}, {ID: foreign.LeaveID, Group: "hall", Status: 1},
		{ID: foreign.PingID}, {ID: foreign.PingOkID},
		{ID: foreign.ElectID, Group: "hall", Candidate: f.UUIDText()},
		{ID: foreign.LeaderID, Group: "hall", Candidate: f.UUIDText()}, {ID: foreign.GoodbyeID},
	} {
		m.Sequence = 1
		header, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		frames[m.ID] = header
	}
	return frames
}

func TestHostile_prefixesFromStranger(t *testing.T) {
	b := newBystander(t)
	f := b.newForger("forger")
	before := b.dropped()
	unlike, malformed, strangers := uint64(0), uint64(0), uint64(0)
	for id, frame := range oneOfEach(t, f) {
		for i := range frame {
			_, err := foreign.Parse(frame[:i])
			switch {
			case i < 2:
				unlike++
			case i < headerSize, id == foreign.HelloID && err != nil:
				malformed++
			default:
				strangers++
			}
			f.must(f.conn.Send(frame[:i:i]))
		}
		b.Beat()
	}
	b.checkCount("Foreign", before.Foreign, unlike, func(d zyre.Dropped) uint64 { return d.Foreign })
	b.checkCount("Malformed", before.Malformed, malformed, func(d zyre.Dropped) uint64 { return d.Malformed })
	b.checkCount("BeforeHello", before.BeforeHello, strangers, func(d zyre.Dropped) uint64 { return d.BeforeHello })
	b.CheckSilence()
	b.Check()
}

// What a peer that has entered sends cut short is refused, and what it sends whole
// afterwards is not affected.
func TestHostile_prefixesFromPeer(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("forger")
	before := b.dropped()
	malformed, whispers := uint64(0), 0
	for id, frame := range oneOfEach(t, f) {
		for i := 2; i < len(frame); i++ {
			part := slices.Clone(frame[:i])
			if _, err := foreign.Parse(part); err == nil {
				continue
			}
			malformed++
			if id != foreign.HelloID && i >= headerSize { // it counts in the sequence
				sequence, err := f.conn.Next()
				f.must(err)
				foreign.SetSequence(part, sequence)
			}
			f.must(f.conn.Send(part))
			whispers++
			f.whisper("after %d", whispers)
		}
	}
	for i := range whispers {
		b.events.Wait(t, fmt.Sprintf("WHISPER forger after %d", i+1), 1)
	}
	b.checkCount("Malformed", before.Malformed, malformed, func(d zyre.Dropped) uint64 { return d.Malformed })
	if n := b.events.Count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0:\n%s", n, b.events)
	}
	b.Check()
}

func TestHostile_everyID(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("forger")
	before := b.dropped()
	for id := range 256 {
		if id < foreign.HelloID || id > foreign.GoodbyeID {
			f.say(foreign.Message{ID: byte(id), Content: [][]byte{[]byte("content"), nil}})
		}
	}
	b.checkCount("UnknownCommand", before.UnknownCommand, 256-10, func(d zyre.Dropped) uint64 { return d.UnknownCommand })
	for _, m := range []foreign.Message{
		{ID: foreign.ElectID, Group: "hall", Candidate: "x"}, {ID: foreign.LeaderID, Group: "hall", Candidate: "y"},
	} {
		f.say(m)
	}
	// Frames too many, after messages without content.
	for _, m := range []foreign.Message{
		{ID: foreign.JoinID, Group: "hall", Status: 1}, {ID: foreign.PingID}, {ID: foreign.PingOkID},
		{ID: foreign.LeaveID, Group: "hall", Status: 2},
	} {
		m.Content = make([][]byte, 5)
		f.say(m)
	}
	b.events.Wait(t, "LEAVE forger hall", 1)
	// No content, and much of it.
	f.say(foreign.Message{ID: foreign.WhisperID})
	if e := b.events.Wait(t, "WHISPER forger", 1); len(e.Msg) != 0 || len(e.Frames) != 1 {
		t.Errorf("WHISPER without content: %d frames, Msg %q, want one empty", len(e.Frames), e.Msg)
	}
	f.say(foreign.Message{ID: foreign.ShoutID, Group: "hall", Content: make([][]byte, 1000)})
	if e := b.events.Wait(t, "SHOUT forger hall", 1); len(e.Frames) != 1000 {
		t.Errorf("SHOUT has %d frames, want 1000", len(e.Frames))
	}
	if n := b.events.Count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0:\n%s", n, b.events)
	}
	b.Check()
}

func TestHostile_everyStatus(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("forger")
	before := b.dropped()
	for status := range 256 {
		f.say(foreign.Message{ID: foreign.JoinID, Group: "g", Status: byte(status * 7)})
		f.say(foreign.Message{ID: foreign.LeaveID, Group: "g", Status: byte(status * 7)})
	}
	b.events.Wait(t, "LEAVE forger g", 256)
	b.checkCount("StatusMismatch", before.StatusMismatch, 512, func(d zyre.Dropped) uint64 { return d.StatusMismatch })
	if n := b.events.Count("EXIT"); n != 0 {
		t.Errorf("EXIT came %d times, want 0", n)
	}
	b.Check()
}

func TestHostile_signatureAndVersion(t *testing.T) {
	b := newBystander(t)
	f := b.enteredForger("forger")
	before, n := b.dropped(), uint64(0)
	for _, frame := range oneOfEach(t, f) {
		for at, wrong := range map[int][]byte{0: {0, 0xFF}, 1: {0xA0, 0xFF}, 3: {0, 1, 3, 255}} {
			for _, value := range wrong {
				bad := slices.Clone(frame)
				bad[at] = value
				f.must(f.conn.Send(bad))
				n++
			}
		}
	}
	f.must(f.conn.Send(nil)) // nothing at all
	n++
	b.checkCount("Foreign", before.Foreign, n, func(d zyre.Dropped) uint64 { return d.Foreign })
	f.whisper("still here")
	b.events.Wait(t, "WHISPER forger still here", 1)
	b.Check()
}

func TestHostile_identities(t *testing.T) {
	b := newBystander(t)
	f := b.forger("forger")
	uuid := f.UUID()
	identities := [][]byte{routingID(kit.UUIDBytes(t, b.victim)), nil}
	for n := 1; n <= 255; n++ {
		if n != len(routingID(uuid)) { // else it is a proper one
			identities = append(identities, append([]byte{1}, bytes.Repeat([]byte{byte(n)}, n-1)...))
		}
	}
	for first := 2; first <= 255; first++ { // any byte may come before a UUID, but not before the victim's own
		own := routingID(kit.UUIDBytes(t, b.victim))
		own[0] = byte(first)
		identities = append(identities, own)
	}
	before, want := b.dropped(), uint64(0)
	for i, identity := range identities {
		f.dial(kit.Endpoint(t, b.victim), foreignnet.ConnOptions{RoutingID: identity, Anonymous: identity == nil})
		f.must(f.conn.SayHello())
		f.whisper("x")
		want += 2
		if i%50 == 0 {
			b.Beat()
		}
		watch.Until(t, "BadIdentity", func() bool { return b.dropped().BadIdentity-before.BadIdentity >= want })
	}
	b.CheckSilence()
	b.Check()
}

// routingID is the identity under which a node with a UUID connects.
func routingID(uuid [16]byte) []byte { return append([]byte{1}, uuid[:]...) }

// HELLOs with endpoints of every kind that cannot be used.
func TestHostile_endpoints(t *testing.T) {
	b := newBystander(t)
	own, good := kit.Endpoint(t, b.victim), kit.Endpoint(t, b.good)
	ownPort := own[strings.LastIndexByte(own, ':'):]
	for i, c := range []struct {
		endpoint string
		counter  func(d zyre.Dropped) uint64
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
		f := b.newForger(fmt.Sprintf("forger-%d", i))
		before := b.dropped()
		hello := f.Hello()
		hello.Endpoint = c.endpoint
		f.say(hello)
		f.whisper("x")
		start := time.Now()
		b.Beat()
		if took := time.Since(start); took > time.Second {
			t.Errorf("endpoint %q: the round trip of a good peer took %v, want less than 1s", c.endpoint, took)
		}
		if c.enters {
			b.events.Wait(t, "ENTER "+f.Name(), 1)
			f.kill()
			continue
		}
		b.checkCount(fmt.Sprintf("endpoint %q", c.endpoint), c.counter(before), 1, c.counter)
		if n := b.events.Count("ENTER " + f.Name()); n != 0 {
			t.Errorf("endpoint %q: ENTER came", c.endpoint)
		}
		f.kill()
	}
	b.Check()
}

func unreachable(d zyre.Dropped) uint64 { return d.Unreachable }
func refused(d zyre.Dropped) uint64     { return d.HelloRefused }

// A forger that claims the endpoint of a live peer, again and again.
func TestHostile_claims(t *testing.T) {
	b := newBystander(t)
	good := kit.Endpoint(t, b.good)
	f := b.forger("forger")
	hello := f.Hello()
	hello.Endpoint = good
	for range 50 {
		var uuid [16]byte
		_, _ = rand.Read(uuid[:])
		sendBeacon(t, b.port, uuid, kit.Port(t, good))
		f.dial(kit.Endpoint(t, b.victim), foreignnet.ConnOptions{RoutingID: routingID(uuid)})
		f.say(hello)
		b.Beat()
		sendBeacon(t, b.port, kit.UUIDBytes(t, b.good), 1) // and another's UUID
		b.Beat()
	}
	watch.Until(t, "no half-open peers are left", func() bool { return b.victim.Stats().HalfOpen <= 1 })
	b.CheckSilence()
	b.Check()
}

// Length fields that claim gigabytes cost no more than what came.
func TestHostile_lengthsAllocateNothing(t *testing.T) {
	b := newBystander(t)
	f := b.newForger("forger")
	huge := []byte{0xFF, 0xFF, 0xFF, 0xFF}
	plain := foreign.Message{ID: foreign.PingID, Sequence: 1}
	hello, err := plain.Append(nil)
	f.must(err)
	hello[2] = foreign.HelloID
	hello = append(append(hello, byte(len(f.Endpoint()))), f.Endpoint()...)
	var bad [][]byte
	bad = append(bad, append(slices.Clone(hello), huge...))                                          // groups
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 1), huge...))                      // length of a group
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 0, 1, 0), huge...))                // headers
	bad = append(bad, append(append(slices.Clone(hello), 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), huge...)) // a value
	padding := make([]byte, 100<<10)
	bad = append(bad, append(append(slices.Clone(hello), 0, 0x0F, 0xFF, 0xFF), padding...)) // a million groups
	before := b.dropped()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	const rounds = 100
	sent := 0
	for range rounds {
		for _, frame := range bad {
			f.must(f.conn.Send(frame))
			sent += len(frame)
		}
	}
	watch.Reaches(t, "all are counted", rounds*len(bad), func() int { return int(b.dropped().Malformed - before.Malformed) })
	runtime.ReadMemStats(&m1)
	allocated := int(m1.TotalAlloc - m0.TotalAlloc)
	t.Logf("sent %d bytes, allocated %d", sent, allocated)
	if allocated > 3*sent {
		t.Errorf("allocated %d bytes for %d that came, want at most three times as many", allocated, sent)
	}
	b.Beat()
	b.CheckSilence()
	b.Check()
}

// What a peer may have at most, as the README says.
const (
	maxPeerGroups  = 10_000
	maxPeerHeaders = 1000
)

// HELLO with groups and headers without end is refused whole.
func TestHostile_giantHello(t *testing.T) {
	b := newBystander(t)
	for _, c := range []struct {
		groups, headers int
		counter         func(d zyre.Dropped) uint64 // nil: it enters
	}{
		{maxPeerGroups, 0, nil},
		{maxPeerGroups + 1, 0, func(d zyre.Dropped) uint64 { return d.GroupsRefused }},
		{0, maxPeerHeaders, nil},
		{0, maxPeerHeaders + 1, refused},
		{0, 50_000, refused},
	} {
		f := b.newForger(fmt.Sprintf("forger-%d-%d", c.groups, c.headers))
		before := b.dropped()
		hello := f.Hello()
		for i := range c.groups {
			hello.Groups = append(hello.Groups, fmt.Sprint(i))
		}
		hello.Status = byte(c.groups)
		for i := range c.headers {
			hello.Headers = append(hello.Headers, foreign.Header{Key: fmt.Sprint(i)})
		}
		f.say(hello)
		if c.counter != nil {
			b.checkCount("a giant HELLO", c.counter(before), 1, c.counter)
			if n := b.events.Count("ENTER " + f.Name()); n != 0 {
				t.Errorf("HELLO with %d groups, %d headers: ENTER came", c.groups, c.headers)
			}
			continue
		}
		e := b.events.Wait(t, "ENTER "+f.Name(), 1)
		if len(e.Headers) != c.headers {
			t.Errorf("ENTER has %d headers, want %d", len(e.Headers), c.headers)
		}
		if c.groups > 0 {
			b.events.Wait(t, "JOIN "+f.Name(), c.groups)
		}
		f.say(foreign.Message{ID: foreign.GoodbyeID})
		b.events.Wait(t, "EXIT "+f.Name(), 1)
		b.Beat()
	}
	b.Check()
}
