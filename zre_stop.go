package zyre

import "time"

// Times of Stop.
const (
	lingerTime  = 400 * time.Millisecond // how long libzmq goes on sending afterwards
	confirmTime = 400 * time.Millisecond // how long peers have to confirm what was sent
)

// beginStop pings the peers that have not confirmed all that was sent to them: their answer
// shows that it has arrived, so that the goodbye cannot overtake it. Nothing else that they
// say shows it. It returns when to wait no longer.
func (z *zre) beginStop(now time.Time) (deadline time.Time) {
	deadline = now
	for _, p := range z.peers {
		if p.hasUnconfirmed() {
			z.pingBehind(now, p)
			deadline = now.Add(confirmTime)
		}
	}
	return deadline
}

// isConfirmed reports whether all peers have confirmed what was sent to them.
func (z *zre) isConfirmed() bool {
	for _, p := range z.peers {
		if p.hasUnconfirmed() {
			return false
		}
	}
	return true
}

// hasUnconfirmed reports whether something was sent to a peer that it has not confirmed, and
// still can.
func (p *peer) hasUnconfirmed() bool {
	return p.isEntered() && !p.probe.isRemoval() && (p.backlog.queue.Len() > 0 || !p.window.isConfirmed())
}

// sayGoodbye tells everybody who has our HELLO, or will.
func (z *zre) sayGoodbye(now time.Time) {
	for _, p := range z.peers {
		if p.mailbox != nil {
			z.command(now, p, &ZreMsg{id: GoodbyeID})
		}
	}
}

// close closes all connections and gives up what waits for room; it returns how many
// messages that are. saidGoodbye says whether GOODBYE follows every HELLO.
func (z *zre) close(now time.Time, saidGoodbye bool) (unsent int) {
	for _, p := range z.peers {
		unsent += p.backlog.queue.Len()
		p.backlog.clear(ErrNotRunning)
		if p.mailbox == nil {
			continue
		}
		if err := p.mailbox.Close(z.linger(now, p, saidGoodbye)); err != nil {
			z.log.Warn("cannot close a mailbox", "peer", p.id, "err", err)
		}
	}
	return unsent
}

// linger is how long what was sent to a peer may stay under way after Stop. Our HELLO
// must not reach one that has not entered, unless GOODBYE follows it.
func (z *zre) linger(now time.Time, p *peer, saidGoodbye bool) time.Duration {
	if p.isEntered() || saidGoodbye && now.Sub(p.handshake.sentAt) < z.timeouts.verify() {
		return lingerTime
	}
	return 0
}
