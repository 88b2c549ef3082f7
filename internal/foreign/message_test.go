package foreign

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/wire"
	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

// captures reads the ZRE messages of a file.
func captures(t *testing.T, file string) []wiretest.Capture {
	t.Helper()
	return slices.DeleteFunc(wiretest.Captures(t, filepath.Join("..", ".."), file), func(c wiretest.Capture) bool {
		return !strings.HasPrefix(c.Transport, "zmtp") || strings.Contains(c.What, "identity frame")
	})
}

// Every captured message is parsed and comes out the same when it is encoded again.
func TestMessage_golden(t *testing.T) {
	for file, want := range map[string]int{"libzyre.jsonl": 38, "pyre.jsonl": 24, "zyrejs.jsonl": 23} {
		n := 0
		for _, c := range captures(t, file) {
			m, err := Parse(c.Frames[0])
			if err != nil {
				t.Errorf("%s: Parse(%s) = %v, want nil", file, c.What, err)
				continue
			}
			if b, err := m.Append(nil); err != nil || !bytes.Equal(b, c.Frames[0]) {
				t.Errorf("%s: Append(%s) = %x, %v, want %x, nil", file, c.What, b, err, c.Frames[0])
			}
			n++
		}
		if n != want {
			t.Errorf("%s has %d messages, want %d", file, n, want)
		}
	}
}

// eachMessage is each command with all its fields, and its bytes.
var eachMessage = []struct {
	m    Message
	wire string
}{
	{
		Message{
			ID: HelloID, Sequence: 1, Endpoint: "tcp://a:1", Groups: []string{"G", "H"}, Status: 2, Name: "n",
			Headers: []Header{{"k", "v"}},
		},
		"\xAA\xA1\x01\x02\x00\x01" + "\x09tcp://a:1" + "\x00\x00\x00\x02" + "\x00\x00\x00\x01G" + "\x00\x00\x00\x01H" +
			"\x02" + "\x01n" + "\x00\x00\x00\x01" + "\x01k" + "\x00\x00\x00\x01v",
	},
	{Message{ID: WhisperID, Sequence: 2}, "\xAA\xA1\x02\x02\x00\x02"},
	{Message{ID: ShoutID, Sequence: 0x102, Group: "G"}, "\xAA\xA1\x03\x02\x01\x02" + "\x01G"},
	{Message{ID: JoinID, Group: "G", Status: 3}, "\xAA\xA1\x04\x02\x00\x00" + "\x01G" + "\x03"},
	{Message{ID: LeaveID, Group: "G", Status: 255}, "\xAA\xA1\x05\x02\x00\x00" + "\x01G" + "\xFF"},
	{Message{ID: PingID}, "\xAA\xA1\x06\x02\x00\x00"},
	{Message{ID: PingOkID}, "\xAA\xA1\x07\x02\x00\x00"},
	{Message{ID: ElectID, Group: "G", Candidate: "A"}, "\xAA\xA1\x08\x02\x00\x00" + "\x01G" + "\x01A"},
	{Message{ID: LeaderID, Group: "G", Candidate: "A"}, "\xAA\xA1\x09\x02\x00\x00" + "\x01G" + "\x01A"},
	{Message{ID: GoodbyeID}, "\xAA\xA1\x0A\x02\x00\x00"},
}

func TestMessage_bytes(t *testing.T) {
	for _, tt := range eachMessage {
		if b, err := tt.m.Append(nil); err != nil || string(b) != tt.wire {
			t.Errorf("Append(%+v) = %q, %v, want %q, nil", tt.m, b, err, tt.wire)
		}
		if m, err := Parse([]byte(tt.wire)); err != nil || !reflect.DeepEqual(m, tt.m) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v, nil", tt.wire, m, err, tt.m)
		}
	}
}

// Every prefix is an error.
func TestParse_prefixes(t *testing.T) {
	for _, tt := range eachMessage {
		for i := range len(tt.wire) {
			want := wire.ErrShort
			if i < 2 {
				want = ErrSignature
			}
			if m, err := Parse([]byte(tt.wire[:i])); !errors.Is(err, want) {
				t.Errorf("Parse(%q) = %+v, %v, want %v", tt.wire[:i], m, err, want)
			}
		}
	}
}

func TestParse_refuses(t *testing.T) {
	for header, want := range map[string]error{
		"":                              ErrSignature,
		"\xAA\xA0\x01\x01":              ErrSignature,
		"\xAA\xA1\x02\x01\x00\x05":      ErrVersion,
		"\xAA\xA1\x02\x03\x00\x05":      ErrVersion,
		"\xAA\xA1\x00\x02\x00\x05":      ErrUnknownID,
		"\xAA\xA1\x0B\x02\x00\x05":      ErrUnknownID,
		"\xAA\xA1\x06\x02\x00\x05extra": nil,
	} {
		m, err := Parse([]byte(header))
		if !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %v, want %v", header, err, want)
		}
		if !errors.Is(want, ErrSignature) && m.Sequence != 5 {
			t.Errorf("Parse(%q): sequence %d, want 5", header, m.Sequence)
		}
	}
}

// A HELLO that announces more than there is yields what there is.
func TestParse_partOfHello(t *testing.T) {
	header := []byte("\xAA\xA1\x01\x02\x00\x01" + "\x01e" + "\xFF\xFF\xFF\xFF" + "\x00\x00\x00\x01G" + "\x00\x00\x00\x09H")
	m, err := Parse(header)
	if want := (Message{ID: HelloID, Sequence: 1, Endpoint: "e", Groups: []string{"G"}}); !reflect.DeepEqual(m, want) || !errors.Is(err, wire.ErrShort) {
		t.Errorf("Parse(%q) = %+v, %v, want %+v, %v", header, m, err, want, wire.ErrShort)
	}
}

func TestMessage_tooLong(t *testing.T) {
	m := Message{ID: JoinID, Group: strings.Repeat("g", 256)}
	if _, err := m.Append(nil); !errors.Is(err, wire.ErrTooLong) {
		t.Errorf("Append(group of 256 bytes) = %v, want %v", err, wire.ErrTooLong)
	}
}

func TestMessage_frames(t *testing.T) {
	m := Message{ID: WhisperID, Sequence: 3, Content: [][]byte{[]byte("a"), {}}}
	frames, err := m.Frames()
	if want := [][]byte{[]byte("\xAA\xA1\x02\x02\x00\x03"), []byte("a"), {}}; err != nil || !reflect.DeepEqual(frames, want) {
		t.Errorf("Frames() = %q, %v, want %q, nil", frames, err, want)
	}
	SetSequence(frames[0], 0x405)
	if got, _ := Parse(frames[0]); got.Sequence != 0x405 {
		t.Errorf("SetSequence: %#x, want 0x405", got.Sequence)
	}
}
