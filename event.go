package zyre

import (
	"maps"

	queue "github.com/go-zyre/zyre/internal/fifo"
)

// The types of an Event, as libzyre names them.
const (
	eventEnter   = "ENTER"
	eventExit    = "EXIT"
	eventJoin    = "JOIN"
	eventLeave   = "LEAVE"
	eventWhisper = "WHISPER"
	eventShout   = "SHOUT"
	eventEvasive = "EVASIVE"
	eventSilent  = "SILENT"
	eventLeader  = "LEADER"
	eventStop    = "STOP"
)

// Event is something that happened to a node. Events come from [Zyre.Events]. Event is
// the zyre_event class of libzyre.
//
// Which fields are set depends on Type:
//
//	ENTER    a peer appeared                PeerUUID PeerName PeerAddr Headers
//	EXIT     a peer is gone                 PeerUUID PeerName PeerAddr
//	JOIN     a peer joined a group          PeerUUID PeerName Group
//	LEAVE    a peer left a group            PeerUUID PeerName Group
//	WHISPER  a message to this node         PeerUUID PeerName Msg Frames
//	SHOUT    a message to a group           PeerUUID PeerName Group Msg Frames
//	EVASIVE  a peer did not answer a ping   PeerUUID PeerName
//	SILENT   it has still not answered      PeerUUID PeerName
//	LEADER   a group has a new leader       PeerUUID PeerName Group
//	STOP     this node has stopped          PeerUUID PeerName, its own
//
// The events of one peer are ENTER, then any number of the others, then EXIT. Each
// time that it comes and goes there is one ENTER and one EXIT. A peer that exits
// leaves its groups without LEAVE events.
//
// An event belongs to the application: the node keeps no reference to it and never
// changes it. Name, headers, group and message are as the peer sent them, and can be
// any bytes: quote them before you print them to a terminal.
type Event struct {
	Type     string            // ENTER, EXIT, JOIN, LEAVE, WHISPER, SHOUT, EVASIVE, SILENT, LEADER or STOP
	PeerUUID string            // the peer, as 32 upper-case hexadecimal digits
	PeerName string            // the peer's name
	PeerAddr string            // the peer's endpoint, such as "tcp://192.168.1.7:49152"
	Headers  map[string]string // the peer's headers; in ENTER only
	Group    string            // the group, where there is one
	Msg      []byte            // the first frame of a WHISPER or SHOUT
	Frames   [][]byte          // every frame of a WHISPER or SHOUT; Frames[0] is Msg

	single [1][]byte // backs Frames of the common message of one frame
}

// Header returns the value of one of the peer's headers, and whether the peer has
// that header. Only ENTER has headers. It is zyre_event_header of libzyre.
func (e *Event) Header(name string) (string, bool) {
	value, ok := e.Headers[name]
	return value, ok
}

// peerEvent makes an event about p.
func peerEvent(kind string, p *Peer) *Event {
	return &Event{Type: kind, PeerUUID: p.Identity, PeerName: p.Name, PeerAddr: p.endpoint}
}

// enterEvent makes p's ENTER, with a copy of its headers.
func enterEvent(p *Peer) *Event {
	e := peerEvent(eventEnter, p)
	e.Headers = maps.Clone(p.Headers)
	return e
}

// messageEvent makes a WHISPER, or with a group a SHOUT, that takes over the
// payloads. No frames at all count as one empty frame.
func messageEvent(kind string, p *Peer, group string, frames [][]byte) *Event {
	e := peerEvent(kind, p)
	e.Group = group
	if len(frames) > 1 {
		e.Frames = append(make([][]byte, 0, len(frames)), frames...)
	} else {
		e.single[0] = []byte{}
		copy(e.single[:], frames)
		e.Frames = e.single[:]
	}
	e.Msg = e.Frames[0]
	return e
}

// eventOverhead is what an undelivered event costs beside its payload: the
// Event itself, its places in the queue and the allocator's rounding.
const eventOverhead = 256

// headerOverhead is what a header costs beside its text.
const headerOverhead = 64

// size is what the event counts against the queue limit, in bytes.
func (e *Event) size() int {
	n := eventOverhead
	for _, f := range e.Frames {
		n += len(f)
	}
	for name, value := range e.Headers {
		n += len(name) + len(value) + headerOverhead
	}
	return n
}

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
	backlog queue.Queue[*Event]
	ready   queue.Queue[int] // sizes of the events in ch, oldest first
	fresh   bool             // some were delivered since the node last yielded to the application
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

// pump moves what fits from the backlog into the channel and reports whether it
// moved anything, and whether something is left.
func (q *eventQueue) pump() (moved, left bool) {
	for q.backlog.Len() > 0 && len(q.ch) < eventBuffer {
		q.deliver(q.backlog.Pop())
		moved = true
	}
	return moved, q.backlog.Len() > 0
}

// deliver puts e into the channel, which has room: nobody else sends to it.
func (q *eventQueue) deliver(e *Event) {
	q.settle()
	q.ready.Push(e.size())
	q.ch <- e
	q.fresh = true
}

// settle stops counting the events that the application has taken meanwhile.
func (q *eventQueue) settle() {
	for q.ready.Len() > len(q.ch) {
		q.held -= q.ready.Pop()
	}
}

// full reports whether the application is so far behind that the node must not
// read its inbox.
func (q *eventQueue) full() bool {
	if q.held > q.limit {
		q.settle()
	}
	return q.held > q.limit
}

// close delivers the STOP event in the place kept for it, closes the channel,
// and returns how many events had to be dropped because they were still queued
// behind a full channel.
func (q *eventQueue) close(stop *Event) (dropped int) {
	q.pump()
	dropped = q.backlog.Len()
	q.backlog = queue.Queue[*Event]{}
	q.ch <- stop
	close(q.ch)
	return dropped
}

// fifo is a [queue.Queue] with methods in lower case, for the backlog of a peer.
type fifo[T any] struct{ queue.Queue[T] }

func (f *fifo[T]) len() int { return f.Len() }
func (f *fifo[T]) push(v T) { f.Push(v) }
func (f *fifo[T]) pop() T   { return f.Pop() }
