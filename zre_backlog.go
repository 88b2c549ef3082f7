package zyre

import (
	"errors"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/fifo"
	"github.com/go-zyre/zyre/internal/transport"
)

// maxBacklog is how many messages wait for one peer, on top of those in its mailbox. The
// application is kept from adding to it as soon as one waits; what comes all the same is
// what was under way by then, and the protocol's own messages.
const maxBacklog = 16 * maxCommands

// maxOvertaking is how many PING-OKs in a row go past the messages that wait, if these may go. A
// peer that pings without end would otherwise never get them.
const maxOvertaking = 8

// letGoShare is how many times the backlog limit may wait for all peers together while the
// application is let go, if it is more than the limit for one of them. It is much, so that two
// applications that send each other all they have before they read lose nothing.
const letGoShare = 8

// outgoing is a message that waits for room.
type outgoing struct {
	*encoded
	receipt *receipt
	kept    *kept
}

// encoded is a message as it goes to a peer. A shout waits once for all: only the sequence number
// differs, which is written into the header when it goes.
type encoded struct {
	header  []byte
	content content

	own struct { // room for the header and the frame of nearly every message, in one allocation
		header [40]byte
		frames [1][]byte
	}
}

// newEncoded makes a message; the header may be reused afterwards, the frames not.
func newEncoded(header []byte, c content) *encoded {
	e := &encoded{content: c}
	e.header = append(e.own.header[:0], header...)
	e.content.frames = append(e.own.frames[:0], c.frames...)
	return e
}

// isShout reports whether it is a SHOUT, by the third byte of its header.
func (e *encoded) isShout() bool { return len(e.header) > 2 && e.header[2] == ShoutID }

// release gives up what the message carries.
func (o *outgoing) release() {
	o.content.release()
	o.kept.release()
}

// backlogCause is why messages wait for a peer.
type backlogCause uint8

const (
	waitsForNothing backlogCause = iota // there is no backlog
	waitsForConfirm                     // the window is full: a PING-OK opens it
	waitsForRoom                        // the mailbox is full: libzmq does not tell when it has room
)

// backlog is what waits for a peer. The peer is blocked while there is anything, and holds back
// who sends to it while there are messages. PING and PING-OK go before the messages, but for
// maxOvertaking: they wait for the mailbox only, and without them nothing would ever open the
// window.
type backlog struct {
	queue       fifo.Queue[outgoing]
	bytes       int // of the content of the messages in queue
	shouts      int // of these messages
	pingOKsOwed int // PING-OKs that wait
	overtaken   int // PING-OKs that went past the messages since the last of these
	cause       backlogCause
	pingQueued  bool // a PING waits
}

// isBlocked reports whether anything waits.
func (b *backlog) isBlocked() bool { return b.queue.Len() > 0 || b.pingQueued || b.pingOKsOwed > 0 }

// clear drops what waits, and tells who wants to know.
func (b *backlog) clear(err error) {
	for b.queue.Len() > 0 {
		o := b.queue.Pop()
		o.receipt.noteOutcome(err)
		o.release()
	}
	*b = backlog{}
}

// push adds a message.
func (b *backlog) push(e *encoded, r *receipt, k *kept) {
	e.content.retain()
	b.queue.Push(outgoing{e, r, k})
	b.count(e, 1)
}

// count counts a message that comes, or with -1 one that goes.
func (b *backlog) count(e *encoded, more int) {
	b.bytes += more * e.content.size()
	if e.isShout() {
		b.shouts += more
	}
}

// sent removes the oldest message, which was sent.
func (b *backlog) sent() {
	o := b.queue.Pop()
	b.count(o.encoded, -1)
	o.receipt.noteOutcome(nil)
	o.release()
}

// block notes that a peer takes nothing more for now.
func (z *zre) block(p *peer, cause backlogCause) {
	p.backlog.cause = cause
	z.blocked[p] = true
}

// holdSenders holds back those who send to a peer, for which messages will wait, and begins to
// look whether it takes them.
func (z *zre) holdSenders(now time.Time, p *peer) {
	if p.intake != nil {
		return
	}
	p.intake = &intake{since: now, isStalled: z.isStalledHost(now, p)}
	z.counters.pushedBack++
	z.port.blockPeer(p.uuid, !z.lettingGo)
}

// unblock lets those go on who wait to send to a peer if no message waits for it, and notes
// whether nothing else does.
func (z *zre) unblock(p *peer) {
	if p.backlog.queue.Len() == 0 && p.intake != nil {
		p.intake = nil
		z.port.blockPeer(p.uuid, false)
	}
	if !p.backlog.isBlocked() {
		p.backlog.cause = waitsForNothing
		delete(z.blocked, p)
	}
}

// blockGroup holds back those who shout to a group with a blocked member.
func (z *zre) blockGroup(name string) {
	if !z.blockedGroups[name] {
		z.blockedGroups[name] = true
		z.port.blockGroup(name, !z.lettingGo)
	}
}

// unblockGroups lets those go on who wait for a group that has no blocked member left.
func (z *zre) unblockGroups() {
	for name := range z.blockedGroups {
		if g := z.groups[name]; g == nil || !slices.ContainsFunc(g.peers, z.holdsShouts) {
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
	freed, kept := false, z.stalledBytes
	for p := range z.blocked {
		held := p.intake != nil
		moved = z.flush(now, p) || moved
		freed = freed || held && p.intake == nil
	}
	if freed || z.stalledBytes < kept {
		z.unblockGroups()
	}
	return moved
}

// flush sends a peer's backlog and reports whether it took any. That a blocked peer
// takes something is a sign of life: its answer to a ping may have to wait until it has
// read all that was sent before.
func (z *zre) flush(now time.Time, p *peer) (moved bool) {
	defer z.unblock(p)
	for p.backlog.isBlocked() && !p.probe.isRemoval() {
		err := z.sendNext(now, p)
		switch {
		case errors.Is(err, errWindowFull):
			p.backlog.cause = waitsForConfirm
			return moved
		case errors.Is(err, transport.ErrAgain):
			p.backlog.cause = waitsForRoom
			return moved
		case err != nil:
			z.sendFailed(now, p, err)
			return moved
		}
		moved = true
		p.presence.tookMessage(now)
	}
	return moved
}

// errWindowFull says that a message has to wait until what was sent is confirmed.
var errWindowFull = errors.New("zyre: window full")

// sendNext sends what goes next: PING-OKs, but only so many in a row if a PING or a message may
// go, then a PING, and then the message that has waited longest.
func (z *zre) sendNext(now time.Time, p *peer) error {
	b := &p.backlog
	mayGo := b.queue.Len() > 0 && (b.queue.Front().content.isEmpty() || !p.window.isFull())
	switch {
	case b.pingOKsOwed > 0 && (b.overtaken < maxOvertaking || !b.pingQueued && !mayGo):
		err := z.postPing(now, p, PingOkID)
		if err == nil {
			b.pingOKsOwed--
			b.overtaken++
		}
		return err
	case b.pingQueued && (b.overtaken <= maxOvertaking || !mayGo):
		err := z.postPing(now, p, PingID)
		if b.pingQueued = err != nil; err == nil {
			b.overtaken = maxOvertaking + 1 // a message is next
		}
		if err == nil && !mayGo {
			b.overtaken = 0
		}
		return err
	case !mayGo:
		z.pingIfDue(now, p)
		return errWindowFull
	}
	o := b.queue.Front()
	if err := z.post(now, p, o.header, o.content); err != nil {
		return err
	}
	b.overtaken = 0
	b.sent()
	z.tookMessage(now, p)
	z.pingIfDue(now, p)
	return nil
}

// dropBacklog gives up what waits for a peer that is going.
func (z *zre) dropBacklog(p *peer, err error) {
	z.counters.unsent += uint64(p.backlog.queue.Len())
	p.backlog.clear(err)
	if z.blocked[p] {
		z.unblock(p) // nothing waits
		z.unblockGroups()
	}
}

// withdraw takes back a message that its sender no longer wants to wait for.
func (z *zre) withdraw(r *receipt, err error) {
	for p := range z.blocked {
		z.withdrawFrom(p, err, func(other *receipt) bool { return other == r })
	}
	z.unblockGroups()
}

// withdrawFrom takes messages back that wait for a peer.
func (z *zre) withdrawFrom(p *peer, err error, which func(r *receipt) bool) {
	kept := p.backlog
	kept.queue = fifo.Queue[outgoing]{}
	for p.backlog.queue.Len() > 0 {
		o := p.backlog.queue.Pop()
		if which(o.receipt) {
			kept.count(o.encoded, -1)
			o.receipt.noteOutcome(err)
			o.release()
			continue
		}
		kept.queue.Push(o)
	}
	p.backlog = kept
	z.unblock(p)
}

// letGo lets everybody go on who waits for a blocked peer: the application does not take
// its events, perhaps because it waits itself, for a peer whose application does the same, or for
// an answer that lies behind the events.
// Messages that somebody wants to hear about are taken back with ErrPushedBack; others wait
// in the backlogs, up to their limit in bytes, beyond which the peer is removed.
func (z *zre) letGo() {
	for _, p := range z.peers {
		p.pings.fail(errReadsNothing)
	}
	if z.lettingGo {
		return
	}
	z.lettingGo = true
	z.counters.letGo++
	z.log.Warn("the application takes no events while it waits for peers; it does not wait any more, and peers may be given up",
		"peers", len(z.blocked))
	for p := range z.blocked {
		z.withdrawFrom(p, ErrPushedBack, func(r *receipt) bool { return r != nil })
	}
	z.unblockGroups()
	z.blockAll(false)
}

// hasTooMuchFor reports whether nothing more may wait for a peer while the application is let
// go: as much as may wait for each waits for it, and in all as much as may.
func (z *zre) hasTooMuchFor(p *peer) bool {
	if p.backlog.bytes < z.backlogLimit {
		return false
	}
	all := 0
	for p := range z.blocked {
		all += p.backlog.bytes
	}
	return all >= letGoShare*z.backlogLimit
}

// holdBack ends what letGo began: the application takes its events.
func (z *zre) holdBack() {
	if z.lettingGo {
		z.lettingGo = false
		z.blockAll(true)
	}
}

// blockAll makes who sends to a blocked peer, or a group with one, wait, or lets them go on.
func (z *zre) blockAll(blocked bool) {
	for p := range z.blocked {
		z.port.blockPeer(p.uuid, blocked && p.intake != nil)
	}
	for name := range z.blockedGroups {
		z.port.blockGroup(name, blocked)
	}
}
