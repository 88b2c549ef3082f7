package zyre

import (
	"testing"
	"time"
)

func TestPace_update(t *testing.T) {
	start := time.Unix(1e9, 0)
	var p pace
	for _, step := range []struct {
		what string
		at   time.Duration
		held int
		want bool
	}{
		{"nothing", 0, 0, false},
		{"as much as may wait", time.Second, readAhead, false},
		{"more", time.Second, readAhead + 1, true},
		{"some taken", time.Second + readPause/2, readAhead / 2, true},
		{"most taken", time.Second + readPause/2, readAhead / 4, false},
		{"more again", 2 * time.Second, readAhead + 1, true},
		{"almost a pause later", 2*time.Second + readPause - 1, readAhead + 1, true},
		{"a pause later", 2*time.Second + readPause, readAhead + 1, false},
		{"a slow application: as much again may wait", 2*time.Second + readPause, 2*readAhead + 1, false},
		{"and more", 3 * time.Second, 2*readAhead + 2, true},
		{"for another pause", 3*time.Second + readPause, 2*readAhead + 2, false},
		{"it has caught up", 4 * time.Second, readAhead, false},
		{"so it begins again", 4 * time.Second, readAhead + 1, true},
	} {
		if p.update(start.Add(step.at), step.held); p.waiting != step.want {
			t.Errorf("%s: waiting = %t with %d bytes, want %t", step.what, p.waiting, step.held, step.want)
		}
	}
}

// Of what comes at once a node reads little ahead of its application, and all of it soon
// although the application takes nothing.
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
	most := readAhead + 2*len(payload)
	for range messages {
		s.settle()
		if got := b.n.events.held; got > most {
			t.Fatalf("%d bytes of events wait at %v, want at most %d", got, s.now, most)
		}
		s.advance(readPause)
		most += readAhead + 2*len(payload)
	}
	if got := b.n.events.held; got < messages*len(payload) {
		t.Errorf("%d bytes of events wait in the end, want all %d", got, messages*len(payload))
	}
	b.deaf = false
	s.run(time.Second)
	simConnected(s)
}
