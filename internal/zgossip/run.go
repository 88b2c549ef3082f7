package zgossip

import (
	"context"
	"fmt"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const (
	// batch is how many messages are read from a socket before the others,
	// commands and timers have their turn.
	batch = 256
	// idleTick is the longest time between two looks at the clock, and busyTick
	// the time until a neighbour that took nothing is tried again.
	idleTick = time.Second
	busyTick = 100 * time.Millisecond
	// Timers so late mean that our process was stopped: the silence was ours.
	overslept = time.Second
)

// again tells that a socket has no more, from other errors: those leave it to
// the next round.
func again(err error) bool { return zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) }

// readEnd looks at why a socket gave no more. A context that is terminated
// before Close waits for our sockets: we close.
func (g *Gossip) readEnd(s *source, err error) {
	switch {
	case again(err):
		s.drained()
	case zmq.AsErrno(err) == zmq.ETERM:
		s.drained()
		g.close.Do(func() { close(g.quit) })
	}
}

// run owns the sockets and the table until Close.
func (g *Gossip) run(cancel context.CancelFunc) {
	timer := time.NewTimer(idleTick)
	defer timer.Stop()
	due := time.Now()
	for {
		var news chan<- Tuple
		head, ok := g.table.out.head()
		if ok {
			news = g.tuples
		}
		select {
		case f := <-g.cmds:
			f(time.Now())
		case a := <-g.addresses:
			g.onAddress(a, time.Now())
		case <-g.wake:
		case news <- head:
			g.table.out.pop()
			continue
		case <-timer.C:
		case <-g.quit:
			cancel()
			g.shutdown()
			return
		}
		now := time.Now()
		if !now.Before(due) {
			if now.Sub(due) > overslept {
				g.forgive(now)
			}
			g.tick(now)
			due = now.Add(idleTick)
		}
		g.settle(now)
		due = g.nextTick(now, due)
		timer.Reset(time.Until(due))
	}
}

// forgive has all neighbours heard now.
func (g *Gossip) forgive(now time.Time) {
	for _, c := range g.clients {
		c.heard = now
	}
	for _, h := range g.hubs {
		h.heard = now
	}
}

// tick does what time asks for.
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

// nextTick says when tick is due, if that is before due.
func (g *Gossip) nextTick(now, due time.Time) time.Time {
	busy := now.Add(busyTick)
	for _, h := range g.hubs {
		switch {
		case h.up() && (h.needHello || h.blocked):
			due = earlier(due, busy)
			fallthrough
		case h.up():
			due = earlier(due, h.lastPing.Add(g.opts.PingInterval))
		case h.dealer == nil && !h.lookup:
			due = earlier(due, h.retry)
		}
	}
	for _, c := range g.clients {
		if c.blocked && c.down.IsZero() {
			due = earlier(due, busy)
			break
		}
	}
	for t := range g.table.delayed {
		due = earlier(due, t.tellAt)
	}
	return due
}

// settle reads and tells until there is nothing left to do, or others must
// have their turn: then it leaves a note to come back.
func (g *Gossip) settle(now time.Time) {
	for range 4 {
		g.unblock()
		if g.router != nil && g.router.pending() {
			g.readRouter(now, batch)
		}
		for _, h := range g.hubs {
			g.readMonitor(h, now)
			if h.dealer != nil && h.dealer.pending() {
				g.readHub(h, now, batch)
			}
		}
		g.tellAll(now)
		if !g.pending() {
			return
		}
	}
	kick(g.wake)
}

// unblock lets neighbours that took nothing be tried again: a descriptor also
// says that there is room.
func (g *Gossip) unblock() {
	if g.router != nil && g.router.watcher.Fired() {
		for _, c := range g.clients {
			c.blocked = false
		}
	}
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.watcher.Fired() {
			h.blocked = false
		}
	}
}

func (g *Gossip) pending() bool {
	if g.router != nil && g.router.pending() {
		return true
	}
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.pending() || h.monitor != nil && h.monitor.pending() {
			return true
		}
	}
	return false
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
	case tupleEcho:
		g.stats.Echoes++
	case tupleDefended:
		g.stats.Defended++
	case tupleRefused:
		g.stats.Refused++
	}
}

// tellAll hands each neighbour what it has not been told yet.
func (g *Gossip) tellAll(now time.Time) {
	for _, c := range g.clients {
		g.tell(c, func(frame []byte) bool { return g.toClient(c, frame, now) })
	}
	for _, h := range g.hubs {
		if h.up() && !h.needHello {
			g.tell(&h.link, func(frame []byte) bool { return h.dealer.send(frame) == nil })
		}
	}
}

func (g *Gossip) tell(l *link, send func([]byte) bool) {
	if l.blocked || l.sent == g.table.seq || !l.hub && !l.down.IsZero() {
		return
	}
	for _, e := range g.table.since(l.sent) {
		if !g.table.stale(e) && l.wants(e.t) {
			g.buf = appendPublish(g.buf[:0], e.t.key, e.t.value, 0)
			if !send(g.buf) {
				l.blocked = true
				return
			}
		}
		l.sent = e.order
	}
	l.sent = g.table.seq
}

// wants tells whether t is news for l: not what it said itself, nor the end of
// what it never heard of.
func (l *link) wants(t *tuple) bool {
	switch {
	case t.from == l:
		return false
	case !t.gone:
		return true
	case l.hub:
		return !t.local
	}
	return t.order > l.floor
}

// shutdown says farewell and closes everything.
func (g *Gossip) shutdown() {
	now := time.Now()
	for _, t := range g.table.tuples {
		if t.own {
			g.table.unpublish(t.key, now)
		}
	}
	g.tellAll(now)
	g.stats = g.count()
	g.wg.Wait()
	for _, h := range g.hubs {
		linger := time.Duration(0)
		if h.up() {
			linger = lingerUp
		}
		g.closeHub(h, linger)
	}
	if g.router != nil {
		_ = g.router.close(lingerUp)
	}
	close(g.tuples)
	close(g.done)
}

// freshKeys makes a key pair for hubs that want one.
func (g *Gossip) freshKeys() error {
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		return fmt.Errorf("zgossip: new CURVE keys: %w", err)
	}
	g.clientPublic, g.clientSecret = public, secret
	return nil
}
