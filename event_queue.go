package zyre

import "github.com/go-zyre/zyre/internal/fifo"

// eventBuffer is how many events lie ready in the Events channel; more wait in
// the queue behind it.
const eventBuffer = 1024

// eventQueue feeds the Events channel. It holds whatever does not fit, counts
// the bytes that the application has not taken yet, and always keeps one place
// of the channel for STOP. The node owns it and never blocks in it.
type eventQueue struct {
	ch      chan *Event
	limit   int // bytes; above it the node stops reading its inbox
	held    int // bytes of the events in backlog and in ch
	backlog fifo.Queue[*Event]
	ready   fifo.Queue[int] // sizes of the events in ch, oldest first
	taken   uint64          // events that the application has taken
	fresh   bool            // some were delivered since the node last yielded to the application
}

func newEventQueue(ch chan *Event, limit int) *eventQueue {
	return &eventQueue{ch: ch, limit: limit}
}

// newEventChannel makes a channel for a queue: one place more than the queue
// ever fills before STOP.
func newEventChannel() chan *Event { return make(chan *Event, eventBuffer+1) }

// push delivers e, now or once the application has read what came before.
func (q *eventQueue) push(e *Event) {
	q.held += e.size()
	if q.backlog.Len() == 0 && len(q.ch) < eventBuffer {
		q.deliver(e)
		return
	}
	q.backlog.Push(e)
}

// isBehind reports whether events wait behind a full channel.
func (q *eventQueue) isBehind() bool { return q.backlog.Len() > 0 }

// pump moves what fits from the backlog into the channel, and reports whether it moved
// anything.
func (q *eventQueue) pump() (moved bool) {
	for q.backlog.Len() > 0 && len(q.ch) < eventBuffer {
		q.deliver(q.backlog.Pop())
		moved = true
	}
	return moved
}

// deliver puts e into the channel, which has room: nobody else sends to it.
func (q *eventQueue) deliver(e *Event) {
	q.countTaken()
	q.ready.Push(e.size())
	q.ch <- e
	q.fresh = true
}

// countTaken stops counting the events that the application has taken meanwhile.
func (q *eventQueue) countTaken() {
	for q.ready.Len() > len(q.ch) {
		q.held -= q.ready.Pop()
		q.taken++
	}
}

// isFull reports whether the application is so far behind that the node must not
// read its inbox, as far as was counted.
func (q *eventQueue) isFull() bool { return q.held > q.limit }

// dropBacklog gives up the events that are still queued behind a full channel, and
// returns how many they are.
func (q *eventQueue) dropBacklog() (dropped int) {
	q.pump()
	dropped = q.backlog.Len()
	for q.backlog.Len() > 0 {
		q.held -= q.backlog.Pop().size()
	}
	return dropped
}

// close delivers the STOP event in the place kept for it, and closes the channel.
func (q *eventQueue) close(stop *Event) {
	q.ch <- stop
	close(q.ch)
}
