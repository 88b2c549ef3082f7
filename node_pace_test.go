package zyre

import (
	"testing"
	"time"
)

func TestPace_update(t *testing.T) {
	start := time.Unix(1e9, 0)
	var p pace
	for _, step := range []struct {
		what  string
		at    time.Duration
		held  int
		taken uint64
		want  bool
	}{
		{"nothing", 0, 0, 0, false},
		{"as much as may wait", time.Second, readAhead, 0, false},
		{"more", time.Second, readAhead + 1, 0, true},
		{"some taken", time.Second + readPause/2, readAhead / 2, 1, true},
		{"most taken", time.Second + readPause/2, readAhead / 4, 2, false},
		{"more again", 2 * time.Second, readAhead + 1, 2, true},
		{"almost a pause later", 2*time.Second + readPause - 1, readAhead + 1, 2, true},
		{"a pause later, some taken", 2*time.Second + readPause, readAhead + 1, 3, false},
		{"a slow application: as much again may wait", 2*time.Second + readPause, 2*readAhead + 1, 3, false},
		{"and more", 3 * time.Second, 2*readAhead + 2, 3, true},
		{"for another pause, nothing taken", 3*time.Second + readPause, 2*readAhead + 2, 3, false},
		{"as much as there is", 3*time.Second + readPause, 100 * readAhead, 3, false},
		{"it takes something", 4 * time.Second, 99 * readAhead, 4, false},
		{"so as much again may wait", 4 * time.Second, 100 * readAhead, 4, false},
		{"and more", 4 * time.Second, 100*readAhead + 1, 4, true},
		{"it has caught up", 4*time.Second + 1, readAhead / 4, 300, false},
		{"and it begins again", 5 * time.Second, readAhead + 1, 300, true},
	} {
		if p.update(start.Add(step.at), step.held, step.taken); p.waiting != step.want {
			t.Errorf("%s: waiting = %t with %d bytes, want %t", step.what, p.waiting, step.held, step.want)
		}
	}
}

// Of what comes at once a node reads little ahead of its application, and all of it after a
// moment in which the application has taken nothing.
func TestNode_pace(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.node(nil), s.node(nil)
	s.run(2 * time.Second)
	b.deaf = true
	payload := make([]byte, 64<<10)
	const messages = 4 * readAhead / (64 << 10)
	for range messages {
		a.do(command{kind: cmdWhisper, message: message{peer: b.uuid, payload: payload}})
	}
	s.settle()
	if got, most := b.n.events.held, readAhead+2*len(payload); got < readAhead || got > most {
		t.Errorf("%d bytes of events wait at first, want %d to %d", got, readAhead, most)
	}
	s.run(2 * readPause)
	if got := b.n.events.held; got < messages*len(payload) {
		t.Errorf("%d bytes of events wait in the end, want all %d", got, messages*len(payload))
	}
	b.deaf = false
	s.run(time.Second)
	simConnected(s)
}

// What a peer sent before its goodbye beacon comes before its EXIT, also where another peer's
// EXIT is what makes the node wait.
func TestNode_paceAndGoodbye(t *testing.T) {
	s := newSim(t, 1)
	a, b, c := s.node(nil), s.node(nil), s.node(nil)
	s.run(2 * time.Second)
	b.deaf = true
	whisper := func(payload []byte) {
		a.do(command{kind: cmdWhisper, message: message{peer: b.uuid, payload: payload}})
		s.settle()
	}
	whisper(make([]byte, readAhead-b.n.events.held-eventOverhead))
	b.bye(c.uuid)
	if held := b.n.events.held; held <= readAhead || b.count(EventExit, c.uuid) > 0 {
		t.Fatalf("%d bytes wait, and the application has taken %q", held, b.history)
	}
	whisper([]byte("last words"))
	b.bye(a.uuid)
	b.deaf = false
	s.run(time.Second)
	if got := b.got["last words"]; got != 1 {
		t.Errorf("the last words came %d times, want once; history %q", got, b.history)
	}
}
