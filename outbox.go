package zyre

import (
	"context"
	"errors"
	"sync"
	"time"
)

// The outbox takes at most this much that the node has not looked at yet; beyond
// it callers wait, for as long as the node takes to come round.
const (
	outboxCalls = 1024
	outboxBytes = 1 << 20
)

type callKind uint8

const (
	callFunc    callKind = iota // run a closure on the node
	callWhisper                 // send to a peer
	callShout                   // send to a group
	callSignal                  // a beacon was heard, or the network changed
	callStop                    // end, after all that came before
)

// call is one request to the node.
type call struct {
	kind    callKind
	fn      func(now time.Time)
	signal  *Signal
	done    chan struct{} // closed when fn has run
	peer    [16]byte
	group   string
	payload []byte   // a message of one frame,
	frames  [][]byte // or of any number
	receipt *receipt // who wants to know what became of it; may be nil
	next    *call    // whisper to the same peer in a batch
}

// size is what the call counts in the outbox, in bytes.
func (c *call) size() int {
	n := len(c.payload)
	for _, f := range c.frames {
		n += len(f)
	}
	return n
}

// outbox is the queue from the application's goroutines to the node. The node
// takes all of it at once; it never waits.
//
// A peer that takes no more messages has a gate here, and so has each group with
// such a peer in it. Whoever wants to send to one waits in front of the gate;
// messages to others pass.
type outbox struct {
	wake func()        // wakes the node
	done chan struct{} // closed when the node has ended

	mu         sync.Mutex
	calls      []call
	bytes      int
	room       chan struct{} // closed when the node takes the calls; nil if nobody waits
	peerGates  map[[16]byte]chan struct{}
	groupGates map[string]chan struct{}
	closed     bool
}

func newOutbox(wake func()) *outbox {
	return &outbox{
		wake:       wake,
		done:       make(chan struct{}),
		peerGates:  map[[16]byte]chan struct{}{},
		groupGates: map[string]chan struct{}{},
	}
}

// put queues a call that may not wait, however full the outbox is.
func (o *outbox) put(c call) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return ErrNotRunning
	}
	o.add(c)
	return nil
}

// offer queues a call unless there are too many already, and says whether it did.
func (o *outbox) offer(c call) bool {
	o.mu.Lock()
	if o.closed || len(o.calls) >= 2*outboxCalls {
		o.mu.Unlock()
		return false
	}
	o.add(c)
	return true
}

// add queues c, unlocks o.mu, and wakes the node if it may be asleep.
func (o *outbox) add(c call) {
	first := len(o.calls) == 0
	o.calls = append(o.calls, c)
	o.bytes += c.size()
	o.mu.Unlock()
	if first {
		o.wake()
	}
}

// message queues a message, waiting while the receiver's gate is shut or the
// outbox is full.
func (o *outbox) message(c call) error {
	return o.messageContext(context.Background(), c)
}

func (o *outbox) messageContext(ctx context.Context, c call) error {
	for {
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			return ErrNotRunning
		}
		wait := o.obstacle(&c)
		if wait == nil {
			o.add(c)
			return nil
		}
		o.mu.Unlock()
		select {
		case <-wait:
		case <-o.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// obstacle returns a channel that is closed when it is worth trying again, or nil
// if c may pass now.
func (o *outbox) obstacle(c *call) chan struct{} {
	if c.kind == callWhisper && len(o.peerGates) > 0 {
		if gate := o.peerGates[c.peer]; gate != nil {
			return gate
		}
	}
	if c.kind == callShout && len(o.groupGates) > 0 {
		if gate := o.groupGates[c.group]; gate != nil {
			return gate
		}
	}
	if len(o.calls) < outboxCalls && o.bytes < outboxBytes {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// take returns all that was queued, for the node, which gives the slice back with
// the next call.
func (o *outbox) take(used []call) []call {
	clear(used)
	o.mu.Lock()
	defer o.mu.Unlock()
	calls := o.calls
	o.calls, o.bytes = used[:0], 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return calls
}

// pending says whether there is something to take.
func (o *outbox) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls) > 0
}

// shutPeer makes those who send to a peer wait.
func (o *outbox) shutPeer(peer [16]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.peerGates[peer] == nil {
		o.peerGates[peer] = make(chan struct{})
	}
}

// openPeer lets those go on who wait to send to a peer.
func (o *outbox) openPeer(peer [16]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if gate := o.peerGates[peer]; gate != nil {
		delete(o.peerGates, peer)
		close(gate)
	}
}

// shutGroup makes those who shout to a group wait.
func (o *outbox) shutGroup(group string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.groupGates[group] == nil {
		o.groupGates[group] = make(chan struct{})
	}
}

// openGroups lets those go on who wait for a group that has no slow member left.
func (o *outbox) openGroups(clogged func(group string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for group, gate := range o.groupGates {
		if !clogged(group) {
			delete(o.groupGates, group)
			close(gate)
		}
	}
}

// close refuses further calls and returns those that were still queued.
func (o *outbox) close() []call {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	calls := o.calls
	o.calls = nil
	return calls
}

// receipt tells a caller what became of its message. The node writes it before it
// closes done; until then it alone may touch it.
type receipt struct {
	done    chan struct{}
	waiting int   // peers that have not taken the message yet
	err     error // for the caller
	shout   bool  // a peer that goes is no error
}

func newReceipt() *receipt { return &receipt{done: make(chan struct{})} }

// settle notes that one more peer took the message, or never will.
func (r *receipt) settle(err error) {
	if r == nil {
		return
	}
	r.waiting--
	if err != nil && !(r.shout && errors.Is(err, ErrUnknownPeer)) {
		r.err = err
	}
	if r.waiting == 0 {
		close(r.done)
	}
}

// finish answers a message that reached nobody.
func (r *receipt) finish(err error) {
	if r != nil {
		r.err = err
		close(r.done)
	}
}

// expect says how many peers the message goes to; at least one.
func (r *receipt) expect(peers int, shout bool) {
	if r != nil {
		r.waiting, r.shout = peers, shout
	}
}
