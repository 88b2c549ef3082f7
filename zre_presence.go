package zyre

import "time"

// timeouts are the times by which the protocol judges silence.
type timeouts struct {
	evasive time.Duration // of silence, until a peer is pinged
	silent  time.Duration // of silence, until SILENT
	expired time.Duration // of silence, until EXIT
}

// maxVerifyTime bounds how long a peer that is under a probe has to answer a ping.
const maxVerifyTime = time.Second

// maxNoAnswerTime bounds how long our HELLO may go unanswered before that is logged.
const maxNoAnswerTime = 10 * time.Second

// verify is how long a peer that is under a probe has to answer a ping.
func (t *timeouts) verify() time.Duration { return min(maxVerifyTime, t.evasive) }

// answer is how long a ping may go unanswered before the silence is reported.
func (t *timeouts) answer() time.Duration { return min(maxVerifyTime, t.evasive/2) }

// pingAfter is the silence after which a peer is pinged: the evasive timeout, or
// early enough for an answer before the silent timeout, if that is shorter.
func (t *timeouts) pingAfter() time.Duration { return min(t.evasive, t.silent-t.answer()) }

// noAnswer is how long our HELLO may go unanswered before that is logged.
func (t *timeouts) noAnswer() time.Duration { return min(maxNoAnswerTime, t.expired/3) }

// watchAfter is the silence after which bytes on the way to or from a peer are looked at.
func (t *timeouts) watchAfter() time.Duration { return min(t.pingAfter(), t.expired/2) }

// presenceState is what the application knows of a peer's silence. A peer that stays
// silent for the expired timeout is removed from any of these states.
type presenceState uint8

const (
	presenceAlive       presenceState = iota // heard from, and nothing asked since
	presencePinged                           // asked by a ping that it has not answered yet
	presenceEvasive                          // reported EVASIVE
	presenceSilentFirst                      // reported SILENT; the evasive timeout is longer
	presenceSilent                           // reported EVASIVE and SILENT
)

func (s presenceState) String() string {
	return [...]string{"alive", "pinged", "evasive", "silent first", "silent"}[s]
}

// presence is how long a peer has been silent, and what was done about it.
type presence struct {
	heardAt    time.Time // its last sign of life
	messageAt  time.Time // its last message
	pingedAt   time.Time // our first ping since heardAt; zero if there was none
	unanswered int32     // our pings on this connection without a PING-OK
	state      presenceState
}

// heard notes a sign of life.
func (pr *presence) heard(now time.Time) {
	pr.state, pr.heardAt, pr.messageAt, pr.pingedAt = presenceAlive, now, now, time.Time{}
}

// tookMessage notes that the peer took something that had waited for room: a sign of
// life, but no answer.
func (pr *presence) tookMessage(now time.Time) { pr.heardAt = now }

// progressed notes that bytes have moved since a moment: a sign of life, but no answer. A
// ping of before goes on waiting for its turn.
func (pr *presence) progressed(now, since time.Time) {
	if since.After(pr.heardAt) {
		pr.heardAt = since
	}
	pr.state = presenceAlive
	if pr.isPinged() {
		pr.state, pr.pingedAt = presencePinged, now
	}
}

// pinged notes a ping of ours.
func (pr *presence) pinged(now time.Time) {
	if pr.pingedAt.IsZero() {
		pr.pingedAt = now
	}
	if pr.state == presenceAlive {
		pr.state = presencePinged
	}
}

// reconnected notes that pings on the connection before can not be answered any more.
// What was reported of the silence stays.
func (pr *presence) reconnected() {
	pr.unanswered, pr.pingedAt = 0, time.Time{}
	if pr.state == presencePinged {
		pr.state = presenceAlive
	}
}

// pingAnswered counts a PING-OK.
func (pr *presence) pingAnswered() { pr.unanswered = max(pr.unanswered-1, 0) }

// idle is how long the peer has been silent.
func (pr *presence) idle(now time.Time) time.Duration { return now.Sub(pr.heardAt) }

// isPinged reports whether the peer was pinged in this silence.
func (pr *presence) isPinged() bool { return !pr.pingedAt.IsZero() }

// isUnanswered reports whether a ping has gone unanswered for too long.
func (pr *presence) isUnanswered(now time.Time, t *timeouts) bool {
	return pr.isPinged() && now.Sub(pr.pingedAt) >= t.answer()
}

// isEvasive reports whether EVASIVE was reported in this silence.
func (pr *presence) isEvasive() bool {
	return pr.state == presenceEvasive || pr.state == presenceSilent
}

// isSilent reports whether SILENT was reported in this silence.
func (pr *presence) isSilent() bool {
	return pr.state == presenceSilentFirst || pr.state == presenceSilent
}

// becomeEvasive moves on to EVASIVE if it is time to, and reports whether it did.
func (pr *presence) becomeEvasive(now time.Time, t *timeouts) bool {
	if pr.isEvasive() || pr.idle(now) < t.evasive || !pr.isUnanswered(now, t) {
		return false
	}
	if pr.isSilent() {
		pr.state = presenceSilent
	} else {
		pr.state = presenceEvasive
	}
	return true
}

// becomeSilent moves on to SILENT if it is time to, and reports whether it did.
func (pr *presence) becomeSilent(now time.Time, t *timeouts) bool {
	if pr.isSilent() || pr.idle(now) < t.silent || !pr.isUnanswered(now, t) {
		return false
	}
	if pr.isEvasive() {
		pr.state = presenceSilent
	} else {
		pr.state = presenceSilentFirst
	}
	return true
}

// shift moves the times on by a time in which this node did not run.
func (pr *presence) shift(by time.Duration) {
	pr.heardAt = pr.heardAt.Add(by)
	if pr.isPinged() {
		pr.pingedAt = pr.pingedAt.Add(by)
	}
}

// checkPresence looks at how long a peer that has entered has been silent.
//
// A silence of the evasive timeout makes the node ping, quietly. Only a peer that
// leaves the ping unanswered, and to or from which no bytes move, is reported EVASIVE,
// and later SILENT, each once; after the expired timeout it is removed. While the node
// does not read its inbox, and until it has caught up, silence means nothing: it pings
// all the same, to show that it is alive, and to have an answer when it reads again; and it
// looks whether bytes move, to have something to compare with when silence is judged again.
func (z *zre) checkPresence(now time.Time, p *peer) {
	t, grace, moved := &z.timeouts, z.inbox.isGrace(), false
	if p.progress.isWatched() || p.presence.isPinged() && !grace || p.presence.idle(now) >= t.watchAfter() {
		moved = z.watchProgress(now, p)
	}
	if grace {
		z.ping(now, p)
		return
	}
	seen := p.progress.seenUntil(now)
	if p.progress.isFirstLook() {
		seen = p.presence.heardAt // of the silence since nothing is known yet
	}
	switch {
	case !moved && p.presence.idle(seen) >= t.expired:
		z.removePeer(now, p, ReasonExpired)
		return
	case !p.presence.isPinged() && p.presence.idle(now) >= t.pingAfter():
		z.ping(now, p)
	case now.Sub(p.spokeAt) >= t.silent:
		z.ping(now, p) // a peer whose own pings are stuck behind what it sends has to hear from us
	}
	if p.presence.becomeEvasive(seen, t) {
		z.port.deliver(peerEvent(EventEvasive, p))
	}
	if p.presence.becomeSilent(seen, t) {
		z.port.deliver(peerEvent(EventSilent, p))
	}
	if due := p.presence; due.idle(now) >= t.expired || due.becomeEvasive(now, t) || due.becomeSilent(now, t) {
		z.wakeBy(now.Add(lookAgain)) // it is judged when there was a look since
	}
}

// longestRound is how long a round of the node takes at most that is work alone: a longer one shows
// that the process was stopped. It is a small part of the silence that ends a peer.
func (z *zre) longestRound() time.Duration { return min(maxTickInterval, z.timeouts.expired/8) }

// shiftTimers moves all timers on by a time in which the node could not run, because
// the process or the machine was stopped: nobody's silence in it counts.
func (z *zre) shiftTimers(by time.Duration) {
	z.log.Debug("was not running for a while", "for", by)
	for _, p := range z.peers {
		p.halfOpen.shift(by)
		p.presence.shift(by)
		p.probe.shift(by)
		p.intake.shift(by)
	}
}
