package zyre

import (
	"strings"
	"testing"
	"time"
)

// answerTime is how long a method that does not wait for a peer may take.
const answerTime = 100 * time.Millisecond

// quickTimeouts makes a node notice silence within seconds.
func quickTimeouts(z *Zyre, evasive, expired time.Duration) *Zyre {
	return z.SetEvasiveTimeout(evasive).SetSilentTimeout(2 * evasive).SetExpiredTimeout(expired)
}

// checkAnswers fails the test if a method of a node takes long.
func checkAnswers(t *testing.T, z *Zyre) time.Duration {
	t.Helper()
	took, method := pokeAll(z)
	if took > answerTime {
		t.Errorf("%s: %s took %v, want at most %v", z.Name(), method, took, answerTime)
	}
	return took
}

// Whoever misses a message of a peer sees EXIT and ENTER, and then goes on.
func TestDelivery_gap(t *testing.T) {
	port := freeUDPPort(t)
	alice := newLoopbackNode(t, "alice", port)
	mustStart(t, alice)
	ra := record(alice)
	raw := newRawPeer(t, "raw", firstEndpoint(alice))
	raw.hello()
	ra.wait(t, "ENTER raw", 1)
	raw.expectHello()
	raw.send(&ZreMsg{id: WhisperID, Content: []byte("one")})
	ra.wait(t, "WHISPER raw one", 1)

	raw.sequence++ // what had this number is lost
	lost := time.Now()
	raw.send(&ZreMsg{id: WhisperID, Content: []byte("three")})
	ra.wait(t, "EXIT raw", 1)
	raw.expectHello()
	raw.hello()
	raw.send(&ZreMsg{id: WhisperID, Content: []byte("four")})
	ra.wait(t, "WHISPER raw four", 1)
	if took := time.Since(lost); took > 2*time.Second {
		t.Errorf("messages flow again after %v, want 2s", took)
	}
	if n, m := ra.count("ENTER raw"), ra.count("EXIT raw"); n != 2 || m != 1 || ra.count("WHISPER raw three") != 0 {
		t.Errorf("%d ENTER, %d EXIT, want 2 and 1 and no message of after the gap:\n%s", n, m, ra)
	}
}

// Everything in an event counts against the queue limit.
func TestEvent_size(t *testing.T) {
	for _, c := range []struct {
		event *Event
		want  int
	}{
		{&Event{Type: eventJoin}, eventOverhead},
		{&Event{Type: eventWhisper, Frames: [][]byte{make([]byte, 1000), make([]byte, 1)}}, eventOverhead + 1001},
		{&Event{Type: eventEnter, Headers: map[string]string{"name": strings.Repeat("x", 100)}}, eventOverhead + headerOverhead + 104},
	} {
		if got := c.event.size(); got != c.want {
			t.Errorf("size(%s) = %d, want %d", c.event.Type, got, c.want)
		}
	}
}
