package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// progress is what has been seen of the bytes on the way from and to a silent peer. A
// message is heard of only when all of it has arrived, and whatever follows waits behind
// it; on a slow link that takes a while. So bytes that move are a sign of life, as
// messages are.
type progress struct {
	moved   transport.Moved
	seenAt  time.Time // when that was so; zero if there was no look in this silence
	firstAt time.Time // when what the first look in this silence showed was so
	readAt  time.Time // when moved.Received was so, which is never old
	inAt    time.Time // when it was last seen that bytes had come from the peer
	outAt   time.Time // when it was last seen that bytes had gone to it
	movedBy time.Time // when the look before that was so: bytes have moved since then
}

// isWatched reports whether there was a look in this silence.
func (pr *progress) isWatched() bool { return pr != nil && !pr.seenAt.IsZero() }

// see takes a further look.
//
// A system confirms and keeps what it receives for a process that does not run. So bytes
// that go out count only if more waited than can be under way at once: then a ping has to
// wait as well. Those that go where nobody reads come to an end when the buffers there
// are full.
func (pr *progress) see(now time.Time, m transport.Moved) (moved bool) {
	pr.movedBy = time.Time{}
	if pr.isWatched() && m.Received > pr.moved.Received {
		pr.inAt, pr.movedBy, moved = now, pr.readAt, true
	}
	if pr.isWatched() && m.Sent > pr.moved.Sent && pr.moved.Waiting {
		pr.outAt, moved = now, true
		if pr.seenAt.After(pr.movedBy) {
			pr.movedBy = pr.seenAt
		}
	}
	pr.moved, pr.readAt = m, now
	if at := lookedAt(now, m); at.After(pr.seenAt) {
		if !pr.isWatched() {
			pr.firstAt = at
		}
		pr.seenAt = at
	}
	return moved
}

// lookedAt is when what was seen of the connection to a peer was so.
func lookedAt(now time.Time, m transport.Moved) time.Time {
	if m.At.IsZero() {
		return now
	}
	return m.At
}

// seenUntil returns until when it has been seen whether bytes move: a silence is judged up
// to then, for nobody knows yet what came after the last look.
func (pr *progress) seenUntil(now time.Time) time.Time {
	if pr.isWatched() {
		return pr.seenAt
	}
	return now
}

// isFirstLook reports whether there was one look in this silence, or none since what it showed
// was so: it has nothing to compare with.
func (pr *progress) isFirstLook() bool { return pr.isWatched() && !pr.seenAt.After(pr.firstAt) }

// isAnswer reports whether bytes that count as an answer to a probe have moved since it was
// started.
func (pr *progress) isAnswer(p *probe) bool {
	k := &probeKinds[p.kind]
	return pr != nil && (k.come && pr.inAt.After(p.startedAt) || k.goOut && pr.outAt.After(p.startedAt))
}

// lookAgain is the time until the next look, if the last one was too old to judge by.
const lookAgain = 50 * time.Millisecond

// watchProgress looks whether bytes move from or to a peer under suspicion, and takes them
// for a sign of life. It reports whether they do.
func (z *zre) watchProgress(now time.Time, p *peer) (moved bool) {
	if z.isOthers(p) {
		p.conn = transport.Conn{}
	}
	if p.mailbox == nil {
		return false
	}
	if p.progress == nil {
		p.progress = &progress{}
	}
	if moved = p.progress.see(now, p.mailbox.Moved(now, p.conn)); moved {
		p.presence.progressed(now, p.progress.movedBy)
	}
	return moved
}

// isOthers reports whether the connection that a peer is heard on is another peer's: that
// one was heard on it since. A HELLO that is read late tells a descriptor that may be used
// again by then, for the connection of somebody else.
func (z *zre) isOthers(p *peer) bool {
	if p.conn == (transport.Conn{}) {
		return false
	}
	for _, other := range z.peers {
		if other.conn == p.conn && other.presence.messageAt.After(p.presence.messageAt) {
			return true
		}
	}
	return false
}

// isBroken reports whether it is known that there is no connection to a peer. Then what
// is sent to it waits, and goes to whoever listens at its endpoint next: a HELLO would
// make another process take this node's messages for its own. Under CURVE nobody else can
// read it, and libzmq never connects again to a peer that has refused the key.
func (z *zre) isBroken(now time.Time, p *peer) bool {
	return !z.secure && p.mailbox != nil && p.mailbox.Moved(now, p.conn).Broken
}

// continueProbe gives a peer that is under a probe another while to answer if bytes have
// moved meanwhile, or if that is not known yet, and reports whether it does. Its answer, or
// our ping, waits behind them.
func (z *zre) continueProbe(now time.Time, p *peer) bool {
	z.watchProgress(now, p)
	switch {
	case p.progress.isAnswer(p.probe):
	case probeKinds[p.probe.kind].goOut && p.progress.seenUntil(now).Before(p.probe.deadline):
		z.wakeBy(now.Add(lookAgain))
		return true
	default:
		return false
	}
	p.probe.deadline = now.Add(p.probe.deadline.Sub(p.probe.startedAt))
	p.probe.startedAt = now
	return true
}
