package foreign

import (
	"slices"
	"testing"
)

func TestModel_datagrams(t *testing.T) {
	plain := AppendBeacon(nil, uuidOf("P"), 0x1234)
	if want := "ZRE\x01PPPPPPPPPPPPPPPP\x12\x34"; string(plain) != want {
		t.Fatalf("AppendBeacon = %q, want %q", plain, want)
	}
	secure := append(slices.Clone(plain), make([]byte, 32)...)
	secure[3] = 3
	const met = "dial P tcp://1.2.3.4:4660, hello#1 to P"
	for _, tt := range []struct {
		name     string
		datagram []byte
		want     each
	}{
		{"beacon", plain, each{"": met}},
		{"goodbye of a stranger", AppendBeacon(nil, uuidOf("P"), 0), each{"": "", ZyreJS: "EXIT P"}},
		{"nothing", nil, each{"": ""}},
		{"something else", []byte("hello"), each{"": ""}},
		{"3 bytes", plain[:3], each{"": "", Pyre: "CRASH"}},
		{"21 bytes", plain[:21], each{"": "", Pyre: "CRASH"}},
		{"23 bytes", append(slices.Clone(plain), 0), each{"": "", Pyre: "CRASH", GoZeroMQ: met, Gyre: met}},
		{"with CURVE", secure, each{"": "", Pyre: "CRASH"}},
		{"54 bytes, plain", append(slices.Clone(plain), make([]byte, 32)...), each{
			"": "", Libzyre: met, Generic: met, Gyre: met, Pyre: "CRASH",
		}},
		{"version 2", append([]byte("ZRE\x02"), plain[4:]...), each{"": ""}},
	} {
		for _, kind := range Kinds() {
			w := newWorld(t, kind)
			w.m.Datagram(w.now, "1.2.3.4", tt.datagram)
			if got, want := w.takeLog(), tt.want.of(kind); got != want {
				t.Errorf("%s, %s: got %s, want %s", kind, tt.name, got, want)
			}
		}
	}
}

func TestParseUUID(t *testing.T) {
	uuid := uuidOf("\xAB")
	for text, ok := range map[string]bool{UUIDText(uuid): true, "abababababababababababababababab": true, "AB": false, "x": false, "": false} {
		got, err := ParseUUID(text)
		if (err == nil) != ok || ok && got != uuid {
			t.Errorf("ParseUUID(%q) = %x, %v, want ok %t", text, got, err, ok)
		}
	}
}
