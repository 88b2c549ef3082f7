package watch

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// sample is a log of some events, one second after the other.
func sample() (l *Log, start time.Time) {
	l, start = NewLog("sample"), time.Unix(1000, 0)
	for i, e := range []*zyre.Event{
		{Type: "ENTER", PeerUUID: "A", PeerName: "anna"},
		{Type: "ENTER", PeerUUID: "B", PeerName: "an"},
		{Type: "JOIN", PeerUUID: "A", PeerName: "anna", Group: "hall"},
		{Type: "SHOUT", PeerUUID: "A", PeerName: "anna", Group: "hall", Msg: []byte("good day")},
		{Type: "LEADER", PeerUUID: "A", PeerName: "anna", Group: "hall"},
		{Type: "LEADER", PeerUUID: "A", PeerName: "anna", Group: "hall"},
		{Type: "EXIT", PeerUUID: "A", PeerName: "anna"},
		{Type: "LEADER", PeerUUID: "B", PeerName: "an", Group: "hall"},
	} {
		l.Add(start.Add(time.Duration(i)*time.Second), e)
	}
	return l, start
}

func TestLog_Count(t *testing.T) {
	l, start := sample()
	for pattern, want := range map[string]int{
		"ENTER": 2, "ENTER an": 1, "ENTER anna": 1, "ENTER ann": 0, "SHOUT anna hall good": 1,
		"SHOUT anna hall good day": 1, "SHOUT anna hall good day sir": 0, "ENT": 0, "STOP": 0,
	} {
		if got := l.Count(pattern); got != want {
			t.Errorf("Count(%q) = %d, want %d", pattern, got, want)
		}
	}
	if got := len(l.Since(start, "ENTER")); got != 1 {
		t.Errorf("Since(start, ENTER) has %d events, want 1", got)
	}
	if l.Has("anna") || !l.Has("an") || l.Has("nobody") {
		t.Errorf("Has(anna), Has(an), Has(nobody) = %t, %t, %t, want false, true, false", l.Has("anna"), l.Has("an"), l.Has("nobody"))
	}
}

func TestLog_Leader(t *testing.T) {
	l, _ := sample()
	if leader, repeated := l.Leader(); leader != "B" || repeated != 1 {
		t.Errorf("Leader() = %s, %d, want B, 1", leader, repeated)
	}
	l.Add(time.Now(), &zyre.Event{Type: "LEAVE", PeerUUID: "B", PeerName: "an", Group: "hall"})
	if leader, _ := l.Leader(); leader != "" {
		t.Errorf("Leader() = %s after it left, want none", leader)
	}
}

func TestLog_Wait(t *testing.T) {
	l, _ := sample()
	if e := l.Wait(t, "LEADER", 3); e.PeerName != "an" {
		t.Errorf("Wait(LEADER, 3) = %s, want that of an", Describe(e))
	}
	go l.Add(time.Now(), &zyre.Event{Type: "WHISPER", PeerName: "an", Msg: []byte("late")})
	if e := l.Wait(t, "WHISPER an", 1); string(e.Msg) != "late" {
		t.Errorf("Wait(WHISPER an, 1) = %s, want late", Describe(e))
	}
}
