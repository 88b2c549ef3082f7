package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/go-zyre/zyre/internal/wire"
)

// FuzzZreView parses a frame. What parses is rebuilt and encoded, and must parse to
// the same, up to the order of headers and repeated keys.
func FuzzZreView(f *testing.F) {
	for _, tt := range zreLayouts {
		f.Add(zreFrame(f, tt.lines...))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		frame := slices.Clone(input) // ours to overwrite
		var v zreView
		if err := v.parse(frame); err != nil {
			known := []error{errBadSignature, errBadVersion, errUnknownID, errMalformed}
			if !slices.Contains(known, err) {
				t.Fatalf("parse(%x) = %v, want one of %v", frame, err, known)
			}
			return
		}
		m := v.message()
		b, err := m.append(nil)
		if slices.ContainsFunc(m.Groups, func(g string) bool { return len(g) > wire.MaxString }) {
			if !errors.Is(err, wire.ErrTooLong) {
				t.Fatalf("append = %x, %v, want ErrTooLong", b, err)
			}
			return // RFC 36 lets a HELLO carry what no JOIN can
		}
		if err != nil || len(b) > len(frame) {
			t.Fatalf("append = %x, %v, want at most the %d bytes of the frame", b, err, len(frame))
		}
		var w zreView
		if err := w.parse(b); err != nil {
			t.Fatalf("parse(%x) = %v, want nil", b, err)
		}
		if again := w.message(); !reflect.DeepEqual(again, m) {
			t.Fatalf("parse(append) = %+v, want %+v", again, m)
		}
		var keys []string
		for key := range v.headers() {
			keys = append(keys, string(key))
		}
		if slices.Equal(keys, slices.Sorted(maps.Keys(m.Headers))) && !bytes.HasPrefix(frame, b) {
			t.Fatalf("append = %x, want the start of %x", b, frame)
		}
		clear(frame) // a message must have copied all it needs
		if again := w.message(); !reflect.DeepEqual(again, m) {
			t.Fatalf("message changed with its frame: %+v, want %+v", m, again)
		}
	})
}

// FuzzBeaconMsg parses a datagram. What parses is encoded and must be the same bytes.
func FuzzBeaconMsg(f *testing.F) {
	f.Add(append([]byte("ZRE\x01"), make([]byte, 18)...))
	f.Add(append([]byte("ZRE\x03"), make([]byte, 50)...))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		v, err := parseBeacon(datagram)
		if err != nil {
			if !errors.Is(err, errNotBeacon) || v != (beaconView{}) {
				t.Fatalf("parseBeacon(%x) = %+v, %v, want zero, errNotBeacon", datagram, v, err)
			}
			return
		}
		if b, err := v.beaconMsg().append(nil); err != nil || !bytes.Equal(b, datagram) {
			t.Fatalf("append = %x, %v, want %x, nil", b, err, datagram)
		}
	})
}

// What a frame makes us allocate must be in proportion to the frame.
func TestZreView_copies_inProportion(t *testing.T) {
	const n = 50_000
	hello := func(groups, headers func(*wire.Appender)) []byte {
		a := wire.NewAppender(appendPlain(nil, HelloID, 1))
		a.String("")
		groups(&a)
		a.Uint8(0)
		a.String("")
		headers(&a)
		b, _ := a.Bytes()
		return b
	}
	none := func(a *wire.Appender) { a.Count(0) }
	tests := []struct {
		name   string
		frame  []byte
		factor uint64
	}{
		{"empty groups", hello(func(a *wire.Appender) {
			a.Count(n)
			for range n {
				a.Longstr("")
			}
		}, none), 5},
		{"one key again and again", hello(none, func(a *wire.Appender) {
			a.Count(n)
			for range n {
				a.String("")
				a.Longstr("")
			}
		}), 1},
		{"many keys", hello(none, func(a *wire.Appender) {
			a.Count(n)
			for i := range n {
				a.String(fmt.Sprintf("%05d", i))
				a.Longstr("")
			}
		}), 25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v zreView
			if err := v.parse(tt.frame); err != nil {
				t.Fatalf("parse = %v", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			names, headers := v.groupNames(), v.headerMap()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(names)
			runtime.KeepAlive(headers)
			got, frame := after.TotalAlloc-before.TotalAlloc, uint64(len(tt.frame))
			if got > tt.factor*frame+64<<10 {
				t.Errorf("a frame of %d bytes allocates %d, want at most %d times as much", frame, got, tt.factor)
			}
		})
	}
}

// zreBenchHello is what a node with some groups and headers says.
func zreBenchHello() *ZreMsg {
	return &ZreMsg{
		id: HelloID, sequence: 1, Endpoint: "tcp://192.168.1.10:49152", Groups: []string{"GLOBAL", "CHAT"},
		Status: 2, Name: "node-1", Headers: map[string]string{"X-HELLO": "World", "X-KIND": "bench"},
	}
}

func BenchmarkZreMsg_append(b *testing.B) {
	for _, bb := range []struct {
		name string
		msg  *ZreMsg
	}{
		{"HELLO", zreBenchHello()},
		{"SHOUT", &ZreMsg{id: ShoutID, sequence: 2, Group: "CHAT"}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 512)
			for b.Loop() {
				if _, err := bb.msg.append(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkZreView_parse(b *testing.B) {
	for _, bb := range []struct {
		name string
		msg  *ZreMsg
	}{
		{"HELLO", zreBenchHello()},
		{"SHOUT", &ZreMsg{id: ShoutID, sequence: 2, Group: "CHAT"}},
		{"WHISPER", &ZreMsg{id: WhisperID, sequence: 2}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			frame, err := bb.msg.append(nil)
			if err != nil {
				b.Fatal(err)
			}
			var v zreView
			for b.Loop() {
				if err := v.parse(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkZreView_message(b *testing.B) {
	b.ReportAllocs()
	frame, err := zreBenchHello().append(nil)
	if err != nil {
		b.Fatal(err)
	}
	var v zreView
	if err := v.parse(frame); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v.message()
	}
}
