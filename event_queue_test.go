package zyre

import (
	"fmt"
	"testing"
)

// Events come in order, however many wait, and STOP has always room.
func TestEventQueue_order(t *testing.T) {
	for _, count := range []int{0, 1, eventBuffer - 1, eventBuffer, eventBuffer + 1, 10 * eventBuffer} {
		ch := newEventChannel()
		q := newEventQueue(ch, 1<<20)
		for i := range count {
			q.push(&Event{Type: EventWhisper, Msg: fmt.Append(nil, i), Frames: [][]byte{make([]byte, 10)}})
		}
		if got, want := q.held, count*(eventOverhead+10); got != want {
			t.Errorf("held with %d events = %d, want %d", count, got, want)
		}
		if got, want := q.isFull(), q.held > 1<<20; got != want {
			t.Errorf("full with %d events = %t, want %t", count, got, want)
		}
		for i := range count / 2 {
			if e := <-ch; string(e.Msg) != fmt.Sprint(i) {
				t.Fatalf("event %d of %d = %s", i, count, e.Msg)
			}
			q.pump()
		}
		left := q.backlog.Len()
		if got := q.dropBacklog(); got != left {
			t.Errorf("dropped of %d = %d, want %d", count, got, left)
		}
		q.close(&Event{Type: EventStop})
		var last *Event
		got := 0
		for e := range ch {
			last = e
			got++
		}
		if want := count - count/2 - left + 1; last.Type != EventStop || got != want {
			t.Errorf("events after close of %d = %d, the last %s; want %d, %s", count, got, last.Type, want, EventStop)
		}
	}
}

// What is held returns to nothing once everything has been taken.
func TestEventQueue_held(t *testing.T) {
	ch := newEventChannel()
	q := newEventQueue(ch, 1000)
	for round := range 100 {
		for i := range 50 * (round + 1) {
			q.push(&Event{Type: EventWhisper, Frames: [][]byte{make([]byte, i)}})
		}
		for len(ch) > 0 {
			<-ch
			q.pump()
		}
		if q.countTaken(); q.held != 0 || q.isFull() || q.ready.Len() != 0 {
			t.Fatalf("round %d: held = %d, ready = %d, want 0", round, q.held, q.ready.Len())
		}
	}
}
