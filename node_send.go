package zyre

import (
	"errors"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// maxBacklog is how many messages wait for one peer, on top of those in its
// mailbox. Its gate keeps the application from adding to it; what remains is what
// was under way when the gate shut, and the protocol's own messages.
const maxBacklog = 16 * outboxCalls

// whisper sends an application's messages to one peer each: all to the first of them,
// then all to the next.
func (n *node) whisper(now time.Time, calls []call) {
	n.spoken = n.spoken[:0]
	for i := range calls {
		c := &calls[i]
		p := n.peers[c.peer]
		switch {
		case p == nil || !p.entered():
			n.counters.unknownPeer++
			c.receipt.finish(ErrUnknownPeer)
			continue
		case p.whispers == nil:
			n.spoken = append(n.spoken, p)
			p.whispers = c
		default:
			p.lastWhisper.next = c
		}
		p.lastWhisper = c
	}
	for _, p := range n.spoken {
		for c := p.whispers; c != nil; c = c.next {
			n.scratch = appendPlain(n.scratch[:0], WhisperID, 0)
			c.receipt.expect(1, false)
			n.counters.whispersSent++
			n.transmit(p, now, n.scratch, n.content(c), c.receipt)
		}
		p.whispers, p.lastWhisper = nil, nil
	}
	clear(n.spoken)
}

// shout sends an application's message to every peer in a group. It is encoded
// once; only the sequence number differs from peer to peer.
func (n *node) shout(now time.Time, c *call) {
	g := n.groups[c.group]
	if g == nil {
		n.counters.unknownGroup++
		c.receipt.finish(ErrUnknownGroup)
		return
	}
	msg := ZreMsg{id: ShoutID, Group: c.group}
	n.encode(&msg)
	c.receipt.expect(len(g.peers), true)
	n.counters.shoutsSent++
	frames := n.content(c)
	clogged := false
	for _, p := range g.peers {
		n.transmit(p, now, n.scratch, frames, c.receipt)
		clogged = clogged || p.clogged()
	}
	if clogged {
		n.outbox.shutGroup(c.group)
	}
}

// content returns the frames of an application's message; valid until the next
// call of content.
func (n *node) content(c *call) [][]byte {
	if c.frames != nil {
		return c.frames
	}
	n.single[0] = c.payload
	return n.single[:]
}

// encode puts the header frame of msg into n.scratch. It cannot fail: whatever
// the application can set has been checked.
func (n *node) encode(msg *ZreMsg) {
	b, err := msg.append(n.scratch[:0])
	if err != nil {
		n.log.Error("zyre: encode", "id", msg.id, "err", err)
		b = appendPlain(n.scratch[:0], PingID, 0)
	}
	n.scratch = b
}

// transmit sends a message to a peer, or keeps it until the peer has room. The
// header may be reused afterwards, the frames not.
func (n *node) transmit(p *Peer, now time.Time, header []byte, frames [][]byte, r *receipt) {
	if p.probe.final {
		r.settle(ErrUnknownPeer) // nothing may follow what was lost
		return
	}
	p.sentAt, p.spoke = now, now
	if !p.clogged() {
		err := p.post(header, frames)
		switch {
		case err == nil:
			r.settle(nil)
			return
		case !errors.Is(err, transport.ErrAgain):
			n.sendFailed(p, now, err)
			r.settle(ErrUnknownPeer)
			return
		}
		n.clog(p, now)
	}
	if p.backlog.len() >= maxBacklog {
		n.log.Warn("zyre: peer takes nothing", "peer", p.Identity, "waiting", p.backlog.len())
		r.settle(ErrPushedBack)
		n.condemn(p, now)
		return
	}
	p.backlog.push(outgoing{
		header:  append([]byte(nil), header...),
		frames:  append([][]byte(nil), frames...),
		receipt: r,
	})
}

// clog notes that a peer takes nothing more for now, and holds back those who
// send to it.
func (n *node) clog(p *Peer, now time.Time) {
	p.cloggedFrom = now
	n.slow[p] = true
	n.counters.clogged++
	n.outbox.shutPeer(p.uuid)
}

// unclog sends what waits for slow peers, as far as they take it.
func (n *node) unclog(now time.Time) {
	if len(n.slow) == 0 {
		return
	}
	slow, moved := len(n.slow), false
	for p := range n.slow {
		moved = n.flush(p, now) || moved
	}
	if moved {
		n.retry = retryShortest // the rest will not take long
	}
	if len(n.slow) < slow {
		n.openGates()
	}
}

// flush sends a peer's backlog and says whether it took any. That a slow peer does is
// a sign of life: its answer to a ping may have to wait until it has read all that was
// sent before.
func (n *node) flush(p *Peer, now time.Time) (moved bool) {
	for p.clogged() && !p.probe.final {
		o := p.backlog.Front()
		err := p.post(o.header, o.frames)
		if errors.Is(err, transport.ErrAgain) {
			return moved
		}
		if err != nil {
			n.sendFailed(p, now, err)
			return moved
		}
		moved, p.heard = true, now
		p.backlog.pop().receipt.settle(nil)
	}
	if !p.clogged() {
		n.release(p)
	}
	return moved
}

// release lets those go on who wait to send to p.
func (n *node) release(p *Peer) {
	delete(n.slow, p)
	p.cloggedFrom, p.owedPing, p.owedPingOK = time.Time{}, false, false
	n.outbox.openPeer(p.uuid)
}

// openGates lets those go on who wait to shout to a group without slow members.
func (n *node) openGates() {
	n.outbox.openGroups(func(group string) bool {
		g := n.groups[group]
		return g != nil && g.clogged()
	})
}

// abandon gives up what waits for a peer that is going.
func (n *node) abandon(p *Peer, err error) {
	if p.clogged() {
		n.counters.unsent += uint64(p.backlog.len())
	}
	for p.clogged() {
		p.backlog.pop().receipt.settle(err)
	}
	if n.slow[p] {
		n.release(p)
		n.openGates()
	}
}

// withdraw takes back a message that its sender no longer wants to wait for.
func (n *node) withdraw(r *receipt, err error) {
	for p := range n.slow {
		kept := fifo[outgoing]{}
		for p.clogged() {
			o := p.backlog.pop()
			if o.receipt == r {
				r.settle(err)
				continue
			}
			kept.push(o)
		}
		p.backlog = kept
		if !p.clogged() {
			n.release(p)
		}
	}
	n.openGates()
}

// sendFailed removes a peer whose connection libzmq refuses to send on.
func (n *node) sendFailed(p *Peer, now time.Time, err error) {
	n.counters.sendErrors++
	n.log.Warn("zyre: send", "peer", p.Identity, "err", err)
	n.condemn(p, now)
}

// condemn has a peer removed at the next tick, which is now: not at once, since
// the caller may be walking over its groups.
func (n *node) condemn(p *Peer, now time.Time) {
	p.probe = probe{reason: "connection failed", deadline: now, final: true}
	n.tickAt = now
}

// command sends one of the protocol's messages that consist of a header alone.
func (n *node) command(p *Peer, now time.Time, msg *ZreMsg) {
	n.encode(msg)
	n.transmit(p, now, n.scratch, nil, nil)
}

// ping asks a peer for a sign of life. A slow peer gets its ping when it gets
// what waits before it; one ping waiting is enough.
func (n *node) ping(p *Peer, now time.Time) {
	if p.pinged.IsZero() {
		p.pinged = now
	}
	if p.owedPing {
		return
	}
	sentAt := p.sentAt
	n.scratch = appendPlain(n.scratch[:0], PingID, 0)
	n.transmit(p, now, n.scratch, nil, nil)
	p.sentAt, p.owedPing = sentAt, p.clogged()
	p.pings++
}

// pong answers a ping. One answer waiting for a slow peer is enough.
func (n *node) pong(p *Peer, now time.Time) {
	if p.owedPingOK {
		return
	}
	sentAt := p.sentAt
	n.scratch = appendPlain(n.scratch[:0], PingOkID, 0)
	n.transmit(p, now, n.scratch, nil, nil)
	p.sentAt, p.owedPingOK = sentAt, p.clogged()
}
