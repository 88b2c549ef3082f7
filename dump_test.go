package zyre

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// Whoever asks why a node meets nobody finds it in Stats and in Dump.
func TestDump_reasons(t *testing.T) {
	z := newLoopbackNode(t, "z", freeUDPPort(t))
	dead := deadEndpoint(t)
	z.GossipConnect("%s", dead)
	const peer = "00112233445566778899AABBCCDDEEFF"
	must(t, "RequirePeer", z.RequirePeer(peer, dead, ""))
	mustStart(t, z)
	z.Join(strings.Repeat("x", 256))
	s := z.Stats()
	if want := (InterfaceStats{"lo", "127.0.0.1", "asked for by name"}); len(s.Interfaces) != 1 || s.Interfaces[0] != want {
		t.Errorf("Interfaces = %+v, want %+v", s.Interfaces, want)
	}
	if len(s.HalfOpenList) != 1 || s.HalfOpenList[0] != (HalfOpenStats{peer, dead, s.HalfOpenList[0].Since}) || s.HalfOpenList[0].Since.IsZero() {
		t.Errorf("HalfOpenList = %+v, want the required peer", s.HalfOpenList)
	}
	if len(s.Warnings) != 1 || s.Warnings[0].Count != 1 || !strings.HasPrefix(s.Warnings[0].Text, "not joined") {
		t.Errorf("Warnings = %+v, want that a group is not joined", s.Warnings)
	}
	eventually(t, "the reasons are dumped", func() bool {
		var text strings.Builder
		z.Dump(&text)
		for _, want := range []string{
			`(?m)^  interface "lo" 127.0.0.1: asked for by name$`,
			`(?m)^  half open: ` + peer + ` ` + dead + ` for \d+s$`,
			`(?m)^warnings 1\n  not joined err=".*": 1 times, first \d+s and last \d+s ago$`,
			`(?m)^gossip hub tcp://127.0.0.1:\d+ at "tcp://127.0.0.1:\d+" does not answer: nothing answers at this address$`,
		} {
			if !regexp.MustCompile(want).MatchString(text.String()) {
				return false
			}
		}
		return true
	})
}

// deadEndpoint finds an endpoint where nobody listens.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "tcp://" + l.Addr().String()
}
