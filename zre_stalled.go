package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

const (
	// waitingOverhead is what a message counts while it waits for a stalled peer, beside its
	// content: more than its header, which such peers share, and its place in the queue.
	waitingOverhead = 256
	// Hosts of peers that exited because they had stalled are remembered for stalledMemory.
	maxStalledHosts = 1024
	stalledMemory   = 10 * time.Minute
)

// intake is how a blocked peer takes what waits for it. A peer that takes nothing at all is
// stalled. From then on shouts to its groups do not wait for it: its share of them waits in
// memory, as long as what waits for all stalled peers stays within the queue limit. Once it
// has been stalled for the stalled timeout, and something was shouted to it, it exits.
//
// What a peer says shows nothing here, answers to pings included: it may send and not read. Nor
// does it show anything that PINGs and PING-OKs go past what waits: a peer that reads a little, and
// pings so much that it reads nothing else, takes nothing.
type intake struct {
	since     time.Time // it last took something, or messages began to wait
	sent      uint64    // bytes that its system had confirmed at the last look
	acked     int64     // the most that was confirmed at any look beyond overtook
	overtook  uint64    // bytes of the PINGs and PING-OKs that went past what waits
	waiting   bool      // at the last look more waited to go out than can be under way at once
	isStalled bool
	messages  int // shouts that were added although the peer was stalled
}

// What a PING or PING-OK takes on the wire: a header frame of ZMTP 3, plain and under CURVE.
const (
	pingWireSize       = 8
	securePingWireSize = 41
)

// overtaken counts a PING or PING-OK that was sent while messages wait; there may be none.
func (in *intake) overtaken(secure bool) {
	switch {
	case in == nil:
	case secure:
		in.overtook += securePingWireSize
	default:
		in.overtook += pingWireSize
	}
}

// see takes a look, and reports whether its system has confirmed more than what went past what
// waits, if more waited than can be under way at once.
func (in *intake) see(m transport.Moved) (took bool) {
	if m.Sent < in.sent { // libzmq has connected again
		in.acked, in.overtook = int64(m.Sent), 0
	}
	if acked := int64(m.Sent) - int64(in.overtook); acked > in.acked {
		in.acked, took = acked, in.waiting
	}
	in.sent, in.waiting = m.Sent, m.Waiting
	return took
}

// isStalled reports whether the peer takes nothing at all.
func (p *peer) isStalled() bool { return p.intake != nil && p.intake.isStalled }

// addedWhileStalled is how many shouts were added to what waits although the peer was stalled.
func (p *peer) addedWhileStalled() int {
	if p.intake == nil {
		return 0
	}
	return p.intake.messages
}

func (in *intake) shift(by time.Duration) {
	if in != nil {
		in.since = in.since.Add(by)
	}
}

// kept counts the memory of a message for as long as it waits for stalled peers: its content
// once, for they share it.
type kept struct {
	total    *int // of all such messages
	size     int  // of the content
	unsentTo int  // peers
}

func (k *kept) add() {
	k.unsentTo++
	*k.total += waitingOverhead
}

func (k *kept) release() {
	if k == nil {
		return
	}
	*k.total -= waitingOverhead
	if k.unsentTo--; k.unsentTo == 0 {
		*k.total -= k.size
	}
}

// keep returns what counts a message that is added to what waits for a peer; nil unless the
// peer is stalled.
func (z *zre) keep(p *peer, t *transmission) *kept {
	if !p.isStalled() {
		return nil
	}
	if t.kept == nil {
		t.kept = &kept{total: &z.stalledBytes, size: t.content.size()}
		z.stalledBytes += t.kept.size
	}
	t.kept.add()
	if t.encoded().isShout() {
		p.intake.messages++
	}
	return t.kept
}

// checkIntake looks whether a blocked peer takes anything. While this node does not read its
// inbox, the answers that would open the window do not count as missing.
func (z *zre) checkIntake(now time.Time, p *peer) {
	if p.mailbox == nil || p.intake == nil {
		return
	}
	in := p.intake
	moved := p.mailbox.Moved(now, p.conn)
	if took := in.see(moved); took || z.inbox.isGrace() {
		z.tookMessage(now, p)
	}
	stalled := lookedAt(now, moved).Sub(in.since)
	switch {
	case stalled < z.timeouts.verify():
	case p.backlog.shouts > 0 && (stalled >= z.stalledTimeout || z.stalledBytes >= z.backlogLimit && z.isStalledHost(now, p)):
		z.counters.stalled++
		z.log.Warn("a peer takes no messages, and is removed", "peer", p.id, "endpoint", p.endpoint)
		z.noteStalledHost(now, p)
		z.removePeer(now, p, ReasonStalled)
	case !in.isStalled:
		in.isStalled = true
		z.settleShouts(p)
		z.unblockGroups()
	}
}

// tookMessage notes that a blocked peer has taken something. Shouts wait for it again.
func (z *zre) tookMessage(now time.Time, p *peer) {
	if p.intake != nil {
		p.intake.since, p.intake.isStalled = now, false
	}
}

// settleShouts tells those who shouted and still wait for a peer that they need not.
func (z *zre) settleShouts(p *peer) {
	for range p.backlog.queue.Len() {
		o := p.backlog.queue.Pop()
		if o.receipt != nil && o.receipt.shout {
			o.receipt.noteOutcome(nil)
			o.receipt = nil
		}
		p.backlog.queue.Push(o)
	}
}

// holdsShouts reports whether shouts to a peer's groups have to wait for it.
func (z *zre) holdsShouts(p *peer) bool {
	return p.backlog.queue.Len() > 0 && !(p.isStalled() && z.stalledBytes < z.backlogLimit)
}

// isStalledHost reports whether a peer of the same host has stalled of late, until it exited.
func (z *zre) isStalledHost(now time.Time, p *peer) bool {
	if len(z.stalledHosts) == 0 {
		return false
	}
	at, known := z.stalledHosts[p.host()]
	return known && now.Sub(at) < stalledMemory
}

func (z *zre) noteStalledHost(now time.Time, p *peer) {
	for host, at := range z.stalledHosts {
		if now.Sub(at) >= stalledMemory {
			delete(z.stalledHosts, host)
		}
	}
	if len(z.stalledHosts) < maxStalledHosts {
		z.stalledHosts[p.host()] = now
	}
}
