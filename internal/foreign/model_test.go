package foreign

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
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
	{"forced to begin anew", func(w *world) {
		w.meet("P")
		w.m.Forget(w.now, uuidOf("P"))
		w.m.Forget(w.now, uuidOf("Q"))
	}, each{"": "close P, EXIT P, dial P tcp://P:1, hello#1 to P"}},
	{"forced to say HELLO again", func(w *world) {
		w.meet("P")
		w.m.SayHelloAgain(uuidOf("P"))
		w.m.SayHelloAgain(uuidOf("Q"))
		w.whisper("P", 2, "x")
	}, each{"": "close P, dial P tcp://P:1, hello#1 to P, WHISPER P x"}},
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

// What crashes a model ends it.
func TestModel_crashed(t *testing.T) {
	w := newWorld(t, Gyre)
	w.meet("P", "G")
	w.command("P", GoodbyeID, 2)
	if !w.m.HasCrashed() {
		t.Fatal("gyre survives GOODBYE")
	}
	w.log = nil
	w.beacon("Q")
	w.hello("Q", 1)
	w.m.Goodbye(uuidOf("P"))
	w.m.Join("H")
	w.m.Leave("H")
	w.m.Forget(w.now, uuidOf("P"))
	w.m.SayHelloAgain(uuidOf("P"))
	w.m.Datagram(w.now, "R", AppendBeacon(nil, uuidOf("R"), 1))
	w.pass(time.Minute)
	if n := w.m.Shout("G"); n != 0 || w.m.Whisper(uuidOf("P")) || len(w.log) > 0 {
		t.Errorf("after a crash: %d members, %s", n, w.takeLog())
	}
}

// What happens in a silence, by seconds after the last sign of life. go-zeromq and gyre
// compare whole seconds, so with them it also depends on the second of the clock.
func TestModel_silence(t *testing.T) {
	pings := func(from, to int) string {
		var list []string
		for s := from; s <= to; s++ {
			list = append(list, fmt.Sprintf("%d.6 ping", s))
		}
		return strings.Join(list, ", ")
	}
	var libzyre []string
	for s := 5; s < 30; s++ {
		line := fmt.Sprintf("%d.6 ping EVASIVE", s)
		if s > 5 {
			line += " SILENT"
		}
		libzyre = append(libzyre, line)
	}
	want := each{
		Libzyre:  strings.Join(libzyre, ", ") + ", 30.6 EXIT",
		Pyre:     pings(10, 29) + ", 30.6 EXIT",
		GoZeroMQ: pings(3, 4) + ", 5.6 EXIT",
		Gyre:     pings(3, 4) + ", 5.6 EXIT",
		ZyreJS:   "5.0 ping, 30.0 EXIT",
		Generic:  pings(5, 29) + ", 30.6 EXIT",
	}
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.now = w.now.Add(700 * time.Millisecond)
		w.m.Tick(w.now) // the model looks at its peers each second from here on
		w.now = w.now.Add(400 * time.Millisecond)
		w.meet("P")
		begin, lines := w.now, []string(nil)
		for w.now.Sub(begin) < 40*time.Second {
			w.pass(100 * time.Millisecond)
			if len(w.log) == 0 {
				continue
			}
			line := fmt.Sprintf("%.1f", w.now.Sub(begin).Seconds())
			for _, l := range w.log {
				if what, _, _ := strings.Cut(strings.Fields(l)[0], "#"); what != "close" {
					line += " " + what
				}
			}
			lines = append(lines, line)
			w.log = nil
		}
		if got := strings.Join(lines, ", "); got != want.of(kind) {
			t.Errorf("%s:\n got %s\nwant %s", kind, got, want.of(kind))
		}
	}
}

// libzyre reports EVASIVE without SILENT of a peer that answers.
func TestModel_evasiveButNotSilent(t *testing.T) {
	w := newWorldOf(t, Config{Kind: Libzyre, Evasive: time.Second, Expired: 4 * time.Second})
	w.meet("P")
	for sequence := uint16(2); sequence < 12; sequence++ {
		w.pass(1100 * time.Millisecond)
		w.command("P", PingOkID, sequence)
	}
	if got := w.takeLog(); strings.Contains(got, Silent) || strings.Contains(got, Exit) || !strings.Contains(got, Evasive) {
		t.Errorf("a peer that answers each PING: %s", got)
	}
}

// Beacons alone keep a peer alive, but not in libzyre.
func TestModel_beaconsOnly(t *testing.T) {
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.meet("P")
		for range 60 {
			w.pass(time.Second)
			w.beacon("P")
		}
		want := kind != Libzyre && kind != Generic
		if got := w.m.HasEntered(uuidOf("P")); got != want || !w.m.Knows(uuidOf("P")) {
			t.Errorf("%s: the peer is there %t, known %t, want %t, true", kind, got, w.m.Knows(uuidOf("P")), want)
		}
	}
}

// Commands of the application.
func TestModel_commands(t *testing.T) {
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.m.Join("A")
		w.m.Join("A")
		w.m.Leave("never joined")
		w.meet("P", "G")
		w.meet("Q")
		members := w.m.Shout("G", []byte("a"), []byte("b"))
		nobody := w.m.Shout("empty", []byte("x"))
		told, stranger := w.m.Whisper(uuidOf("Q"), []byte("c")), w.m.Whisper(uuidOf("R"), []byte("c"))
		w.m.Join("B")
		w.m.Join("B")
		w.m.Leave("B")
		w.m.Leave("C")
		want := "shout#2 to P, whisper#2 to Q, join#3 to P, join#3 to Q, leave#4 to P, leave#4 to Q"
		frames, hello := 1, "[A] 1"
		if kind == ZyreJS {
			want = "shout#2 to P, whisper#2 to Q, join#3 to P, join#3 to Q, join#4 to P, join#4 to Q, leave#5 to P, leave#5 to Q"
			hello = "[A A] 2"
		}
		if w.m.Traits().AllFrames {
			frames = 2
		}
		if got := w.takeLog(); got != want || members != 1 || nobody != 0 || !told || stranger {
			t.Errorf("%s: %d members, %d in an empty group, whisper %t, %t to a stranger\n got %s\nwant %s",
				kind, members, nobody, told, stranger, got, want)
		}
		if got := fmt.Sprint(w.sent[0].Groups, w.sent[0].Status); got != hello {
			t.Errorf("%s: groups and status of HELLO %s, want %s", kind, got, hello)
		}
		if got := len(w.sent[2].Content); got != frames {
			t.Errorf("%s: SHOUT with %d frames, want %d", kind, got, frames)
		}
	}
}

// Where the sequence numbers and the status begin again.
func TestModel_wraps(t *testing.T) {
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.meet("P")
		last, wantLast := uint16(1), uint16(65535)
		if kind == Pyre || kind == ZyreJS {
			wantLast = 65534
		}
		for range 70_000 {
			w.m.Whisper(uuidOf("P"))
			if s := w.sent[len(w.sent)-1].Sequence; s == 0 {
				break
			} else {
				last = s
			}
		}
		if last != wantLast {
			t.Errorf("%s: sequence number 0 follows %d, want %d", kind, last, wantLast)
		}
		sequence := uint16(2)
		for range 70_000 {
			w.whisper("P", sequence, "x")
			if sequence++; kind != GoZeroMQ && kind != Gyre && !w.m.HasEntered(uuidOf("P")) {
				break
			}
		}
		if got, want := w.m.HasEntered(uuidOf("P")), wantLast == 65535; got != want {
			t.Errorf("%s: after 70000 messages modulo 65536 the peer is there %t, want %t", kind, got, want)
		}
	}
}

func TestModel_statusWraps(t *testing.T) {
	want := map[Kind]string{"": "255 0 1", ZyreJS: "0 1 2", Pyre: "255 CRASH"}
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.meet("P")
		for i := range 257 {
			w.m.Join(fmt.Sprint(i))
			w.m.Leave("none")
		}
		var statuses []string
		for _, m := range w.sent[255:] {
			statuses = append(statuses, fmt.Sprint(m.Status))
		}
		if w.m.HasCrashed() {
			statuses = append(statuses, "CRASH")
		}
		if got := strings.Join(statuses, " "); got != each(want).of(kind) {
			t.Errorf("%s: the statuses from 255 on are %s, want %s", kind, got, each(want).of(kind))
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

// In gossip mode libzyre says GOODBYE and takes it.
func TestModel_gossip(t *testing.T) {
	w := newWorldOf(t, Config{Kind: Libzyre, Gossip: true})
	w.meet("P")
	w.meet("Q")
	w.command("P", GoodbyeID, 2)
	w.m.Stop()
	if got, want := w.takeLog(), "close P, EXIT P, goodbye#2 to Q, close Q"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestModel_routingID(t *testing.T) {
	for first, want := range map[byte]string{0: "\x01", '1': "1"} {
		w := newWorldOf(t, Config{Kind: Generic, RoutingByte: first, UUID: uuidOf("H")})
		if got := string(w.m.RoutingID()); got != want+strings.Repeat("H", 16) {
			t.Errorf("RoutingID() = %q, want %q and the UUID", got, want)
		}
	}
}

func TestNew_unknownKind(t *testing.T) {
	if _, err := New(Config{Kind: "jyre"}, nil); err == nil {
		t.Error("New(jyre) = nil, want an error")
	}
}

// A model sends, byte for byte, what the implementation sent in the same situation.
func TestModel_golden(t *testing.T) {
	for kind, file := range map[Kind]string{Libzyre: "libzyre.jsonl", Pyre: "pyre.jsonl", ZyreJS: "zyrejs.jsonl"} {
		all := captures(t, file)
		var first struct{ Endpoint, Identity string }
		if err := json.Unmarshal(all[0].Decoded, &first); err != nil {
			t.Fatal(err)
		}
		uuid, err := ParseUUID(first.Identity[2:])
		if err != nil {
			t.Fatal(err)
		}
		w := newWorldOf(t, Config{Kind: kind, UUID: uuid, Endpoint: first.Endpoint, Name: "node"})
		w.beacon("P")
		w.hello("P", 1, "G")
		for i, c := range all {
			if strings.HasPrefix(c.What, "HELLO (to a peer that arrives later") {
				w.beacon("Q")
			} else if i > 0 {
				w.repeat(c)
			}
			if got := w.wire[len(w.wire)-1]; len(w.wire) != i+1 || !equalFrames(got, c.frames) {
				t.Fatalf("%s, %s: message %d is %x, want %x", kind, c.What, len(w.wire), got, c.frames)
			}
			if i > 0 && strings.HasPrefix(c.What, "HELLO") {
				break // what follows is another process
			}
		}
	}
}

// repeat has the model do what the implementation did when a message was captured.
func (w *world) repeat(c capture) {
	m, err := Parse(c.frames[0])
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Contains(c.What, "utf8 group") {
		m.Group = "grüppe"
	}
	p := w.m.find(uuidOf("P"))
	switch m.ID {
	case JoinID:
		w.m.Join(m.Group)
	case LeaveID:
		w.m.Leave(m.Group)
	case ShoutID:
		w.m.Shout(m.Group, c.frames[1:]...)
	case WhisperID:
		w.m.Whisper(p.uuid, c.frames[1:]...)
	case PingID:
		w.now = w.now.Add(w.m.Traits().Evasive)
		w.m.Tick(w.now)
	case PingOkID:
		w.command("P", PingID, p.want)
	}
}

func equalFrames(a, b [][]byte) bool {
	return hex.EncodeToString(bytes.Join(a, []byte{0xFE})) == hex.EncodeToString(bytes.Join(b, []byte{0xFE}))
}
