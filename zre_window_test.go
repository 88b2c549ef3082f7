package zyre

import (
	"slices"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	type step struct {
		what             string
		do               func(w *window)
		full, due        bool
		underWay, answer int
	}
	send := func(bytes int) func(w *window) { return func(w *window) { w.messageSent(bytes) } }
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"confirmed by each answer", []step{
			{"at first", func(*window) {}, false, false, 0, 0},
			{"a quarter", send(25), false, true, 25, 0},
			{"ping", (*window).pingSent, false, false, 25, 1},
			{"most", send(60), false, true, 85, 1},
			{"ping", (*window).pingSent, false, false, 85, 2},
			{"more than all", send(60), true, true, 145, 2},
			{"answer", (*window).pingAnswered, true, true, 120, 1},
			{"answer", (*window).pingAnswered, false, true, 60, 0},
			{"answer to nothing", (*window).pingAnswered, false, true, 60, 0},
		}},
		{"a large message passes alone", []step{
			{"large", send(1000), true, true, 1000, 0},
			{"ping", (*window).pingSent, true, false, 1000, 1},
			{"answer", (*window).pingAnswered, false, false, 0, 0},
		}},
		{"a fresh connection", []step{
			{"much", send(200), true, true, 200, 0},
			{"ping", (*window).pingSent, true, false, 200, 1},
			{"restart", (*window).restart, false, false, 0, 0},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := window{limit: 100}
			for _, s := range test.steps {
				s.do(&w)
				if w.isFull() != s.full || w.isPingDue() != s.due || int(w.sent-w.confirmed) != s.underWay || w.pings.Len() != s.answer {
					t.Fatalf("%s: full %t, ping due %t, under way %d, unanswered %d; want %t, %t, %d, %d", s.what,
						w.isFull(), w.isPingDue(), w.sent-w.confirmed, w.pings.Len(), s.full, s.due, s.underWay, s.answer)
				}
			}
		})
	}
}

// What is under way to a peer that does not read stays within the window and one message;
// when it reads again all arrives in order.
func TestNode_windowBoundsBytes(t *testing.T) {
	s := newSim(t, 1)
	const limit, size = 1000, 300
	s.window = limit
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	s.freeze(b)
	var outcomes []*outcome
	for i := range 20 {
		outcomes = append(outcomes, a.whisperText(b.uuid, string(slices.Repeat([]byte{byte('a' + i)}, size))))
	}
	p := a.n.zre.peers[b.uuid]
	if underWay := p.window.sent - p.window.confirmed; underWay < limit || underWay >= limit+size+headerSize {
		t.Errorf("under way = %d bytes, want at least %d and less than one message more", underWay, limit)
	}
	if p.backlog.cause != waitsForConfirm || a.n.zre.isWaitingForRoom() {
		t.Errorf("backlog cause = %d, want %d", p.backlog.cause, waitsForConfirm)
	}
	if _, done := settled(outcomes[len(outcomes)-1]); done {
		t.Error("the last whisper is said to be sent")
	}
	s.thaw(b)
	s.run(2 * time.Second)
	for i, r := range outcomes {
		if err, done := settled(r); err != nil || !done {
			t.Errorf("whisper %d: %v, done %t; want nil, true", i, err, done)
		}
	}
	if got := b.peers[uuidString(a.uuid)].whispers; got != len(outcomes) {
		t.Errorf("whispers = %d, want %d", got, len(outcomes))
	}
	if a.count(EventExit, b.uuid)+b.count(EventExit, a.uuid) != 0 {
		t.Error("an EXIT, want none")
	}
	simConnected(s)
}

// Two nodes that fill each other's windows answer pings all the same.
func TestNode_windowsBothWays(t *testing.T) {
	s := newSim(t, 1)
	s.window = 100
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	for range 50 {
		a.whisper(b.uuid)
		b.whisper(a.uuid)
	}
	s.run(3 * time.Second)
	if x, y := a.peers[uuidString(b.uuid)].whispers, b.peers[uuidString(a.uuid)].whispers; x != 50 || y != 50 {
		t.Errorf("whispers = %d and %d, want 50 each", x, y)
	}
	simConnected(s)
}

// Of a peer that answers no PING no more is kept than there is room for, and its answers, when they
// come, confirm nothing too early.
func TestWindow_pingsUnanswered(t *testing.T) {
	w := window{limit: 100}
	const pings = 3 * maxPings
	for range pings {
		w.messageSent(1)
		w.pingSent()
	}
	if n := w.pings.Len(); n != maxPings {
		t.Errorf("of %d PINGs %d are kept, want %d", pings, n, maxPings)
	}
	for i := range pings {
		w.pingAnswered()
		if most := uint64(i + 1); w.confirmed > most {
			t.Fatalf("after answer %d: confirmed = %d, want %d at most", i+1, w.confirmed, most)
		}
	}
	if w.pings.Len() != 0 || w.confirmed != maxPings || !w.isPingDue() {
		t.Errorf("after all answers: confirmed = %d, want %d; %d kept; due %t", w.confirmed, maxPings, w.pings.Len(), w.isPingDue())
	}
	w.pingSent()
	if w.pingAnswered(); !w.isConfirmed() {
		t.Error("the next PING and its answer do not confirm all")
	}
}
