package zyre

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/wire"
)

const zreTestID = "CBBE61F8F1A24058B4301F356E21AE11"

// zreLayouts has every command with its frame, one line per field.
var zreLayouts = []struct {
	name  string
	msg   ZreMsg
	lines []string
}{

	{"HELLO", ZreMsg{
		id: HelloID, sequence: 1, Endpoint: "tcp://127.0.0.1:49152", Groups: []string{"CHAT", "grüppe"},
		Status: 2, Name: "node", Headers: map[string]string{"X-A": "", "X-B": "val"},
	}, []string{
		"AA A1", "01", "02", "00 01", // signature, id, version, sequence
		"15 7463703A2F2F3132372E302E302E313A3439313532", // endpoint
		"00000002",                  // groups
		"00000004 43484154",         //   CHAT
		"00000007 6772C3BC707065",   //   grüppe
		"02",                        // status
		"04 6E6F6465",               // name
		"00000002",                  // headers
		"03 582D41 00000000",        //   X-A
		"03 582D42 00000003 76616C", //   X-B
	}},
	{"HELLO, empty", ZreMsg{id: HelloID, sequence: 1, Headers: map[string]string{}}, []string{
		"AA A1", "01", "02", "00 01",
		"00",       // endpoint
		"00000000", // groups
		"00",       // status
		"00",       // name
		"00000000", // headers
	}},
	{"WHISPER", ZreMsg{id: WhisperID, sequence: 0x0203}, []string{"AA A1", "02", "02", "02 03"}},
	{"SHOUT", ZreMsg{id: ShoutID, sequence: 0xFFFF, Group: "CHAT"}, []string{
		"AA A1", "03", "02", "FF FF",
		"04 43484154", // group
	}},
	{"JOIN", ZreMsg{id: JoinID, sequence: 3, Group: "CHAT", Status: 0xFF}, []string{
		"AA A1", "04", "02", "00 03",
		"04 43484154", // group
		"FF",          // status
	}},
	{"LEAVE", ZreMsg{id: LeaveID, sequence: 4, Group: "CHAT"}, []string{
		"AA A1", "05", "02", "00 04",
		"04 43484154", // group
		"00",          // status
	}},
	{"PING", ZreMsg{id: PingID, sequence: 5}, []string{"AA A1", "06", "02", "00 05"}},
	{"PING-OK", ZreMsg{id: PingOkID, sequence: 0}, []string{"AA A1", "07", "02", "00 00"}},
	{"ELECT", ZreMsg{id: ElectID, sequence: 7, Group: "L", candidate: zreTestID}, []string{
		"AA A1", "08", "02", "00 07",
		"01 4C", // group
		"20 4342424536314638463141323430353842343330314633353645323141453131", // challenger
	}},
	{"LEADER", ZreMsg{id: LeaderID, sequence: 8, Group: "L", candidate: zreTestID}, []string{
		"AA A1", "09", "02", "00 08",
		"01 4C", // group
		"20 4342424536314638463141323430353842343330314633353645323141453131", // leader
	}},
	{"GOODBYE", ZreMsg{id: GoodbyeID, sequence: 9}, []string{"AA A1", "0A", "02", "00 09"}},
}

// zreFrame makes a frame from hexadecimal lines; blanks in them are skipped.
func zreFrame(t testing.TB, lines ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	if err != nil {
		t.Fatalf("DecodeString(%q) = %v", lines, err)
	}
	return b
}

func TestZreMsg_layout(t *testing.T) {
	for _, tt := range zreLayouts {
		t.Run(tt.name, func(t *testing.T) {
			frame := zreFrame(t, tt.lines...)
			if got, err := tt.msg.append([]byte{0xEE}); err != nil || !bytes.Equal(got[1:], frame) || got[0] != 0xEE {
				t.Errorf("append = %x, %v, want ee%x, nil", got, err, frame)
			}
			var v zreView
			for _, tail := range [][]byte{nil, {0}, []byte("left over")} {
				if err := v.parse(append(slices.Clone(frame), tail...)); err != nil {
					t.Fatalf("parse(frame + %q) = %v, want nil", tail, err)
				}
				if got := v.message(); !reflect.DeepEqual(*got, tt.msg) {
					t.Errorf("parse(frame + %q) = %+v, want %+v", tail, *got, tt.msg)
				}
			}
		})
	}
}

func TestZreMsg_append_tooLong(t *testing.T) {
	long, fits := strings.Repeat("ü", 128), strings.Repeat("n", 255)
	tests := []struct {
		name string
		msg  ZreMsg
		ok   bool
	}{
		{"endpoint", ZreMsg{id: HelloID, Endpoint: long}, false},
		{"name", ZreMsg{id: HelloID, Name: long}, false},
		{"group of HELLO", ZreMsg{id: HelloID, Groups: []string{"G", long}}, false},
		{"header key", ZreMsg{id: HelloID, Headers: map[string]string{long: ""}}, false},
		{"group of SHOUT", ZreMsg{id: ShoutID, Group: long}, false},
		{"group of JOIN", ZreMsg{id: JoinID, Group: long}, false},
		{"group of LEAVE", ZreMsg{id: LeaveID, Group: long}, false},
		{"group of ELECT", ZreMsg{id: ElectID, Group: long}, false},
		{"leader", ZreMsg{id: LeaderID, candidate: long}, false},
		{"header value", ZreMsg{id: HelloID, Headers: map[string]string{fits: long + long}}, true},
		{"255 bytes", ZreMsg{id: HelloID, Endpoint: fits, Name: fits, Groups: []string{fits}}, true},
		{"not sent", ZreMsg{id: PingID, Group: long, Name: long}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.msg.append([]byte{0xEE})
			if (err == nil) != tt.ok || (!tt.ok && (!errors.Is(err, wire.ErrTooLong) || len(b) != 1)) {
				t.Errorf("append = %d bytes, %v, want success: %t", len(b), err, tt.ok)
			}
		})
	}
}

func TestPutSequence(t *testing.T) {
	msg := ZreMsg{id: ShoutID, Group: "CHAT"}
	frame, _ := msg.append(nil)
	for _, sequence := range []uint16{1, 0x1234, 0xFFFF, 0} {
		putSequence(frame, sequence)
		msg.sequence = sequence
		if want, _ := msg.append(nil); !bytes.Equal(frame, want) {
			t.Errorf("putSequence(%#x) = %x, want %x", sequence, frame, want)
		}
	}
	putSequence(frame[:5], 7) // no room: must not panic
	putSequence(nil, 7)
}

func TestZreMsg_noAllocation(t *testing.T) {
	buf := make([]byte, 0, 4096)
	uuid, _ := parseUUID(zreTestID)
	for _, tt := range zreLayouts {
		frame := zreFrame(t, tt.lines...)
		if n := testing.AllocsPerRun(100, func() { tt.msg.append(buf) }); n != 0 {
			t.Errorf("%s: append allocates %v times, want 0", tt.name, n)
		}
		var v zreView
		if n := testing.AllocsPerRun(100, func() { v.parse(frame) }); n != 0 {
			t.Errorf("%s: parse allocates %v times, want 0", tt.name, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			for group := range v.groups() {
				buf = append(buf[:0], group...)
			}
		}); n != 0 {
			t.Errorf("%s: groups allocates %v times, want 0", tt.name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { parseIdentity(appendIdentity(buf[:0], uuid)) }); n != 0 {
		t.Errorf("identity allocates %v times, want 0", n)
	}
}
