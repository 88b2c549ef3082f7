package zyre

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

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

func TestZreView_parse_everyPrefix(t *testing.T) {
	for _, tt := range zreLayouts {
		frame := zreFrame(t, tt.lines...)
		for n := range len(frame) {
			want := errMalformed
			if n < 2 {
				want = errBadSignature
			}
			var v zreView
			if err := v.parse(frame[:n:n]); !errors.Is(err, want) {
				t.Errorf("%s: parse(first %d of %d bytes) = %v, want %v", tt.name, n, len(frame), err, want)
			}
			if rest := (zreView{id: v.id, sequence: v.sequence}); !reflect.DeepEqual(v, rest) {
				t.Errorf("%s: parse(first %d of %d bytes) left %+v", tt.name, n, len(frame), v)
			}
		}
	}
}

func TestZreView_parse_everyID(t *testing.T) {
	known := map[int]bool{2: true, 6: true, 7: true, 10: true} // complete without fields
	for id := range 256 {
		var want error
		switch {
		case id == 0 || id > int(GoodbyeID):
			want = errUnknownID
		case !known[id]:
			want = errMalformed
		}
		var v zreView
		err := v.parse(appendPlain(nil, uint8(id), 0x1234))
		if !errors.Is(err, want) || int(v.id) != id || v.sequence != 0x1234 {
			t.Errorf("parse(id %d) = %v, id %d, sequence %#x, want %v, %d, 0x1234", id, err, v.id, v.sequence, want, id)
		}
		_, err = NewZreMsg(uint8(id)).append(nil)
		if wantErr := errors.Is(want, errUnknownID); errors.Is(err, errUnknownID) != wantErr || (err != nil) != wantErr {
			t.Errorf("append(id %d) = %v, want an error: %t", id, err, wantErr)
		}
	}
}

func TestZreView_parse_order(t *testing.T) {
	tests := []struct {
		name, frame string
		want        error
	}{
		{"gossip", "AAA00101", errBadSignature},
		{"HTTP", "474554202F20485454502F312E31", errBadSignature},
		{"signature before version", "AAA0 01 03 0001", errBadSignature},
		{"version before id", "AAA1 FF 03 0001", errBadVersion},
		{"version before length", "AAA1 01 01", errBadVersion},
		{"id before fields", "AAA1 0B 02 0001", errUnknownID},
		{"endpoint", "AAA1 01 02 0001 FF 41", errMalformed},
		{"4 G groups", "AAA1 01 02 0001 00 FFFFFFFF 00 00 00000000", errMalformed},
		{"groups times 4 is 0", "AAA1 01 02 0001 00 40000000 00 00 00000000", errMalformed},
		{"group of 4 GB", "AAA1 01 02 0001 00 00000001 FFFFFFFF 00 00 00000000", errMalformed},
		{"group of 2 GB", "AAA1 01 02 0001 00 00000001 80000000 00 00 00000000", errMalformed},
		{"4 G headers", "AAA1 01 02 0001 00 00000000 00 00 FFFFFFFF", errMalformed},
		{"headers times 5 is 1", "AAA1 01 02 0001 00 00000000 00 00 33333333", errMalformed},
		{"header key", "AAA1 01 02 0001 00 00000000 00 00 00000001 FF 00000000", errMalformed},
		{"header value of 4 GB", "AAA1 01 02 0001 00 00000000 00 00 00000001 00 FFFFFFFF", errMalformed},
		{"group of SHOUT", "AAA1 03 02 0001 05 41424344", errMalformed},
		{"JOIN without status", "AAA1 04 02 0001 01 41", errMalformed},
		{"ELECT without challenger", "AAA1 08 02 0001 01 41", errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := zreFrame(t, tt.frame)
			var v zreView
			if err := v.parse(frame); !errors.Is(err, tt.want) {
				t.Errorf("parse(%x) = %v, want %v", frame, err, tt.want)
			}
			if n := testing.AllocsPerRun(10, func() { v.parse(frame) }); n != 0 {
				t.Errorf("parse(%x) allocates %v times, want 0", frame, n)
			}
		})
	}
}

func TestZreView_headerMap_lastWins(t *testing.T) {
	frame := zreFrame(t, "AAA1 01 02 0001 00 00000002 00000001 47 00000001 47 02 00",
		"00000003", "01 4B 00000001 31", "01 4C 00000001 32", "01 4B 00000001 33")
	var v zreView
	if err := v.parse(frame); err != nil {
		t.Fatalf("parse = %v", err)
	}
	if got, want := v.headerMap(), map[string]string{"K": "3", "L": "2"}; !maps.Equal(got, want) {
		t.Errorf("headerMap() = %v, want %v", got, want)
	}
	if got, want := v.groupNames(), []string{"G", "G"}; !slices.Equal(got, want) {
		t.Errorf("groupNames() = %v, want %v", got, want)
	}
	for range v.groups() {
		break // must end the walk
	}
	for range v.headers() {
		break
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

// zrePair returns a ROUTER and a DEALER connected to it, in a context of their own.
func zrePair(t *testing.T) (router, dealer *zmq.Socket) {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatalf("NewContext() = %v", err)
	}
	t.Cleanup(func() {
		if err := ctx.Term(); err != nil {
			t.Errorf("Term() = %v", err)
		}
	})
	open := func(kind zmq.Type) *zmq.Socket {
		s, err := ctx.NewSocket(kind)
		if err != nil {
			t.Fatalf("NewSocket(%v) = %v", kind, err)
		}
		t.Cleanup(func() { s.Close() })
		if err := errors.Join(s.SetLinger(0), s.SetRcvtimeo(10*time.Second), s.SetSndtimeo(10*time.Second)); err != nil {
			t.Fatalf("options of %v = %v", kind, err)
		}
		return s
	}
	uuid, _ := parseUUID(zreTestID)
	router, dealer = open(zmq.ROUTER), open(zmq.DEALER)
	if err := errors.Join(
		router.Bind("inproc://zre"),
		dealer.SetIdentity(string(appendIdentity(nil, uuid))),
		dealer.Connect("inproc://zre"),
	); err != nil {
		t.Fatalf("connect = %v", err)
	}
	return router, dealer
}

func TestSendRecv_thereAndBack(t *testing.T) {
	router, dealer := zrePair(t)
	for _, tt := range zreLayouts {
		for _, frames := range [][][]byte{nil, {[]byte("one")}, {{}}, {[]byte("one"), {}, []byte("three")}} {
			msg, want := tt.msg, tt.msg
			msg.Frames, msg.Content = frames, []byte("ignored if there are frames")
			if want.id == WhisperID || want.id == ShoutID {
				if want.Frames = frames; frames == nil {
					want.Frames = [][]byte{msg.Content}
				}
				want.Content = want.Frames[0]
			}
			if err := Send(dealer, &msg); err != nil {
				t.Fatalf("%s: Send = %v", tt.name, err)
			}
			there, err := Recv(router)
			if err != nil {
				t.Fatalf("%s: Recv(router) = %v", tt.name, err)
			}
			uuid, ok := parseIdentity(there.routing)
			if !ok || uuidString(uuid) != zreTestID {
				t.Errorf("%s: routing = %x, want that of %s", tt.name, there.routing, zreTestID)
			}
			if err := Send(router, there); err != nil {
				t.Fatalf("%s: Send(router) = %v", tt.name, err)
			}
			back, err := Recv(dealer)
			if err != nil {
				t.Fatalf("%s: Recv(dealer) = %v", tt.name, err)
			}
			if !reflect.DeepEqual(*back, want) {
				t.Errorf("%s with %q: Recv = %+v, want %+v", tt.name, frames, *back, want)
			}
		}
	}
}

// A message without content is sent with one empty frame.
func TestSend_emptyContent(t *testing.T) {
	router, dealer := zrePair(t)
	for _, id := range []uint8{WhisperID, ShoutID} {
		if err := Send(dealer, NewZreMsg(id)); err != nil {
			t.Fatalf("Send(%d) = %v", id, err)
		}
		frames, err := router.RecvMessageBytes(0)
		if err != nil || len(frames) != 3 || len(frames[2]) != 0 {
			t.Errorf("Send(%d) sent %x, %v, want routing id, header, empty frame", id, frames, err)
		}
	}
}

func TestRecv_staysInStep(t *testing.T) {
	ping := appendPlain(nil, PingID, 7)
	tests := []struct {
		name   string
		frames [][]byte
		want   error
	}{
		{"extra frames after PING", [][]byte{ping, {1}, {2}, {}, ping, {3}}, nil},
		{"no content", [][]byte{appendPlain(nil, WhisperID, 7)}, nil},
		{"bad signature", [][]byte{[]byte("GET / HTTP/1.1"), ping, ping}, errBadSignature},
		{"bad version", [][]byte{{0xAA, 0xA1, 6, 3, 0, 7}, ping}, errBadVersion},
		{"unknown id", [][]byte{appendPlain(nil, 11, 7), ping}, errUnknownID},
		{"cut short", [][]byte{ping[:5], ping, ping}, errMalformed},
		{"empty frame", [][]byte{{}, {}, {}}, errBadSignature},
	}
	router, dealer := zrePair(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := dealer.SendMessage(tt.frames); err != nil {
				t.Fatalf("SendMessage = %v", err)
			}
			m, err := Recv(router)
			if !errors.Is(err, tt.want) || (m == nil) != (tt.want != nil) {
				t.Errorf("Recv = %+v, %v, want error %v", m, err, tt.want)
			}
			if m != nil && (len(m.Content) != 0 || m.Frames != nil) {
				t.Errorf("Recv = content %q, frames %q, want none", m.Content, m.Frames)
			}
			if err := Send(dealer, &ZreMsg{id: JoinID, Group: tt.name}); err != nil {
				t.Fatalf("Send = %v", err)
			}
			if m, err := Recv(router); err != nil || m.Group != tt.name {
				t.Errorf("next Recv = %+v, %v, want JOIN %s", m, err, tt.name)
			}
		})
	}
}

func TestSendRecv_misuse(t *testing.T) {
	router, dealer := zrePair(t)
	var never zmq.Socket
	closed := dealer
	if err := errors.Join(router.SetRcvtimeo(0), closed.Close()); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*zmq.Socket{"nil": nil, "never opened": &never, "closed": closed, "nothing there": router} {
		if m, err := Recv(s); m != nil || err == nil || !strings.HasPrefix(err.Error(), "zyre: ") {
			t.Errorf("Recv(%s) = %v, %v, want an error", name, m, err)
		}
		for _, m := range []*ZreMsg{nil, {}, NewZreMsg(PingID), NewZreMsg(11), {id: JoinID, Group: strings.Repeat("G", 256)}} {
			if err := Send(s, m); err == nil || !strings.HasPrefix(err.Error(), "zyre: ") {
				t.Errorf("Send(%s, %+v) = %v, want an error", name, m, err)
			}
		}
	}
}

// A message that cannot be encoded leaves nothing behind in the socket.
func TestSend_tooLongSendsNothing(t *testing.T) {
	router, dealer := zrePair(t)
	if err := Send(dealer, &ZreMsg{id: ShoutID, Group: strings.Repeat("G", 256)}); !errors.Is(err, wire.ErrTooLong) {
		t.Errorf("Send = %v, want ErrTooLong", err)
	}
	if err := Send(dealer, NewZreMsg(PingID)); err != nil {
		t.Fatalf("Send(PING) = %v", err)
	}
	if m, err := Recv(router); err != nil || m.id != PingID {
		t.Errorf("Recv = %+v, %v, want PING", m, err)
	}
}
