package zyre

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

// beaconMsg returns the message that v was parsed from.
func (v beaconView) beaconMsg() *BeaconMsg {
	if v.secure {
		return newSecureBeaconMsg(v.uuid, v.port, v.key)
	}
	return newBeaconMsg(v.uuid, v.port)
}

func TestBeaconMsg_layout(t *testing.T) {
	uuid, _ := parseUUID(zreTestID)
	key := [32]byte(bytes.Repeat([]byte{0x51, 0x04}, 16))
	tests := []struct {
		name  string
		view  beaconView
		lines []string
	}{
		{"plain", beaconView{uuid: uuid, port: 49152}, []string{
			"5A5245",  // ZRE
			"01",      // version
			zreTestID, // UUID
			"C000",    // port
		}},
		{"goodbye", beaconView{uuid: uuid}, []string{
			"5A5245", "01", zreTestID,
			"0000", // port
		}},
		{"secure", beaconView{uuid: uuid, port: 1, key: key, secure: true}, []string{
			"5A5245", // ZRE
			"03",     // version
			zreTestID,
			"0001",                       // port
			strings.Repeat("51 04 ", 16), // public key
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := zreFrame(t, tt.lines...)
			if got, err := parseBeacon(want); err != nil || got != tt.view {
				t.Errorf("parseBeacon(%x) = %+v, %v, want %+v, nil", want, got, err, tt.view)
			}
			got, err := tt.view.beaconMsg().append([]byte{0xEE})
			if err != nil || got[0] != 0xEE || !bytes.Equal(got[1:], want) {
				t.Errorf("append = %x, %v, want ee%x, nil", got, err, want)
			}
		})
	}
}

func TestBeaconMsg_append_bad(t *testing.T) {
	uuid := make([]byte, 16)
	tests := []struct {
		name string
		msg  BeaconMsg
	}{
		{"zero", BeaconMsg{}},
		{"protocol", BeaconMsg{Protocol: [3]byte{'z', 'r', 'e'}, Version: 1, UUID: uuid}},
		{"version 0", BeaconMsg{Protocol: beaconProtocol, UUID: uuid}},
		{"version 2", BeaconMsg{Protocol: beaconProtocol, Version: 2, UUID: uuid}},
		{"version 3 without key", BeaconMsg{Protocol: beaconProtocol, Version: 3, UUID: uuid}},
		{"version 1 with key", BeaconMsg{Protocol: beaconProtocol, Version: 1, UUID: uuid, hasKey: true}},
		{"no UUID", BeaconMsg{Protocol: beaconProtocol, Version: 1}},
		{"short UUID", BeaconMsg{Protocol: beaconProtocol, Version: 1, UUID: uuid[1:]}},
		{"long UUID", BeaconMsg{Protocol: beaconProtocol, Version: 1, UUID: append(slices.Clone(uuid), 0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.msg.append([]byte{0xEE})
			if err == nil || !strings.HasPrefix(err.Error(), "zyre: ") || len(b) != 1 {
				t.Errorf("append = %x, %v, want ee and an error", b, err)
			}
		})
	}
}

// Every length, with and without the prefix, and every version: only two forms pass.
func TestParseBeacon_everyLength(t *testing.T) {
	for size := range 1501 {
		for _, prefix := range []string{"", "ZRE", "ZR", "zre", "ZREX"} {
			for version := range 256 {
				if size > 60 && version > 4 {
					break
				}
				b := make([]byte, size)
				copy(b[min(3, size):], []byte{byte(version)})
				copy(b, prefix)
				want := size == 22 && prefix == "ZRE" && version == 1 || size == 54 && prefix == "ZRE" && version == 3
				if v, err := parseBeacon(b); (err == nil) != want || v.secure != (want && version == 3) {
					t.Fatalf("parseBeacon(%d bytes, %q, version %d) = %+v, %v, want success: %t", size, prefix, version, v, err, want)
				}
			}
		}
	}
}

func TestBeaconMsg_noAllocation(t *testing.T) {
	uuid, _ := parseUUID(zreTestID)
	buf := make([]byte, 0, 64)
	for _, m := range []*BeaconMsg{newBeaconMsg(uuid, 1), newSecureBeaconMsg(uuid, 1, [32]byte{1})} {
		b, err := m.append(buf)
		if err != nil {
			t.Fatalf("append = %v", err)
		}
		if n := testing.AllocsPerRun(100, func() { m.append(buf) }); n != 0 {
			t.Errorf("append of version %d allocates %v times, want 0", m.Version, n)
		}
		for _, datagram := range [][]byte{b, b[:21], nil} {
			if n := testing.AllocsPerRun(100, func() { parseBeacon(datagram) }); n != 0 {
				t.Errorf("parseBeacon(%d bytes) allocates %v times, want 0", len(datagram), n)
			}
		}
	}
}

func TestParseBeacon_golden(t *testing.T) {
	type golden struct {
		Version byte
		UUID    string
		Port    uint16
		Key     string `json:"public_key_hex"`
	}
	for file, want := range map[string]int{"libzyre.jsonl": 20, "pyre.jsonl": 12, "zyrejs.jsonl": 12} {
		n := 0
		for _, r := range wiretest.Captures(t, ".", file) {
			if r.Transport != "udp" {
				continue
			}
			n++
			var want golden
			if err := json.Unmarshal(r.Decoded, &want); err != nil {
				t.Fatal(err)
			}
			v, err := parseBeacon(r.Frames[0])
			if err != nil {
				t.Errorf("%s %s: parseBeacon = %v", file, r.What, err)
				continue
			}
			got := golden{Version: r.Frames[0][3], UUID: uuidString(v.uuid), Port: v.port}
			if v.secure {
				got.Key = hex.EncodeToString(v.key[:])
			}
			if got != want {
				t.Errorf("%s %s: parseBeacon = %+v, want %+v", file, r.What, got, want)
			}
			if b, err := v.beaconMsg().append(nil); err != nil || !bytes.Equal(b, r.Frames[0]) {
				t.Errorf("%s %s: append = %x, %v, want %x, nil", file, r.What, b, err, r.Frames[0])
			}
		}
		if n != want {
			t.Errorf("%s has %d beacons, want %d", file, n, want)
		}
	}
}

func BenchmarkParseBeacon(b *testing.B) {
	b.ReportAllocs()
	datagram, err := newBeaconMsg([16]byte{1}, 49152).append(nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := parseBeacon(datagram); err != nil {
			b.Fatal(err)
		}
	}
}
