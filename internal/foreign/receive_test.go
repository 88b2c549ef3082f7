package foreign

import (
	"fmt"
	"testing"
)

// each is what is expected of an implementation; "" stands for those not named.
type each map[Kind]string

func (e each) of(kind Kind) string {
	if s, ok := e[kind]; ok {
		return s
	}
	return e[""]
}

const enterP = "dial P tcp://P:1, hello#1 to P, ENTER P"

// encounters are what happens between a model and a peer P, as it was measured between
// the real implementations.
var encounters = []struct {
	name string
	do   func(w *world)
	want each
}{
	{"beacon of a stranger", func(w *world) { w.beacon("P"); w.beacon("P") }, each{"": "dial P tcp://P:1, hello#1 to P"}},
	{"its own beacon", func(w *world) { w.beacon("M") }, each{"": ""}},
	{"another's beacon with its own UUID", func(w *world) {
		w.m.Beacon(w.now, uuidOf("M"), "tcp://X:1")
		w.m.Goodbye(uuidOf("M"))
	}, each{"": "dial M tcp://X:1, hello#1 to M, close M, EXIT M"}},
	{"HELLO of a stranger", func(w *world) { w.hello("P", 1, "G", "H") }, each{
		"":     enterP + ", JOIN P G, JOIN P H",
		ZyreJS: "dial P tcp://P:1, hello#1 to P, JOIN P G, JOIN P H, ENTER P",
	}},
	{"HELLO that names a group twice", func(w *world) { w.hello("P", 1, "G", "G") }, each{
		"":     enterP + ", JOIN P G, JOIN P G",
		ZyreJS: "dial P tcp://P:1, hello#1 to P, JOIN P G, JOIN P G, ENTER P",
	}},
	{"HELLO after the beacon", func(w *world) { w.beacon("P"); w.hello("P", 1) }, each{"": enterP}},
	{"HELLO out of sequence", func(w *world) { w.hello("P", 7) }, each{
		"":       "dial P tcp://P:1, hello#1 to P, close P, EXIT P",
		GoZeroMQ: "dial P tcp://P:1, hello#1 to P",
		Gyre:     "dial P tcp://P:1, hello#1 to P",
		ZyreJS:   "",
	}},
	{"WHISPER of a stranger", func(w *world) { w.whisper("P", 1, "x") }, each{"": ""}},
	{"WHISPER before HELLO", func(w *world) { w.beacon("P"); w.log = nil; w.whisper("P", 1, "x") }, each{
		"": "", GoZeroMQ: "close P, EXIT P", Gyre: "close P, EXIT P", ZyreJS: "WHISPER P x",
	}},
	{"messages", func(w *world) {
		w.meet("P")
		w.whisper("P", 2, "x", "y")
		w.hear("P", Message{ID: JoinID, Sequence: 3, Group: "G", Status: 1})
		w.hear("P", Message{ID: JoinID, Sequence: 4, Group: "G", Status: 2})
		w.hear("P", Message{ID: LeaveID, Sequence: 5, Group: "G", Status: 3})
		w.hear("P", Message{ID: LeaveID, Sequence: 6, Group: "none", Status: 4})
		w.command("P", PingID, 7)
		w.command("P", PingOkID, 8)
		w.whisper("P", 9, "")
	}, each{
		"":      "WHISPER P x, JOIN P G, JOIN P G, LEAVE P G, LEAVE P none, ping-ok#2 to P, WHISPER P",
		Libzyre: "WHISPER P xy, JOIN P G, JOIN P G, LEAVE P G, LEAVE P none, ping-ok#2 to P, WHISPER P",
		Pyre:    "WHISPER P xy, JOIN P G, JOIN P G, LEAVE P G, LEAVE P none, ping-ok#2 to P, WHISPER P",
		Generic: "WHISPER P xy, JOIN P G, JOIN P G, LEAVE P G, LEAVE P none, ping-ok#2 to P, WHISPER P",
	}},
	{"SHOUT", func(w *world) {
		w.meet("P")
		w.m.Join("in")
		w.log = nil
		w.hear("P", Message{ID: ShoutID, Sequence: 2, Group: "in", Content: [][]byte{[]byte(" x")}})
		w.hear("P", Message{ID: ShoutID, Sequence: 3, Group: "out", Content: [][]byte{[]byte(" x")}})
	}, each{"": "SHOUT P in x, SHOUT P out x", ZyreJS: "SHOUT P in x"}},
	{"no content", func(w *world) { w.meet("P"); w.command("P", WhisperID, 2); w.whisper("P", 3, "x") }, each{
		"": "WHISPER P, WHISPER P x", Pyre: "CRASH",
	}},
	{"gap", func(w *world) {
		w.meet("P")
		w.whisper("P", 3, "x")
		w.whisper("P", 2, "y")
		w.whisper("P", 3, "x")
	}, each{"": "close P, EXIT P", GoZeroMQ: "WHISPER P y, WHISPER P x", Gyre: "WHISPER P y, WHISPER P x"}},
	{"gap that is not filled", func(w *world) {
		w.meet("P")
		w.whisper("P", 3, "x")
		w.command("P", PingID, 4)
		w.beacon("P")
	}, each{"": "close P, EXIT P, dial P tcp://P:1, hello#1 to P", GoZeroMQ: "", Gyre: ""}},
	{"HELLO again", func(w *world) { w.meet("P", "G"); w.hello("P", 1, "G") }, each{
		"": "close P, EXIT P, " + enterP + ", JOIN P G", ZyreJS: "close P, EXIT P",
	}},
	{"HELLO again from another place", func(w *world) {
		w.meet("P")
		w.hear("P", Message{ID: HelloID, Sequence: 1, Endpoint: "tcp://Q:1"})
	}, each{"": "close P, EXIT P, dial P tcp://Q:1, hello#1 to P, ENTER P", ZyreJS: "close P, EXIT P"}},
	{"another UUID at the same endpoint", func(w *world) {
		w.meet("P")
		w.m.Beacon(w.now, uuidOf("Q"), endpointOf("P"))
		w.whisper("P", 2, "x")
	}, each{
		"":   "close P, dial Q tcp://P:1, hello#1 to Q",
		Gyre: "close P, dial Q tcp://P:1, hello#1 to Q, EXIT P", GoZeroMQ: "close P, dial Q tcp://P:1, hello#1 to Q, EXIT P",
		Pyre:   "close P, EXIT P, dial Q tcp://P:1, hello#1 to Q",
		ZyreJS: "dial Q tcp://P:1, hello#1 to Q, WHISPER P x",
	}},
	{"beacon from another port", func(w *world) { w.meet("P"); w.m.Beacon(w.now, uuidOf("P"), "tcp://P:2") }, each{"": ""}},
	{"goodbye", func(w *world) { w.meet("P"); w.m.Goodbye(uuidOf("P")); w.m.Goodbye(uuidOf("P")) }, each{
		"": "close P, EXIT P", ZyreJS: "close P, EXIT P, EXIT P",
	}},
	{"unknown command", func(w *world) {
		w.meet("P")
		w.raw("P", []byte("\xAA\xA1\x0B\x02\x00\x02"))
		w.whisper("P", 3, "x")
	}, each{"": "close P, EXIT P", GoZeroMQ: "WHISPER P x", Gyre: "CRASH"}},
	{"ELECT and LEADER", func(w *world) {
		w.meet("P")
		w.hear("P", Message{ID: ElectID, Sequence: 2, Group: "G", Candidate: UUIDText(uuidOf("A"))})
		w.hear("P", Message{ID: LeaderID, Sequence: 3, Group: "G", Candidate: UUIDText(uuidOf("A"))})
		w.whisper("P", 4, "x")
	}, each{"": "close P, EXIT P", Libzyre: "WHISPER P x", GoZeroMQ: "WHISPER P x", Gyre: "CRASH"}},
	{"GOODBYE", func(w *world) {
		w.meet("P")
		w.command("P", GoodbyeID, 2)
		w.whisper("P", 3, "x")
	}, each{"": "close P, EXIT P", Libzyre: "WHISPER P x", GoZeroMQ: "WHISPER P x", Gyre: "CRASH"}},
	{"JOIN with a wrong status", func(w *world) {
		w.meet("P")
		w.hear("P", Message{ID: JoinID, Sequence: 2, Group: "G", Status: 2})
		w.whisper("P", 3, "x")
	}, each{"": "JOIN P G, CRASH", ZyreJS: "JOIN P G, WHISPER P x", Generic: "JOIN P G, WHISPER P x"}},
	{"JOIN cut short", func(w *world) { w.meet("P"); w.raw("P", []byte("\xAA\xA1\x04\x02\x00\x02\x01G")) }, each{
		"": "JOIN P G, CRASH", Pyre: "CRASH", GoZeroMQ: "CRASH", ZyreJS: "", Generic: "",
	}},
	{"HELLO cut short", func(w *world) { w.raw("P", []byte("\xAA\xA1\x01\x02\x00\x01\x09tcp://P:1")) }, each{
		"": enterP, Pyre: "CRASH", GoZeroMQ: "CRASH", ZyreJS: "", Generic: "",
	}},
	{"HELLO with an endpoint that is none", func(w *world) {
		for _, endpoint := range []string{"", "garbage", "udp://1.2.3.4:5", "tcp://nowhere"} {
			w.hear("P", Message{ID: HelloID, Sequence: 1, Endpoint: endpoint})
		}
	}, each{"": "", Pyre: "CRASH", GoZeroMQ: "CRASH", ZyreJS: "CRASH"}},
	{"HELLO with an endpoint that cannot be reached", func(w *world) {
		w.refuses = map[string]bool{endpointOf("P"): true}
		w.hello("P", 1)
	}, each{
		"": "dial P tcp://P:1", Pyre: "dial P tcp://P:1, CRASH", GoZeroMQ: "dial P tcp://P:1, CRASH", ZyreJS: "dial P tcp://P:1, CRASH",
	}},
	{"another signature", func(w *world) { w.meet("P"); w.raw("P", []byte("\xAA\xA0\x02\x02\x00\x02")) }, each{"": ""}},
	{"another version", func(w *world) {
		w.meet("P")
		w.raw("P", []byte("\xAA\xA1\x02\x03\x00\x02"), []byte("x"))
		w.whisper("P", 2, "x")
	}, each{"": "WHISPER P x", Pyre: "close P, EXIT P"}},
	{"HELLO of another version", func(w *world) { w.raw("P", []byte("\xAA\xA1\x01\x03\x00\x01")) }, each{"": "", Pyre: "CRASH"}},
	{"text that is not UTF-8", func(w *world) {
		w.meet("P")
		w.hear("P", Message{ID: JoinID, Sequence: 2, Group: "g\xFF", Status: 1})
	}, each{"": "JOIN P g\xFF", Pyre: "CRASH", ZyreJS: "JOIN P g\uFFFD"}},
	{"zero byte in a text", func(w *world) {
		w.meet("P")
		w.hear("P", Message{ID: JoinID, Sequence: 2, Group: "g\x00h", Status: 1})
	}, each{"": "JOIN P g\x00h", Libzyre: "JOIN P g"}},
	{"routing id of another length", func(w *world) {
		hello := Message{ID: HelloID, Sequence: 1, Endpoint: endpointOf("P")}
		header, _ := hello.Append(nil)
		w.m.Message(w.now, []byte("\x01PPPPPPPPPPPPPPPPPP"), header, nil)
	}, each{"": "", GoZeroMQ: enterP, Gyre: enterP, ZyreJS: enterP}},
	{"routing id with another first byte", func(w *world) {
		hello := Message{ID: HelloID, Sequence: 1, Endpoint: endpointOf("P")}
		header, _ := hello.Append(nil)
		w.m.Message(w.now, []byte("1PPPPPPPPPPPPPPPP"), header, nil)
	}, each{"": enterP}},
	{"forced to begin again", func(w *world) {
		w.meet("P")
		w.m.Forget(w.now, uuidOf("P"))
		w.m.Forget(w.now, uuidOf("Q"))
	}, each{"": "close P, EXIT P, dial P tcp://P:1, hello#1 to P"}},
	{"forced to say HELLO again", func(w *world) {
		w.meet("P")
		w.m.SayHelloAgain(uuidOf("P"), 1)
		w.m.SayHelloAgain(uuidOf("Q"), 1)
		w.whisper("P", 2, "x")
	}, each{"": "close P, dial P tcp://P:1, hello#1 to P, WHISPER P x"}},
	{"forced to say HELLO twice", func(w *world) {
		w.meet("P")
		w.m.SayHelloAgain(uuidOf("P"), 2)
	}, each{"": "close P, dial P tcp://P:1, hello#1 to P, hello#1 to P"}},
	{"stop", func(w *world) { w.meet("P"); w.beacon("Q"); w.log = nil; w.m.Stop() }, each{"": "close P, close Q"}},
}

func TestModel_encounters(t *testing.T) {
	for _, tt := range encounters {
		for _, kind := range Kinds() {
			w := newWorld(t, kind)
			tt.do(w)
			if got, want := w.takeLog(), tt.want.of(kind); got != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", kind, tt.name, got, want)
			}
		}
	}
}

func TestModel_headers(t *testing.T) {
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		var got []Header
		w.m.port = eventPort{w, func(e Event) { got = append(got, e.Headers...) }}
		w.hear("P", Message{ID: HelloID, Sequence: 1, Endpoint: endpointOf("P"), Headers: []Header{{"k", "1"}, {"l", "x"}, {"k", "2"}}})
		want := "[{k 2} {l x}]"
		if kind == Libzyre {
			want = "[{k 1} {l x}]"
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: headers %v, want %s", kind, got, want)
		}
	}
}

// eventPort is a world with another eye on the events.
type eventPort struct {
	*world
	see func(e Event)
}

func (p eventPort) Event(e Event) { p.see(e) }
