package zyre

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

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
		ReasonNoHello, ReasonIdentity, ReasonFailed, ReasonTooLarge, ReasonRevoked,
	} {
		if seen[reason] || reason == "" {
			t.Errorf("reason %q is used twice, or empty", reason)
		}
		seen[reason] = true
	}
}
