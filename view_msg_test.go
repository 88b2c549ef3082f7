package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// goldenView is a view, and its bytes after the head of an answer.
var goldenView = View{
	Peers: 3, HalfOpen: 2, Groups: 1, Received: 1 << 40, Sent: 5, Gaps: 6, Pauses: 7, Waits: 8, Unsent: 9,
	PeerList: []ViewPeer{
		{
			UUID: "000102030405060708090A0B0C0D0E0F", Name: "ab", Endpoint: "tcp://x",
			RTT: 300 * time.Microsecond, Idle: 2 * time.Second, Received: 1, Sent: 2, Waiting: 3, Evasive: true,
		},
		{UUID: "FF0102030405060708090A0B0C0D0E0F", Evasive: true, Silent: true},
	},
}

var goldenViewBytes = slices.Concat(
	[]byte{0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1}, // peers, half-open, groups
	[]byte{0, 0, 1, 0, 0, 0, 0, 0},             // received
	[]byte{0, 0, 0, 0, 0, 0, 0, 5},             // sent
	[]byte{0, 0, 0, 0, 0, 0, 0, 6},             // gaps
	[]byte{0, 0, 0, 0, 0, 0, 0, 7},             // pauses
	[]byte{0, 0, 0, 0, 0, 0, 0, 8},             // waits
	[]byte{0, 0, 0, 0, 0, 0, 0, 9},             // unsent
	[]byte{0, 0, 0, 2},                         // listed
	[]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	[]byte{1, 0, 0, 1, 44, 0, 0, 7, 208}, // flags, rtt, idle
	[]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3},
	[]byte("\x02ab\x07tcp://x"),
	[]byte{255, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	[]byte{3, 0, 0, 0, 0, 0, 0, 0, 0},
	make([]byte, 20), []byte{0, 0},
)

func TestView_golden(t *testing.T) {
	if got := appendView(nil, &goldenView); !bytes.Equal(got, goldenViewBytes) {
		t.Errorf("appendView = %x, want %x", got, goldenViewBytes)
	}
	if got, err := parseView(goldenViewBytes); err != nil || !reflect.DeepEqual(got, goldenView) {
		t.Errorf("parseView = %+v, %v, want %+v", got, err, goldenView)
	}
	nonce := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	head := appendViewHead(nil, viewQuestion, nonce)
	if want := "\x00ZYRE-VIEW1\x01\x01\x02\x03\x04\x05\x06\x07\x08"; string(head) != want {
		t.Errorf("head of a question = %q, want %q", head, want)
	}
}

// Whatever is not exactly a view is refused: every prefix of one, and what follows here.
func TestView_refused(t *testing.T) {
	for n := range goldenViewBytes {
		if _, err := parseView(goldenViewBytes[:n]); !errors.Is(err, errBadView) {
			t.Errorf("parseView(first %d bytes) = %v, want %v", n, err, errBadView)
		}
	}
	changed := func(at int, to byte) []byte {
		b := slices.Clone(goldenViewBytes)
		b[at] = to
		return b
	}
	const list = 12 + 6*8
	for name, b := range map[string][]byte{
		"a byte left over":        append(slices.Clone(goldenViewBytes), 0),
		"more listed than peers":  changed(3, 1),
		"a billion peers listed":  changed(list, 0x40),
		"an unknown flag":         changed(list+4+16, 5),
		"peers not in order":      changed(list+4, 255),
		"more bytes than allowed": append(slices.Clone(goldenViewBytes), make([]byte, maxViewBytes)...),
	} {
		if _, err := parseView(b); !errors.Is(err, errBadView) {
			t.Errorf("parseView(%s) = %v, want %v", name, err, errBadView)
		}
	}
	for name, frame := range map[string]string{
		"nothing": "", "text": "hello, this is a message", "another version": "\x00ZYRE-VIEW2\x0112345678",
		"an unknown kind": viewMagic + "\x0312345678", "a short nonce": viewMagic + "\x011234567",
	} {
		if kind, _, _, ok := parseViewHead([]byte(frame)); ok {
			t.Errorf("parseViewHead(%s) = %d, want not ok", name, kind)
		}
	}
}

// A view has a limit in bytes: peers that do not fit are left out, and counted.
func TestView_limit(t *testing.T) {
	v := View{Peers: 2000}
	for i := range v.Peers {
		v.PeerList = append(v.PeerList, ViewPeer{
			UUID: fmt.Sprintf("%032X", i), Name: strings.Repeat("n", maxString+1), Endpoint: strings.Repeat("e", maxString),
			RTT: -1, Idle: 1 << 62, Waiting: 1 << 40,
		})
	}
	b := appendView(nil, &v)
	if len(b) > maxViewBytes || len(b) < maxViewBytes-600 {
		t.Errorf("bytes = %d, want at most %d and nearly that", len(b), maxViewBytes)
	}
	got, err := parseView(b)
	if err != nil || got.Peers != v.Peers || len(got.PeerList) < 200 || len(got.PeerList[0].Name) != maxString {
		t.Errorf("parseView = %d of %d peers, %v, want 200 or more", len(got.PeerList), got.Peers, err)
	}
}

// What parses is written back as the same bytes, and nothing panics.
func FuzzView(f *testing.F) {
	f.Add(goldenViewBytes)
	f.Add(goldenViewBytes[:len(goldenViewBytes)-1])
	f.Add(appendView(nil, &View{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseView(b)
		if err != nil {
			return
		}
		if again := appendView(nil, &v); !bytes.Equal(again, b) {
			t.Errorf("written again = %x, want %x", again, b)
		}
	})
}
