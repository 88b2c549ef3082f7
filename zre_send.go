package zyre

import (
	"errors"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// batch is the whispers to one peer that wait for sendWhispers.
type batch struct{ first, last *message }

// addWhisper takes one of several whispers that follow each other; sendWhispers sends
// them. It keeps m until then.
func (z *zre) addWhisper(m *message) {
	p := z.peers[m.peer]
	switch {
	case p == nil || !p.isEntered():
		z.counters.unknownPeer++
		m.receipt.finish(ErrUnknownPeer)
		m.release()
		return
	case p.batch.first == nil:
		z.whisperTo = append(z.whisperTo, p)
		p.batch.first = m
	default:
		p.batch.last.next = m
	}
	p.batch.last = m
}

// sendWhispers sends the whispers that were added: all to one peer, then all to the
// next. The more messages wait for one peer, the more libzmq sends with a system call.
func (z *zre) sendWhispers(now time.Time) {
	for _, p := range z.whisperTo {
		for m := p.batch.first; m != nil; m = m.next {
			z.header = appendPlain(z.header[:0], WhisperID, 0)
			m.receipt.expect(1, false)
			z.counters.whispersSent++
			z.transmit(now, p, &transmission{header: z.header, content: z.content(m), receipt: m.receipt})
			m.release()
		}
		p.batch = batch{}
	}
	clear(z.whisperTo)
	z.whisperTo = z.whisperTo[:0]
}

// shout sends an application's message to every peer in a group. It is encoded once;
// only the sequence number differs from peer to peer.
func (z *zre) shout(now time.Time, m *message) {
	defer m.release()
	g := z.groups[m.group]
	if g == nil {
		z.counters.unknownGroup++
		m.receipt.finish(ErrUnknownGroup)
		return
	}
	z.encode(&ZreMsg{id: ShoutID, Group: m.group})
	m.receipt.expect(len(g.peers), true)
	z.counters.shoutsSent++
	t := transmission{header: z.header, content: z.content(m), receipt: m.receipt}
	blocked := false
	for _, p := range g.peers {
		z.transmit(now, p, &t)
		blocked = blocked || z.holdsShouts(p)
	}
	if blocked {
		z.blockGroup(m.group)
	}
}

// encode puts the header frame of msg into z.header. It cannot fail: whatever the
// application can set has been checked.
func (z *zre) encode(msg *ZreMsg) {
	b, err := msg.append(z.header[:0])
	if err != nil {
		z.log.Error("cannot encode a message", "command", msg.id, "err", err)
		b = appendPlain(z.header[:0], PingID, 0)
	}
	z.header = b
}

// transmission is a message on its way to one peer or more.
type transmission struct {
	header  []byte // may be reused once it has been transmitted, the frames not
	content content
	receipt *receipt

	waiting *encoded // what waits for those who have no room; nil if it waits for nobody
	kept    *kept    // what counts it while it waits for stalled peers; nil if it waits for none
}

// encoded returns what waits for a peer that has no room.
func (t *transmission) encoded() *encoded {
	if t.waiting == nil {
		t.waiting = newEncoded(t.header, t.content)
	}
	return t.waiting
}

// transmit sends a message to a peer, or keeps it until the peer has room.
func (z *zre) transmit(now time.Time, p *peer, t *transmission) {
	r := t.receipt
	if p.probe.isRemoval() {
		r.noteOutcome(ErrUnknownPeer) // nothing may follow what was lost
		return
	}
	p.spokeAt, p.sentSinceHello = now, true
	if !p.backlog.isBlocked() {
		if !t.content.isEmpty() && p.window.isFull() {
			z.block(p, waitsForConfirm)
			z.pingIfDue(now, p)
		} else if z.postOrBlock(now, p, t) {
			z.pingIfDue(now, p)
			return
		}
	}
	if z.lettingGo && r != nil {
		r.noteOutcome(ErrPushedBack)
		return
	}
	if p.backlog.queue.Len() >= maxBacklog+p.addedWhileStalled() || z.lettingGo && z.hasTooMuchFor(p) {
		z.log.Info("too many messages wait for a peer, and it is removed", "peer", p.id, "waiting", p.backlog.queue.Len())
		r.noteOutcome(ErrPushedBack)
		z.scheduleRemoval(now, p)
		return
	}
	z.holdSenders(now, p)
	if p.isStalled() && r != nil && r.shout {
		r.noteOutcome(nil) // nobody waits for a stalled peer
		r = nil
	}
	p.backlog.push(t.encoded(), r, z.keep(p, t))
}

// postOrBlock hands an encoded message to the mailbox, and reports whether that is the end
// of it: it was sent, or never will be. Otherwise the mailbox has no room.
func (z *zre) postOrBlock(now time.Time, p *peer, t *transmission) bool {
	err := z.post(now, p, t.header, t.content)
	switch {
	case err == nil:
		t.receipt.noteOutcome(nil)
		return true
	case errors.Is(err, transport.ErrAgain):
		z.block(p, waitsForRoom)
		return false
	}
	z.sendFailed(now, p, err)
	t.receipt.noteOutcome(ErrUnknownPeer)
	return true
}

// post hands an encoded message to the mailbox under the next sequence number, which it
// writes into header. The number is spent only on success.
func (z *zre) post(now time.Time, p *peer, header []byte, c content) error {
	seq := p.out.next(p.in.wrap)
	putSequence(header, seq)
	var err error
	if c.shared != nil {
		err = p.mailbox.SendShared(header, c.shared)
	} else {
		err = p.mailbox.Send(header, c.frames)
	}
	if err != nil {
		return err
	}
	p.out.used(seq, now)
	p.sent++
	if id := header[2]; id == PingID || id == PingOkID {
		p.intake.overtaken(z.secure)
	}
	switch header[2] {
	case PingID:
		p.window.pingSent()
		return nil
	case PingOkID:
		return nil // nobody has to know that it has arrived
	}
	p.window.messageSent(len(header) + c.size())
	return nil
}

// sendFailed removes a peer whose connection libzmq refuses to send on.
func (z *zre) sendFailed(now time.Time, p *peer, err error) {
	z.counters.sendErrors++
	z.log.Warn("cannot send to a peer", "peer", p.id, "err", err)
	z.scheduleRemoval(now, p)
}

// command sends one of the protocol's messages that consist of a header alone.
func (z *zre) command(now time.Time, p *peer, msg *ZreMsg) {
	z.encode(msg)
	z.transmit(now, p, &transmission{header: z.header})
}

// ping asks a peer for a sign of life. If its mailbox has no room it gets its ping when it
// gets what waits before it; one ping waiting is enough.
func (z *zre) ping(now time.Time, p *peer) {
	p.presence.pinged(now)
	if p.backlog.pingQueued {
		return
	}
	p.backlog.pingQueued = !z.overtake(now, p, PingID)
	p.presence.unanswered++
	p.pings.sent()
}

// pingBehind asks a peer to confirm all that was sent to it, and what waits as well.
func (z *zre) pingBehind(now time.Time, p *peer) {
	if p.backlog.queue.Len() == 0 {
		z.ping(now, p)
		return
	}
	p.presence.pinged(now)
	p.presence.unanswered++
	p.pings.sent()
	p.backlog.push(newEncoded(appendPlain(nil, PingID, 0), content{}), nil, nil)
}

// pingIfDue asks a peer to confirm what was sent, if that is much.
func (z *zre) pingIfDue(now time.Time, p *peer) {
	if p.window.isPingDue() && !p.probe.isRemoval() {
		z.ping(now, p)
	}
}

// pong answers a ping. Each is answered, for the answers are counted.
func (z *zre) pong(now time.Time, p *peer) {
	if p.backlog.pingOKsOwed > 0 || !z.overtake(now, p, PingOkID) {
		p.backlog.pingOKsOwed++
	}
}

// overtake sends a PING or PING-OK, past the messages that wait for the window, and
// reports whether it went out or never will. Otherwise the mailbox has no room.
func (z *zre) overtake(now time.Time, p *peer, id uint8) bool {
	if p.probe.isRemoval() {
		return true
	}
	p.spokeAt = now
	if p.backlog.cause == waitsForRoom {
		return false
	}
	z.pingHeader = appendPlain(z.pingHeader[:0], id, 0)
	return z.postOrBlock(now, p, &transmission{header: z.pingHeader})
}

// postPing hands a PING or PING-OK to the mailbox. It may be called while z.header holds a
// message that is being sent.
func (z *zre) postPing(now time.Time, p *peer, id uint8) error {
	z.pingHeader = appendPlain(z.pingHeader[:0], id, 0)
	return z.post(now, p, z.pingHeader, content{})
}
