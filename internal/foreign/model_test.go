package foreign

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What crashes a model ends it.
func TestModel_crashed(t *testing.T) {
	w := newWorld(t, Gyre)
	w.meet("P", "G")
	w.command("P", GoodbyeID, 2)
	if !w.m.HasCrashed() {
		t.Fatal("gyre survives GOODBYE")
	}
	w.log = nil
	w.beacon("Q")
	w.hello("Q", 1)
	w.m.Goodbye(uuidOf("P"))
	w.m.Join("H")
	w.m.Leave("H")
	w.m.Forget(w.now, uuidOf("P"))
	w.m.SayHelloAgain(uuidOf("P"), 1)
	w.m.Datagram(w.now, "R", AppendBeacon(nil, uuidOf("R"), 1))
	w.pass(time.Minute)
	if n := w.m.Shout("G"); n != 0 || w.m.Whisper(uuidOf("P")) || len(w.log) > 0 {
		t.Errorf("after a crash: %d members, %s", n, w.takeLog())
	}
}

// What happens in a silence, by seconds after the last sign of life. go-zeromq and gyre
// compare whole seconds, so with them it also depends on the second of the clock.
func TestModel_silence(t *testing.T) {
	pings := func(from, to int) string {
		var list []string
		for s := from; s <= to; s++ {
			list = append(list, fmt.Sprintf("%d.6 ping", s))
		}
		return strings.Join(list, ", ")
	}
	var libzyre []string
	for s := 5; s < 30; s++ {
		line := fmt.Sprintf("%d.6 ping EVASIVE", s)
		if s > 5 {
			line += " SILENT"
		}
		libzyre = append(libzyre, line)
	}
	want := each{
		Libzyre:  strings.Join(libzyre, ", ") + ", 30.6 EXIT",
		Pyre:     pings(10, 29) + ", 30.6 EXIT",
		GoZeroMQ: pings(3, 4) + ", 5.6 EXIT",
		Gyre:     pings(3, 4) + ", 5.6 EXIT",
		ZyreJS:   "5.0 ping, 30.0 EXIT",
		Generic:  pings(5, 29) + ", 30.6 EXIT",
	}
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.now = w.now.Add(700 * time.Millisecond)
		w.m.Tick(w.now) // the model looks at its peers each second from here on
		w.now = w.now.Add(400 * time.Millisecond)
		w.meet("P")
		begin, lines := w.now, []string(nil)
		for w.now.Sub(begin) < 40*time.Second {
			w.pass(100 * time.Millisecond)
			if len(w.log) == 0 {
				continue
			}
			line := fmt.Sprintf("%.1f", w.now.Sub(begin).Seconds())
			for _, l := range w.log {
				if what, _, _ := strings.Cut(strings.Fields(l)[0], "#"); what != "close" {
					line += " " + what
				}
			}
			lines = append(lines, line)
			w.log = nil
		}
		if got := strings.Join(lines, ", "); got != want.of(kind) {
			t.Errorf("%s:\n got %s\nwant %s", kind, got, want.of(kind))
		}
	}
}

// libzyre reports EVASIVE without SILENT of a peer that answers.
func TestModel_evasiveButNotSilent(t *testing.T) {
	w := newWorldOf(t, Config{Kind: Libzyre, Evasive: time.Second, Expired: 4 * time.Second})
	w.meet("P")
	for sequence := uint16(2); sequence < 12; sequence++ {
		w.pass(1100 * time.Millisecond)
		w.command("P", PingOkID, sequence)
	}
	if got := w.takeLog(); strings.Contains(got, Silent) || strings.Contains(got, Exit) || !strings.Contains(got, Evasive) {
		t.Errorf("a peer that answers each PING: %s", got)
	}
}

// Beacons alone keep a peer alive, but not in libzyre.
func TestModel_beaconsOnly(t *testing.T) {
	for _, kind := range Kinds() {
		w := newWorld(t, kind)
		w.meet("P")
		for range 60 {
			w.pass(time.Second)
			w.beacon("P")
		}
		want := kind != Libzyre && kind != Generic
		if got := w.m.HasEntered(uuidOf("P")); got != want || !w.m.Knows(uuidOf("P")) {
			t.Errorf("%s: the peer is there %t, known %t, want %t, true", kind, got, w.m.Knows(uuidOf("P")), want)
		}
	}
}

// In gossip mode libzyre says GOODBYE and takes it.
func TestModel_gossip(t *testing.T) {
	w := newWorldOf(t, Config{Kind: Libzyre, Gossip: true})
	w.meet("P")
	w.meet("Q")
	w.command("P", GoodbyeID, 2)
	w.m.Stop()
	if got, want := w.takeLog(), "close P, EXIT P, goodbye#2 to Q, close Q"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestModel_routingID(t *testing.T) {
	for first, want := range map[byte]string{0: "\x01", '1': "1"} {
		w := newWorldOf(t, Config{Kind: Generic, RoutingByte: first, UUID: uuidOf("H")})
		if got := string(w.m.RoutingID()); got != want+strings.Repeat("H", 16) {
			t.Errorf("RoutingID() = %q, want %q and the UUID", got, want)
		}
	}
}

func TestNew_unknownKind(t *testing.T) {
	if _, err := New(Config{Kind: "jyre"}, nil); err == nil {
		t.Error("New(jyre) = nil, want an error")
	}
}
