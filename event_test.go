package zyre

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Events come in order, however many wait, and STOP has always room.
func TestEventQueue_order(t *testing.T) {
	for _, count := range []int{0, 1, eventBuffer - 1, eventBuffer, eventBuffer + 1, 10 * eventBuffer} {
		ch := newEventChannel()
		q := newEventQueue(ch, 1<<20)
		for i := range count {
			q.push(&Event{Type: EventWhisper, Msg: fmt.Append(nil, i), Frames: [][]byte{make([]byte, 10)}})
		}
		if got, want := q.held, count*(eventOverhead+10); got != want {
			t.Errorf("held with %d events = %d, want %d", count, got, want)
		}
		if got, want := q.isFull(), q.held > 1<<20; got != want {
			t.Errorf("full with %d events = %t, want %t", count, got, want)
		}
		for i := range count / 2 {
			if e := <-ch; string(e.Msg) != fmt.Sprint(i) {
				t.Fatalf("event %d of %d = %s", i, count, e.Msg)
			}
			q.pump()
		}
		left := q.backlog.Len()
		if got := q.dropBacklog(); got != left {
			t.Errorf("dropped of %d = %d, want %d", count, got, left)
		}
		q.close(&Event{Type: EventStop})
		var last *Event
		got := 0
		for e := range ch {
			last = e
			got++
		}
		if want := count - count/2 - left + 1; last.Type != EventStop || got != want {
			t.Errorf("events after close of %d = %d, the last %s; want %d, %s", count, got, last.Type, want, EventStop)
		}
	}
}

// What is held returns to nothing once everything has been taken.
func TestEventQueue_held(t *testing.T) {
	ch := newEventChannel()
	q := newEventQueue(ch, 1000)
	for round := range 100 {
		for i := range 50 * (round + 1) {
			q.push(&Event{Type: EventWhisper, Frames: [][]byte{make([]byte, i)}})
		}
		for len(ch) > 0 {
			<-ch
			q.pump()
		}
		if q.countTaken(); q.held != 0 || q.isFull() || q.ready.Len() != 0 {
			t.Fatalf("round %d: held = %d, ready = %d, want 0", round, q.held, q.ready.Len())
		}
	}
}

// Everything in an event counts against the queue limit.
func TestEvent_size(t *testing.T) {
	for _, c := range []struct {
		event *Event
		want  int
	}{
		{&Event{Type: EventJoin}, eventOverhead},
		{&Event{Type: EventWhisper, Frames: [][]byte{make([]byte, 1000), make([]byte, 1)}}, eventOverhead + 2*frameOverhead + 1001},
		{&Event{Type: EventWhisper, Frames: make([][]byte, 10_000)}, eventOverhead + 10_000*frameOverhead},
		{&Event{Type: EventJoin, Group: "group"}, eventOverhead + 5},
		{&Event{Type: EventEnter, Headers: map[string]string{"name": strings.Repeat("x", 100)}}, eventOverhead + headerOverhead + 104},
	} {
		if got := c.event.size(); got != c.want {
			t.Errorf("size(%s) = %d, want %d", c.event.Type, got, c.want)
		}
	}
}

// An event is printed and logged in one line, without the payload of a message.
func TestEvent_String(t *testing.T) {
	const id = "4A6F0000000000000000000000000000"
	msg := []byte("secret payload")
	for _, c := range []struct {
		event     *Event
		text, log string
	}{
		{&Event{Type: EventEnter, PeerUUID: id, PeerName: "al\nice", PeerAddr: "tcp://10.0.0.1:1", Headers: map[string]string{"k": "secret"}},
			"ENTER " + id + ` "al\nice" endpoint "tcp://10.0.0.1:1" 1 headers`,
			`e.type=ENTER e.peer=` + id + ` e.name="al\nice" e.endpoint=tcp://10.0.0.1:1 e.headers=1`},
		{&Event{Type: EventExit, PeerUUID: id, PeerName: "alice", PeerAddr: "tcp://10.0.0.1:1", Reason: ReasonExpired},
			"EXIT " + id + ` "alice" endpoint "tcp://10.0.0.1:1" reason "expired"`,
			`e.type=EXIT e.peer=` + id + ` e.name=alice e.endpoint=tcp://10.0.0.1:1 e.reason=expired`},
		{&Event{Type: EventShout, PeerUUID: id, PeerName: "alice", PeerAddr: "tcp://10.0.0.1:1", Group: "hall", Msg: msg, Frames: [][]byte{msg, msg}},
			"SHOUT " + id + ` "alice" group "hall" 2 frames 28 bytes`,
			`e.type=SHOUT e.peer=` + id + ` e.name=alice e.group=hall e.frames=2 e.bytes=28`},
		{&Event{Type: EventStop, PeerUUID: id, PeerName: "bob"}, "STOP " + id + ` "bob"`, `e.type=STOP e.peer=` + id + ` e.name=bob`},
		{nil, "<nil>", "e=<nil>"},
	} {
		if got := c.event.String(); got != c.text {
			t.Errorf("String() = %s, want %s", got, c.text)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "e", c.event)
		if _, got, _ := strings.Cut(strings.TrimSpace(log.String()), "msg=m "); got != c.log {
			t.Errorf("logged %s, want %s", got, c.log)
		}
		if text := fmt.Sprint(c.event, c.event.LogValue(), log.String()); strings.Contains(text, "secret") {
			t.Errorf("a payload is shown: %s", text)
		}
	}
	if value, ok := (*Event)(nil).Header("k"); value != "" || ok {
		t.Errorf("Header of no event = %q, %t, want none", value, ok)
	}
}

// Each reason for EXIT can be told from the others.
func TestEvent_reasonsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, reason := range []string{
		ReasonGoodbye, ReasonExpired, ReasonLost, ReasonRestarted, ReasonThrottled, ReasonReplaced, ReasonMoved,
		ReasonNoHello, ReasonIdentity, ReasonUnconfirmed, ReasonFailed, ReasonTooLarge, ReasonRevoked,
	} {
		if seen[reason] || reason == "" {
			t.Errorf("reason %q is used twice, or empty", reason)
		}
		seen[reason] = true
	}
}
