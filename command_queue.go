package zyre

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/go-zyre/zyre/internal/transport"
)

// The command queue takes at most this much that the node has not looked at yet; beyond
// it callers wait, for as long as the node takes to come round.
const (
	maxCommands     = 1024
	maxCommandBytes = 1 << 20
)

type commandKind uint8

const (
	cmdTake    commandKind = iota // news of an edge, or a closure: see node.take
	cmdWhisper                    // send to a peer
	cmdShout                      // send to a group
	cmdStop                       // end, after all that came before
	cmdKill                       // end at once: the network is gone already
)

// command is one request to the node.
type command struct {
	message // of cmdWhisper and cmdShout
	kind    commandKind
	news    any           // of cmdTake
	done    chan struct{} // closed when the command has been carried out; may be nil
}

// whisper makes c the command to send frames to a peer, or says why they cannot be sent. It copies
// them.
func (c *command) whisper(peer string, frames [][]byte) error {
	uuid, ok := canonicalUUID(peer)
	if !ok {
		return errNoUUID
	}
	c.kind, c.peer = cmdWhisper, uuid
	return c.carry(frames...)
}

// shout does the same for a group.
func (c *command) shout(group string, frames [][]byte) error {
	if err := tooLong(group); err != nil {
		return err
	}
	c.kind, c.group = cmdShout, group
	return c.carry(frames...)
}

// carry copies the frames into the message, so that the caller keeps its buffers. Without
// frames it carries one empty frame.
func (m *message) carry(frames ...[]byte) error {
	if len(frames) > transport.MaxFrames {
		return fmt.Errorf("%w: %d frames, at most %d", ErrTooLarge, len(frames), transport.MaxFrames)
	}
	if len(frames) > 1 {
		m.frames = make([][]byte, len(frames))
		for i, f := range frames {
			m.frames[i] = slices.Clone(f)
		}
		return nil
	}
	for _, f := range frames {
		if m.shared = transport.Share(f); m.shared == nil {
			m.payload = slices.Clone(f)
		}
	}
	return nil
}

// commandQueue leads from the application's goroutines, and from the edges, to the node.
// The node takes all of it at once; it never waits.
//
// Whoever wants to send to a blocked peer, or to a group with one, waits here until it is
// not blocked any more; messages to others pass.
type commandQueue struct {
	wake    func()        // wakes the node
	stopped chan struct{} // closed when no command is carried out any more
	done    chan struct{} // closed when the node has ended

	mu            sync.Mutex
	commands      []command
	bytes         int
	waiting       int           // goroutines that wait for a blocked receiver
	room          chan struct{} // closed when the node takes the commands; nil if nobody waits
	blockedPeers  map[[16]byte]chan struct{}
	blockedGroups map[string]chan struct{}
	closed        bool
}

func newCommandQueue(wake func()) *commandQueue {
	return &commandQueue{
		wake:          wake,
		stopped:       make(chan struct{}),
		done:          make(chan struct{}),
		blockedPeers:  map[[16]byte]chan struct{}{},
		blockedGroups: map[string]chan struct{}{},
	}
}

// put queues a command that may not wait, however full the queue is.
func (q *commandQueue) put(c command) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrNotRunning
	}
	q.add(&c)
	return nil
}

// offer queues a command unless there are too many already, and reports whether it did.
func (q *commandQueue) offer(c command) bool {
	q.mu.Lock()
	if q.closed || len(q.commands) >= 2*maxCommands {
		q.mu.Unlock()
		return false
	}
	q.add(&c)
	return true
}

// add queues c, unlocks q.mu, and wakes the node if it may be asleep.
func (q *commandQueue) add(c *command) {
	first := len(q.commands) == 0
	q.commands = append(q.commands, *c)
	q.bytes += c.size()
	q.mu.Unlock()
	if first {
		q.wake()
	}
}

// message queues a message, waiting while the receiver is blocked or the queue is full. It
// releases one that it has not queued.
func (q *commandQueue) message(ctx context.Context, c *command) error {
	err := q.messageOrWait(ctx, c)
	if err != nil {
		c.release()
	}
	return err
}

func (q *commandQueue) messageOrWait(ctx context.Context, c *command) error {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return ErrNotRunning
		}
		wait := q.obstacle(c)
		if wait == nil {
			q.add(c)
			return nil
		}
		q.waiting++
		q.mu.Unlock()
		select {
		case <-wait:
		case <-q.stopped:
		case <-ctx.Done():
		}
		q.waitEnds()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// waitBegins notes that a goroutine of the application waits for a receiver.
func (q *commandQueue) waitBegins() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting++
}

func (q *commandQueue) waitEnds() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
}

// isAwaited reports whether a goroutine of the application waits for a receiver.
func (q *commandQueue) isAwaited() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting > 0
}

// obstacle returns a channel that is closed when it is worth trying again, or nil if c
// may pass now.
func (q *commandQueue) obstacle(c *command) chan struct{} {
	if c.kind == cmdWhisper && len(q.blockedPeers) > 0 {
		if wait := q.blockedPeers[c.peer]; wait != nil {
			return wait
		}
	}
	if c.kind == cmdShout && len(q.blockedGroups) > 0 {
		if wait := q.blockedGroups[c.group]; wait != nil {
			return wait
		}
	}
	if len(q.commands) < maxCommands && q.bytes < maxCommandBytes {
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// take returns all that was queued, for the node, which gives the slice back with the
// next call.
func (q *commandQueue) take(used []command) []command {
	clear(used)
	q.mu.Lock()
	defer q.mu.Unlock()
	commands := q.commands
	q.commands, q.bytes = used[:0], 0
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return commands
}

// isPending reports whether there is something to take.
func (q *commandQueue) isPending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.commands) > 0
}

// blockPeer makes those who send to a peer wait, or lets them go on.
func (q *commandQueue) blockPeer(uuid [16]byte, blocked bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	setBlocked(q.blockedPeers, uuid, blocked)
}

// blockGroup makes those who shout to a group wait, or lets them go on.
func (q *commandQueue) blockGroup(name string, blocked bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	setBlocked(q.blockedGroups, name, blocked)
}

func setBlocked[K comparable](waiting map[K]chan struct{}, key K, blocked bool) {
	switch wait := waiting[key]; {
	case blocked && wait == nil:
		waiting[key] = make(chan struct{})
	case !blocked && wait != nil:
		delete(waiting, key)
		close(wait)
	}
}

// close refuses further commands, and those that are still queued.
func (q *commandQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for i := range q.commands {
		q.commands[i].receipt.finish(ErrNotRunning)
		q.commands[i].release()
	}
	q.commands = nil
	close(q.stopped)
}
