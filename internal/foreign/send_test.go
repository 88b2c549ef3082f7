package foreign

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

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
		w.quiet = true
		last, wantLast := uint16(1), uint16(65535)
		if kind == Pyre || kind == ZyreJS {
			wantLast = 65534
		}
		for range 65_600 {
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
		for range 65_600 {
			w.whisper("P", sequence, "x")
			if sequence++; kind != GoZeroMQ && kind != Gyre && !w.m.HasEntered(uuidOf("P")) {
				break
			}
		}
		if got, want := w.m.HasEntered(uuidOf("P")), wantLast == 65535; got != want {
			t.Errorf("%s: after 65600 messages modulo 65536 the peer is there %t, want %t", kind, got, want)
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
			if got := w.wire[len(w.wire)-1]; len(w.wire) != i+1 || !equalFrames(got, c.Frames) {
				t.Fatalf("%s, %s: message %d is %x, want %x", kind, c.What, len(w.wire), got, c.Frames)
			}
			if i > 0 && strings.HasPrefix(c.What, "HELLO") {
				break // what follows is another process
			}
		}
	}
}

// repeat has the model do what the implementation did when a message was captured.
func (w *world) repeat(c wiretest.Capture) {
	m, err := Parse(c.Frames[0])
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
		w.m.Shout(m.Group, c.Frames[1:]...)
	case WhisperID:
		w.m.Whisper(p.uuid, c.Frames[1:]...)
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
