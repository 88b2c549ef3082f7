package zyre

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// hearUnder has the peer send a message under a routing id with another first byte.
func (b *zreBench) hearUnder(first byte, sequence uint16, m *ZreMsg) {
	packet := packetOf(b.t, stateUUID, sequence, m)
	packet.From[0] = first
	b.z.receive(b.now, &packet)
}

// A peer is heard under the routing id of its last HELLO. Another first byte is another
// connection of it, and no other peer.
func TestZRE_routingByte(t *testing.T) {
	hello := func() *ZreMsg { return &ZreMsg{id: HelloID, Endpoint: stateEndpoint, Name: "peer"} }
	whisper := func() *ZreMsg { return &ZreMsg{id: WhisperID, Content: []byte("x")} }
	for _, c := range []struct{ first, other byte }{{1, '1'}, {'1', 1}, {0, 0xff}} {
		b := newZREBench(t)
		b.hearUnder(c.first, 1, hello())
		b.hearUnder(c.first, 2, whisper())
		if got := strings.Join(b.port.events, " "); got != "ENTER WHISPER" {
			t.Fatalf("first byte %d: events %s, want ENTER WHISPER", c.first, got)
		}
		b.hearUnder(c.other, 3, whisper())
		if b.z.counters.beforeHello != 1 || len(b.port.events) != 2 || len(b.z.peers) != 1 {
			t.Errorf("first byte %d: a whisper under %d: %d before HELLO, events %v, want 1 and no more", c.first, c.other, b.z.counters.beforeHello, b.port.events)
		}
		b.hearUnder(c.other, 1, hello())
		b.hearUnder(c.other, 2, whisper())
		b.hearUnder(c.first, 3, whisper()) // the connection before
		if got := strings.Join(b.port.events, " "); got != "ENTER WHISPER EXIT ENTER WHISPER" || len(b.z.peers) != 1 {
			t.Errorf("first byte %d, then %d: events %s, %d peers, want ENTER WHISPER EXIT ENTER WHISPER of one", c.first, c.other, got, len(b.z.peers))
		}
	}
}

// A routing id that is refused is logged once, and not more than a few of them.
func TestZRE_refusedRoutingIDs(t *testing.T) {
	var log bytes.Buffer
	b := newZREBench(t)
	b.z.log = slog.New(slog.NewTextHandler(&log, nil))
	packet := packetOf(t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
	for range 3 {
		for i := range byte(3) {
			packet.From = append([]byte("short"), i)
			b.z.receive(b.now, &packet)
		}
	}
	if n := strings.Count(log.String(), "routing_id=73686f7274"); n != 3 || b.z.counters.badIdentity != 9 {
		t.Errorf("9 messages under 3 routing ids: %d lines in the log, %d counted, want 3 and 9", n, b.z.counters.badIdentity)
	}
	for i := range 100 {
		packet.From = []byte{byte(i)}
		b.z.receive(b.now, &packet)
	}
	if n := strings.Count(log.String(), "routing_id"); n != maxRefusedIDs {
		t.Errorf("%d lines in the log, want %d", n, maxRefusedIDs)
	}
}

// Of a routing id no more is logged and kept than a proper one has, and how long it was.
func TestZRE_longRoutingID(t *testing.T) {
	var log bytes.Buffer
	b := newZREBench(t)
	b.z.log = slog.New(slog.NewTextHandler(&log, nil))
	packet := packetOf(t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint})
	packet.From = bytes.Repeat([]byte{0xab}, 255)
	for _, cut := range []int{0, 100 << 10, 100 << 10} {
		packet.Cut = cut
		b.z.receive(b.now, &packet)
	}
	id := strings.Repeat("ab", 17)
	for _, want := range []string{"routing_id=" + id + " length=255\n", "routing_id=" + id + " length=102655\n"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log has %s, want once %q", log.String(), want)
		}
	}
	for id := range b.z.refusedIDs {
		if len(id.head) != 17 {
			t.Errorf("%d bytes of a routing id are kept, want 17", len(id.head))
		}
	}
	if n := len(b.z.refusedIDs); n != 2 || b.z.counters.badIdentity != 3 {
		t.Errorf("%d routing ids are kept and %d messages counted, want 2 and 3", n, b.z.counters.badIdentity)
	}
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

// Every command in sequence counts, known or not, well-formed or not.
func TestNode_anyCommand(t *testing.T) {
	for id := range 256 {
		if id == int(HelloID) || id == int(GoodbyeID) {
			continue
		}
		_, a, peer := simStranger(t)
		a.take(peer, appendPlain(nil, byte(id), 2), nil)
		a.hear(peer, 3, NewZreMsg(WhisperID))
		if w := a.peers[uuidString(peer)]; w.whispers != 1+btoi(id == int(WhisperID)) || !w.here {
			t.Errorf("command %d: whispers = %d, here %t", id, w.whispers, w.here)
		}
	}
}

// A shout that was on its way when its group was left is counted, and no more.
func TestNode_lateShout(t *testing.T) {
	_, a, peer := simStranger(t)
	a.join("G")
	a.hear(peer, 2, &ZreMsg{id: ShoutID, Group: "G"})
	a.leave("G")
	a.hear(peer, 3, &ZreMsg{id: ShoutID, Group: "G"})
	if got := a.n.zre.counters; got.shoutsReceived != 1 || got.lateShouts != 1 || got.gaps != 0 {
		t.Errorf("shouts = %d, late %d, gaps %d; want 1, 1, 0", got.shoutsReceived, got.lateShouts, got.gaps)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A goodbye beacon ends no attempt of a secure node to meet the peer: it can be forged, and there is
// no connection yet on which to ask.
func TestGoodbye_secureHalfOpen(t *testing.T) {
	for _, backlogged := range []bool{false, true} {
		for name, meet := range map[string]func(b *zreBench, key string){
			"helloSent": func(b *zreBench, key string) { b.z.sightedWithKey(b.now, stateUUID, stateEndpoint, key) },
			"helloHeld": func(b *zreBench, key string) { b.helloWithKey(stateUnresolved, key) },
			"helloUnconfirmed": func(b *zreBench, key string) {
				b.z.sightedWithKey(b.now, stateUUID, stateEndpoint, key)
				b.helloWithKey(stateEndpoint, key)
			},
		} {
			b, key := newSecureBench(t)
			meet(b, key)
			p := b.peer()
			if backlogged {
				b.z.inboxBacklogged()
			}
			b.z.goodbye(b.now, stateUUID, key)
			b.z.inboxDrained(b.now)
			if p == nil || b.peer() != p {
				t.Errorf("%s, backlogged %t: the peer is forgotten", name, backlogged)
			}
		}
	}
}
