package zyre

import (
	"errors"
	"time"

	"github.com/go-zyre/zyre/internal/fifo"
	"github.com/go-zyre/zyre/internal/transport"
)

// maxBacklog is how many messages wait for one peer, on top of those in its mailbox. The
// application is kept from adding to it as soon as one waits; what comes all the same is
// what was under way by then, and the protocol's own messages.
const maxBacklog = 16 * maxCommands

// outgoing is a message that waits for room.
type outgoing struct {
	header  []byte
	frames  [][]byte
	receipt *receipt
}

// backlogCause is why messages wait for a peer.
type backlogCause uint8

const (
	waitsForNothing backlogCause = iota // there is no backlog
	waitsForConfirm                     // the window is full: a PING-OK opens it
	waitsForRoom                        // the mailbox is full: libzmq does not tell when it has room
)

// backlog is the messages that wait for a peer. The peer is blocked while there are any.
// All of them are behind one that has to wait, but PING and PING-OK: these pass as long as
// the mailbox has room, or nothing would ever open the window.
type backlog struct {
	queue       fifo.Queue[outgoing]
	cause       backlogCause
	pingQueued  bool // a PING is among them
	pingOKsOwed int  // PINGs to answer by the PING-OK among them; 0 if there is none
}

// isBlocked reports whether the peer takes no more messages for now.
func (b *backlog) isBlocked() bool { return b.queue.Len() > 0 }

// push adds a message. The header may be reused afterwards, the frames not.
func (b *backlog) push(header []byte, frames [][]byte, r *receipt) {
	b.queue.Push(outgoing{
		header:  append([]byte(nil), header...),
		frames:  append([][]byte(nil), frames...),
		receipt: r,
	})
}

// pop removes the oldest message.
func (b *backlog) pop() outgoing {
	o := b.queue.Pop()
	if !b.isBlocked() {
		*b = backlog{queue: b.queue}
	}
	return o
}

// block notes that a peer takes nothing more for now, and holds back those who send
// to it.
func (z *zre) block(p *peer, cause backlogCause) {
	p.backlog.cause = cause
	if z.blocked[p] {
		return
	}
	z.blocked[p] = true
	z.counters.blocked++
	z.port.blockPeer(p.uuid, true)
}

// unblock lets those go on who wait to send to p.
func (z *zre) unblock(p *peer) {
	delete(z.blocked, p)
	z.port.blockPeer(p.uuid, false)
}

// blockGroup holds back those who shout to a group with a blocked member.
func (z *zre) blockGroup(name string) {
	if !z.blockedGroups[name] {
		z.blockedGroups[name] = true
		z.port.blockGroup(name, true)
	}
}

// unblockGroups lets those go on who wait for a group that has no blocked member left.
func (z *zre) unblockGroups() {
	for name := range z.blockedGroups {
		if g := z.groups[name]; g == nil || !g.isBlocked() {
			delete(z.blockedGroups, name)
			z.port.blockGroup(name, false)
		}
	}
}

// flushBacklogs sends what waits for blocked peers, as far as they take it, and reports
// whether any did.
func (z *zre) flushBacklogs(now time.Time) (moved bool) {
	if len(z.blocked) == 0 {
		return false
	}
	before := len(z.blocked)
	for p := range z.blocked {
		moved = z.flush(now, p) || moved
	}
	if len(z.blocked) < before {
		z.unblockGroups()
	}
	return moved
}

// flush sends a peer's backlog and reports whether it took any. That a blocked peer
// takes something is a sign of life: its answer to a ping may have to wait until it has
// read all that was sent before.
func (z *zre) flush(now time.Time, p *peer) (moved bool) {
	for p.backlog.isBlocked() && !p.probe.isRemoval() {
		o := p.backlog.queue.Front()
		if len(o.frames) > 0 && p.window.isFull() {
			p.backlog.cause = waitsForConfirm
			return moved
		}
		err := z.post(now, p, o.header, o.frames)
		if errors.Is(err, transport.ErrAgain) {
			p.backlog.cause = waitsForRoom
			return moved
		}
		if err != nil {
			z.sendFailed(now, p, err)
			return moved
		}
		moved = true
		p.presence.tookMessage(now)
		if o.header[2] == PingOkID && p.backlog.pingOKsOwed > 1 {
			p.backlog.pingOKsOwed--
			continue
		}
		z.sentFromBacklog(now, p, p.backlog.pop())
	}
	if !p.backlog.isBlocked() {
		z.unblock(p)
	}
	return moved
}

// sentFromBacklog notes that a message that had waited has gone out.
func (z *zre) sentFromBacklog(now time.Time, p *peer, o outgoing) {
	o.receipt.settle(nil)
	switch o.header[2] {
	case PingID:
		p.backlog.pingQueued = false
	case PingOkID:
		p.backlog.pingOKsOwed = 0
	default:
		z.pingIfDue(now, p)
	}
}

// dropBacklog gives up what waits for a peer that is going.
func (z *zre) dropBacklog(p *peer, err error) {
	z.counters.unsent += uint64(p.backlog.queue.Len())
	for p.backlog.isBlocked() {
		p.backlog.pop().receipt.settle(err)
	}
	if z.blocked[p] {
		z.unblock(p)
		z.unblockGroups()
	}
}

// withdraw takes back a message that its sender no longer wants to wait for.
func (z *zre) withdraw(r *receipt, err error) {
	for p := range z.blocked {
		kept := p.backlog
		kept.queue = fifo.Queue[outgoing]{}
		for p.backlog.isBlocked() {
			o := p.backlog.queue.Pop()
			if o.receipt == r {
				r.settle(err)
				continue
			}
			kept.queue.Push(o)
		}
		p.backlog = kept
		if !p.backlog.isBlocked() {
			p.backlog = backlog{}
			z.unblock(p)
		}
	}
	z.unblockGroups()
}
