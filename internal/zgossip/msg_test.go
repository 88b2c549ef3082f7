package zgossip

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// golden is one frame captured from CZMQ.
type golden struct {
	What    string   `json:"what"`
	Frames  []string `json:"frames_hex"`
	Decoded struct {
		Signature string `json:"signature"`
		ID        byte   `json:"id"`
		Key       string `json:"key"`
		Value     string `json:"value"`
		TTL       uint32 `json:"ttl"`
	} `json:"decoded"`
	frame []byte
}

// goldens returns the captured frames of the gossip protocol; the file also has
// some of ZRE.
func goldens(t testing.TB) (all []golden) {
	t.Helper()
	f, err := os.Open("testdata/gossip-libzyre.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		if g.Decoded.Signature != "aaa0" || len(g.Frames) != 1 {
			continue
		}
		if g.frame, err = hex.DecodeString(g.Frames[0]); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if len(all) < 20 {
		t.Fatalf("testdata has %d gossip frames, want 20 or more", len(all))
	}
	return all
}

func (m *msg) encode() []byte {
	if m.id == idPublish {
		return appendPublish(nil, string(m.key), string(m.value), m.ttl)
	}
	return appendHead(nil, m.id)
}

func TestMsg_golden(t *testing.T) {
	for _, g := range goldens(t) {
		var m msg
		if err := m.parse(g.frame); err != nil {
			t.Errorf("parse(%x) = %v, want nil (%s)", g.frame, err, g.What)
			continue
		}
		d := g.Decoded
		if m.id != d.ID || string(m.key) != d.Key || string(m.value) != d.Value || m.ttl != d.TTL {
			t.Errorf("parse(%x) = %d %q %q %d, want %d %q %q %d", g.frame,
				m.id, m.key, m.value, m.ttl, d.ID, d.Key, d.Value, d.TTL)
		}
		if b := m.encode(); !bytes.Equal(b, g.frame) {
			t.Errorf("encode(%s) = %x, want %x", g.What, b, g.frame)
		}
	}
}

func TestMsg_prefixes(t *testing.T) {
	for _, g := range goldens(t) {
		for n := range g.frame {
			var m msg
			if err := m.parse(g.frame[:n]); !errors.Is(err, errShort) || m.id != 0 {
				t.Errorf("parse(%x) = %v id %d, want %v id 0", g.frame[:n], err, m.id, errShort)
			}
		}
	}
}

func TestMsg_bytes(t *testing.T) {
	long := strings.Repeat("v", MaxValue)
	head := "\xAA\xA0\x02\x01"
	for _, c := range []struct {
		name, frame string
		want        error
	}{
		{"hello", "\xAA\xA0\x01\x01", nil},
		{"hello with more behind it", "\xAA\xA0\x01\x01more", nil},
		{"publish", head + "\x01k" + "\x00\x00\x00\x01v" + "\x00\x00\x00\x00", nil},
		{"publish with more behind it", head + "\x01k" + "\x00\x00\x00\x01v" + "\x00\x00\x00\x00more", nil},
		{"empty value", head + "\x01k" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00", nil},
		{"longest", head + "\xFF" + long[:255] + "\x00\x00\x04\x00" + long + "\xFF\xFF\xFF\xFF", nil},
		{"empty frame", "", errShort},
		{"ZRE", "\xAA\xA1\x01\x01", errSignature},
		{"command 0", "\xAA\xA0\x00\x01", errID},
		{"command 6", "\xAA\xA0\x06\x01", errID},
		{"version 2", "\xAA\xA0\x01\x02", errVersion},
		{"no key", head + "\x00" + "\x00\x00\x00\x01v" + "\x00\x00\x00\x00", errKey},
		{"NUL in key", head + "\x02k\x00" + "\x00\x00\x00\x01v" + "\x00\x00\x00\x00", errKey},
		{"NUL in value", head + "\x01k" + "\x00\x00\x00\x01\x00" + "\x00\x00\x00\x00", errValue},
		{"key longer than frame", head + "\xFFk", errShort},
		{"value longer than frame", head + "\x01k" + "\x00\x00\x00\x02v" + "\x00\x00\x00", errShort},
		{"value of 4 GB", head + "\x01k" + "\xFF\xFF\xFF\xFFv" + "\x00\x00\x00\x00", errShort},
		{"value that makes the sum wrap", head + "\x01k" + "\xFF\xFF\xFF\xFCv" + "\x00\x00\x00\x00", errShort},
		{"value above the limit", head + "\x01k" + "\x00\x00\x04\x01v" + long + "\x00\x00\x00\x00", errValue},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m msg
			if err := m.parse([]byte(c.frame)); !errors.Is(err, c.want) {
				t.Errorf("parse(%.40q) = %v, want %v", c.frame, err, c.want)
			} else if err != nil && m.id != 0 {
				t.Errorf("parse(%.40q) left id %d, want 0", c.frame, m.id)
			}
		})
	}
}

func TestMsg_allocs(t *testing.T) {
	frame := appendPublish(nil, "key", "tcp://127.0.0.1:1", 0)
	buf := make([]byte, 0, 2*len(frame))
	n := testing.AllocsPerRun(100, func() {
		var m msg
		if m.parse(frame) != nil {
			t.Error("parse(PUBLISH) failed")
		}
		buf = appendPublish(buf[:0], "key", "tcp://127.0.0.1:1", 0)
	})
	if n != 0 {
		t.Errorf("parse and append allocate %v times, want 0", n)
	}
}

func FuzzMsg(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.frame)
	}
	f.Add([]byte("\xAA\xA0\x02\x01\x01k\xFF\xFF\xFF\xFCv\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m msg
		if m.parse(frame) != nil {
			if m.id != 0 || m.key != nil || m.value != nil {
				t.Errorf("parse(%x) failed and left %+v", frame, m)
			}
			return
		}
		b := m.encode()
		if !bytes.HasPrefix(frame, b) {
			t.Errorf("encode(parse(%x)) = %x, want a prefix", frame, b)
		}
	})
}

func BenchmarkMsg_parse(b *testing.B) {
	frame := appendPublish(nil, "92F69AE6DABB4453B4F89CFD3200D40C", "tcp://127.0.0.1:23991", 0)
	b.ReportAllocs()
	for b.Loop() {
		var m msg
		if m.parse(frame) != nil {
			b.Fatal("parse(PUBLISH) failed")
		}
	}
}
