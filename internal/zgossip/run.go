package zgossip

import (
	"time"

	zmq "github.com/pebbe/zmq4"
)

const (
	// maxBatch is how many messages are read from a socket before the other sockets,
	// the commands and the timers have their turn.
	maxBatch = 256
	// idleTick is the longest time between two ticks. busyTick is the time after which
	// a neighbour that took nothing is tried again.
	idleTick = time.Second
	busyTick = 100 * time.Millisecond
	// If a tick is later than maxTickDelay our process was stopped: neighbours were only
	// silent because we did not read.
	maxTickDelay = time.Second
)

// run owns the sockets and the table until Close.
func (g *Gossip) run() {
	timer := time.NewTimer(idleTick)
	defer timer.Stop()
	due := time.Now()
	for {
		var tuples chan<- Tuple // nil, which select passes over, without news
		news, ok := g.table.news.front()
		if ok {
			tuples = g.tuples
		}
		select {
		case f := <-g.cmds:
			f(time.Now())
		case r := <-g.resolver.Results():
			g.onResolved(r, time.Now())
		case <-g.wake:
		case tuples <- news:
			g.table.news.pop()
			continue
		case <-timer.C:
		case <-g.quit:
			g.shutdown()
			return
		}
		now := time.Now()
		isTick := !now.Before(due)
		if isTick {
			if now.Sub(due) > maxTickDelay {
				g.resetSilence(now)
			}
			g.tick(now)
			due = now.Add(idleTick)
		}
		g.look(now, isTick)
		g.serveSockets(now)
		g.judge(now)
		due = g.nextTick(now, due)
		timer.Reset(time.Until(g.guard.WakeAt(due)))
	}
}

// resetSilence has the silence of all neighbours begin now.
func (g *Gossip) resetSilence(now time.Time) {
	for _, c := range g.clients {
		c.heard = now
	}
	for _, h := range g.hubs {
		h.heard = now
	}
}

// tick does what is due.
func (g *Gossip) tick(now time.Time) {
	g.table.tick(now)
	g.tickClients(now)
	for _, h := range g.hubs {
		g.tickHub(h, now)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// nextTick returns when the next tick is due, at the latest at due.
func (g *Gossip) nextTick(now, due time.Time) time.Time {
	busy := now.Add(busyTick)
	for _, h := range g.hubs {
		switch {
		case h.canSend() && (h.needHello || h.blocked):
			due = earlier(due, busy)
			fallthrough
		case h.canSend():
			due = earlier(due, h.lastPing.Add(g.opts.PingInterval))
		case h.dealer == nil && !h.resolving:
			due = earlier(due, h.retryAt)
		}
	}
	for _, c := range g.clients {
		if c.blocked && c.downSince.IsZero() {
			due = earlier(due, busy)
			break
		}
	}
	for t := range g.table.delayed {
		due = earlier(due, t.sendAt)
	}
	return due
}

// serveSockets reads from the sockets and sends what has changed, until there is nothing
// left to do. After a few rounds it leaves the rest to the next turn of run.
func (g *Gossip) serveSockets(now time.Time) {
	for range 4 {
		g.clearBlocked()
		if g.router != nil && g.router.MayHaveInput() {
			g.readRouter(now, maxBatch)
		}
		for _, h := range g.hubs {
			g.readEvents(h, now)
			if h.dealer != nil && h.dealer.MayHaveInput() {
				g.readHub(h, now, maxBatch)
			}
		}
		g.sendChanges(now)
		if !g.mayHaveInput() {
			return
		}
	}
	signal(g.wake)
}

// clearBlocked has the neighbours that took nothing tried again when their socket's
// Watcher has fired: that may also mean that there is room.
func (g *Gossip) clearBlocked() {
	if g.router != nil && g.router.MayHaveRoom() {
		for _, c := range g.clients {
			c.blocked = false
		}
	}
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.MayHaveRoom() {
			h.blocked = false
		}
	}
}

// mayHaveInput reports whether any socket is to be read.
func (g *Gossip) mayHaveInput() bool {
	if g.router != nil && g.router.MayHaveInput() {
		return true
	}
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.MayHaveInput() || h.dealer != nil && h.dealer.MayHaveEvent() {
			return true
		}
	}
	return false
}

// onReceiveError handles what a socket returned instead of a message. Errors but for
// these two are left to the next round.
func (g *Gossip) onReceiveError(s Polled, err error) {
	if isAgain(err) || zmq.AsErrno(err) == zmq.ETERM {
		s.SetDrained()
	}
	g.closeIfTerminated(err)
}

// closeIfTerminated ends the member if err says that the context was terminated before
// Close, and waits for our sockets.
func (g *Gossip) closeIfTerminated(err error) {
	if zmq.AsErrno(err) == zmq.ETERM {
		g.close.Do(func() { close(g.quit) })
	}
}

// learn takes in a tuple of a neighbour and counts what became of it.
func (g *Gossip) learn(l *link, m *msg, now time.Time) {
	switch g.table.learn(l, m.key, m.value, now) {
	case tupleNew:
		g.stats.Learnt++
	case tupleChanged:
		g.stats.Changed++
	case tupleGone:
		g.stats.Gone++
	case tupleReflected:
		g.stats.Reflected++
	case tupleDefended:
		g.stats.Defended++
	case tupleContested:
		g.stats.Defended++
		g.log.Warn("another node has this node's UUID, and publishes it by gossip",
			"uuid", string(m.key), "other_endpoint", string(m.value))
	case tupleRefused:
		g.stats.Refused++
	}
}

// sendChanges sends each neighbour the changes that it does not have yet.
func (g *Gossip) sendChanges(now time.Time) {
	for _, c := range g.clients {
		g.sendChangesTo(c, now, func(frame []byte) bool { return g.sendToClient(c, frame, now) })
	}
	for _, h := range g.hubs {
		if h.canSend() && !h.needHello {
			g.sendChangesTo(&h.link, now, func(frame []byte) bool { return h.dealer.Send(frame) == nil })
		}
	}
}

func (g *Gossip) sendChangesTo(l *link, now time.Time, send func([]byte) bool) {
	if l.blocked || l.sent == g.table.order && !l.sentAll.IsZero() || !l.hub && !l.downSince.IsZero() {
		return
	}
	for _, e := range g.table.after(l.sent) {
		if !g.table.isSuperseded(e) && l.wants(e.t) {
			g.buf = appendPublish(g.buf[:0], e.t.key, e.t.value, 0)
			if !send(g.buf) {
				l.blocked, l.sentAll = true, time.Time{}
				return
			}
		}
		l.sent = e.order
	}
	l.sent, l.sentTo = g.table.order, g.table.order
	if l.sentAll.IsZero() {
		l.sentAll = now
	}
}

// shutdown takes back the tuples that we published and closes everything.
func (g *Gossip) shutdown() {
	now := time.Now()
	for _, t := range g.table.tuples {
		if t.ours {
			g.table.unpublish(t.key, now)
		}
	}
	g.sendChanges(now)
	g.stats = g.count()
	g.resolver.Close()
	for _, h := range g.hubs {
		linger := time.Duration(0)
		if h.canSend() {
			linger = closeLinger
		}
		g.closeHub(h, linger)
	}
	if g.router != nil {
		_ = g.router.Close(closeLinger)
	}
	close(g.tuples)
	close(g.done)
}
