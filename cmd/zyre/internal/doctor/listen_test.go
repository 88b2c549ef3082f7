package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// beacon is a datagram of a version, and of the size that belongs to it.
func beacon(version byte, uuid byte, port uint16) []byte {
	b := append([]byte{'Z', 'R', 'E', version}, make([]byte, 16)...)
	b[4] = uuid
	b = append(b, byte(port>>8), byte(port))
	if version == versionSecure {
		b = append(b, make([]byte, 32)...)
	}
	return b
}

func TestParseBeacon(t *testing.T) {
	long := append(beacon(versionPlain, 1, 9), 0)
	for _, c := range []struct {
		name     string
		datagram []byte
		ok       bool
	}{
		{"plain", beacon(versionPlain, 1, 9), true},
		{"secure", beacon(versionSecure, 1, 9), true},
		{"goodbye", beacon(versionPlain, 1, 0), true},
		{"other version", beacon(2, 1, 9), false},
		{"too long", long, false},
		{"empty", nil, false},
		{"not ZRE", []byte(strings.Repeat("x", sizePlain)), false},
	} {
		s, ok := parseBeacon(c.datagram)
		if ok != c.ok || ok && (s.uuid != "01"+strings.Repeat("00", 15) || (s.key != "") != (s.version == versionSecure)) {
			t.Errorf("%s: parseBeacon() = %+v, %t, want %t", c.name, s, ok, c.ok)
		}
	}
}

// What was heard of a node is kept apart by where it was heard, and a goodbye counts for all
// of it.
func TestSightings(t *testing.T) {
	l := &sightings{}
	at := netip.MustParseAddr("10.0.0.9")
	l.add(beacon(versionPlain, 1, 0), at, 2, 5670, true) // a goodbye of nobody
	l.add(beacon(versionPlain, 1, 9), at, 2, 5670, false)
	l.add(beacon(versionPlain, 1, 9), at, 2, 5670, true)
	l.add(beacon(versionPlain, 1, 9), at, 2, 5670, false) // the same datagram, on the wire
	l.add(beacon(versionPlain, 1, 9), at, 2, 5671, false)
	l.add(beacon(versionPlain, 1, 10), at, 2, 5670, true)
	l.add(beacon(versionPlain, 2, 9), at, 2, 5670, true)
	l.add(beacon(7, 3, 9), at, 2, 5670, true)
	var got []string
	for _, s := range l.list() {
		got = append(got, fmt.Sprint(s.uuid[:2], " ", s.tcpPort, " ", s.udpPort, " ", s.received, " ", s.count))
	}
	want := "[01 9 5670 true 2 01 9 5671 false 1 01 10 5670 true 1 02 9 5670 true 1]"
	if fmt.Sprint(got) != want {
		t.Errorf("sightings %v, want %v", got, want)
	}
	if s := l.strangers(); len(s) != 1 || !strings.Contains(s[0], "10.0.0.9 (version 7, 22 bytes)") {
		t.Errorf("strangers %q, want that of version 7", s)
	}
	for _, s := range l.list() {
		if s.isGoodbye() {
			t.Errorf("%+v has said goodbye, want not", s)
		}
	}
	for begin := time.Now(); !time.Now().After(begin); { // the clock may be coarse
	}
	l.add(beacon(versionPlain, 1, 0), at, 2, 5670, true)
	for _, s := range l.list() {
		if want := s.uuid[:2] == "01"; s.isGoodbye() != want {
			t.Errorf("%+v: goodbye %t, want %t", s, s.isGoodbye(), want)
		}
	}
}
