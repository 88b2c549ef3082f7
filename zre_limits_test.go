package zyre

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// What one peer can have the node keep is bounded in bytes, whether it comes in HELLO or in
// JOINs. A HELLO beyond it is refused whole, and counted.
func TestZRE_peerBytes(t *testing.T) {
	long := strings.Repeat("x", maxString)
	manyGroups := func(count, size int) (groups []string) {
		for i := range count {
			groups = append(groups, fmt.Sprintf("%0*d", size, i))
		}
		return groups
	}
	for _, c := range []struct {
		name    string
		hello   ZreMsg
		entered bool
	}{
		{"nothing", ZreMsg{}, true},
		{"a group of 255 bytes", ZreMsg{Groups: []string{long}}, true},
		{"a group of 256 bytes", ZreMsg{Groups: []string{long + "x"}}, false},
		{"a group of 1 MiB", ZreMsg{Groups: []string{strings.Repeat("x", maxPeerBytes)}}, false},
		{"a header of 1 MiB", ZreMsg{Headers: map[string]string{"x": strings.Repeat("x", maxPeerBytes)}}, false},
		{"a header of nearly 1 MiB", ZreMsg{Headers: map[string]string{"x": strings.Repeat("x", maxPeerBytes-1000)}}, true},
		{"10,000 groups of 90 bytes", ZreMsg{Groups: manyGroups(maxPeerGroups, 90)}, true},
		{"10,000 groups of 255 bytes", ZreMsg{Groups: manyGroups(maxPeerGroups, maxString)}, false},
	} {
		b := newZREBench(t)
		c.hello.id, c.hello.Endpoint = HelloID, stateEndpoint
		packet := packetOf(t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
		packet.Header = rawHello(&c.hello)
		b.z.receive(b.now, &packet)
		if b.isEntered() != c.entered {
			t.Errorf("a HELLO with %s: entered %v, want %v", c.name, b.isEntered(), c.entered)
		}
		d := b.z.counters.dropped()
		if got := d.Malformed + d.GroupsRefused + d.HelloRefused; (got == 1) != !c.entered {
			t.Errorf("a HELLO with %s: counted %d times", c.name, got)
		}
	}
	b := newZREBench(t)
	b.hello(stateEndpoint)
	for _, group := range manyGroups(maxPeerGroups, maxString) {
		b.hear(&ZreMsg{id: JoinID, Group: group})
	}
	p := b.peer()
	if p.groupBytes > maxPeerBytes || len(p.groups) != maxPeerBytes/maxString {
		t.Errorf("JOINs: %d groups with %d bytes, want %d", len(p.groups), p.groupBytes, maxPeerBytes/maxString)
	}
	for _, group := range manyGroups(maxPeerGroups, maxString) {
		b.hear(&ZreMsg{id: LeaveID, Group: group})
	}
	if p.groupBytes != 0 {
		t.Errorf("%d bytes of groups after all LEAVEs, want 0", p.groupBytes)
	}
}

// rawHello encodes a HELLO whatever the lengths in it.
func rawHello(m *ZreMsg) []byte {
	long := func(b []byte, s string) []byte {
		return append(append(b, byte(len(s)>>24), byte(len(s)>>16), byte(len(s)>>8), byte(len(s))), s...)
	}
	b := append(appendPlain(nil, HelloID, 1), byte(len(m.Endpoint)))
	b = append(b, m.Endpoint...)
	b = append(b, 0, 0, byte(len(m.Groups)>>8), byte(len(m.Groups)))
	for _, g := range m.Groups {
		b = long(b, g)
	}
	b = append(b, 0, 0, 0, 0, 0, byte(len(m.Headers)))
	for key, value := range m.Headers {
		b = long(append(append(b, byte(len(key))), key...), value)
	}
	return b
}

// Of what a stranger can bring about as often as it likes, only the first few are logged as
// warnings.
func TestZRE_warningsAreFew(t *testing.T) {
	log := &levels{}
	b := newZREBench(t)
	var queue *logQueue
	b.z.log, queue = newLogger(log)
	for range 1000 {
		b.hello(stateEndpoint)
		b.hearID(WhisperID)
		b.hearAfterGap(&ZreMsg{id: PingID}, 1)
		b.pass(time.Millisecond)
	}
	queue.flush()
	if n := log.warnings(); n == 0 || n > 40 {
		t.Errorf("%d warnings in a second, want a few: %q", n, slices.Compact(log.texts))
	}
}

// levels is a slog.Handler that keeps the text of warnings.
type levels struct{ texts []string }

func (l *levels) warnings() int { return len(l.texts) }

func (l *levels) Enabled(context.Context, slog.Level) bool { return true }
func (l *levels) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *levels) WithGroup(string) slog.Handler            { return l }

func (l *levels) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		l.texts = append(l.texts, r.Message)
	}
	return nil
}

// newSecureBench makes a zre with CURVE, and returns a key of its peer.
func newSecureBench(t *testing.T) (b *zreBench, key string) {
	t.Helper()
	b = newZREBench(t)
	b.z.secure = true
	return b, transport.Z85FromRaw([32]byte{7})
}

// helloWithKey has the peer say HELLO under a key that it has proven to hold.
func (b *zreBench) helloWithKey(endpoint, key string) {
	b.t.Helper()
	packet := packetOf(b.t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: endpoint, Name: "peer", Headers: map[string]string{publicKeyHeader: key}})
	packet.UserID = key
	b.z.receive(b.now, &packet)
}

// Forged beacons with the UUID and key of a secure node, from whatever port of another host,
// do not keep the true ones from being acted on at once.
func TestSighting_forgedSecureBeacons(t *testing.T) {
	const forger, honest = "tcp://10.0.0.66:%d", stateEndpoint
	b, key := newSecureBench(t)
	for i := range 3000 {
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf(forger, 1000+i), key)
		b.pass(time.Millisecond / 3)
	}
	dialled := len(b.port.sent)
	if dialled > 3 {
		t.Errorf("a second of forged beacons from one host: %d HELLOs, want at most 3", dialled)
	}
	b.port.forget()
	b.z.sightedWithKey(b.now, stateUUID, honest, key)
	if want := []string{"HELLO"}; !slices.Equal(b.port.sent, want) {
		t.Fatalf("a true beacon among forged ones: sent %q, want %q", b.port.sent, want)
	}
	turns := 0 // of the true endpoint, of a second each
	for i := range 30_000 {
		if i%3000 == 1500 {
			b.z.sightedWithKey(b.now, stateUUID, honest, key)
		}
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf(forger, 1000+i), key)
		b.pass(time.Millisecond / 3)
		p := b.peer()
		if i == 1000 && p.endpoint != honest {
			t.Errorf("a third of a second later the node is connected to %s, want %s: the peer has a second to answer", p.endpoint, honest)
		}
		if p.endpoint == honest && b.now.Sub(p.handshake.sentAt) >= 990*time.Millisecond && b.now.Sub(p.handshake.sentAt) < 990*time.Millisecond+time.Second/3000 {
			turns++
		}
	}
	if turns < 3 {
		t.Errorf("%d turns of the true endpoint in 10 s, want at least 3", turns)
	}
	for i := range 100 { // however many hosts are forged, what is remembered is bounded
		b.z.sightedWithKey(b.now, stateUUID, fmt.Sprintf("tcp://10.0.0.%d:9", i), key)
		b.pass(2 * time.Second)
		if p := b.peer(); p != nil && len(p.triedAt) > maxTriedHosts {
			t.Fatalf("%d hosts are remembered, want at most %d", len(p.triedAt), maxTriedHosts)
		}
	}
}

// The endpoint in a HELLO that has proven its key takes the place of the one in a beacon,
// unless the application or gossip named that.
func TestHello_outweighsBeacon(t *testing.T) {
	for known, want := range map[bool]string{false: stateEndpoint, true: "tcp://10.0.0.66:9"} {
		b, key := newSecureBench(t)
		if known {
			b.z.known[stateUUID] = newKnownNode("tcp://10.0.0.66:9", key, true)
		}
		b.z.sightedWithKey(b.now, stateUUID, "tcp://10.0.0.66:9", key)
		b.helloWithKey(stateEndpoint, key)
		packet := packetOf(t, stateUUID, 2, NewZreMsg(PingOkID))
		packet.UserID = key
		b.z.receive(b.now, &packet)
		if p := b.peer(); p == nil || !p.isEntered() || p.endpoint != want {
			t.Errorf("named by the application %v: the node is connected to %+v, want %s", known, p, want)
		}
		if want := []string{EventEnter}; !slices.Equal(b.port.events, want) {
			t.Errorf("named by the application %v: events %q, want %q", known, b.port.events, want)
		}
	}
}

// A member that comes and goes causes a bounded number of elections, and the last change
// counts in the end.
func TestElection_changesAreLimited(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.z.join(b.now, "G")
	b.z.contest(b.now, "G")
	b.port.forget()
	const seconds = 10
	for range 100 * seconds {
		b.hearID(JoinID)
		b.z.advance(b.now)
		b.hearID(LeaveID)
		b.pass(10 * time.Millisecond)
	}
	elections := 0
	for _, name := range b.port.sent {
		if name == "ELECT" || name == "LEADER" {
			elections++
		}
	}
	if most := 2 * (electionBurst + electionRate*seconds); elections == 0 || elections > most {
		t.Errorf("a member that came and went %d times caused %d ELECT and LEADER, want 1 to %d", 100*seconds, elections, most)
	}
	if b.z.counters.electionsDelayed == 0 {
		t.Error("ElectionDelayed = 0, want what waited counted")
	}
	b.hearID(JoinID)
	b.port.forget()
	for range 40 {
		b.pass(100 * time.Millisecond)
	}
	if !slices.Contains(b.port.sent, "ELECT") {
		t.Errorf("sent %q after the last change, want an election", b.port.sent)
	}
}

// A look-up that is put off is counted, and is not taken for one that is under way.
func TestZRE_lookupsRefused(t *testing.T) {
	b := newZREBench(t)
	b.port.busy = true
	b.hello(stateUnresolved)
	first := b.z.counters.lookupsRefused
	b.pass(2 * lookupRetry)
	if again := b.z.counters.lookupsRefused; first != 1 || again < 2 || len(b.z.lookups) != 0 {
		t.Errorf("LookupsRefused = %d, then %d, and %d under way; want 1, then more, and 0", first, again, len(b.z.lookups))
	}
}
