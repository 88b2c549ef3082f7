package zyre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
	"github.com/go-zyre/zyre/internal/transport"
)

// Limits and times of a node that are not settings.
const (
	receiveBatch  = 256                    // messages read before everything else gets a turn
	lingerTime    = 400 * time.Millisecond // how long libzmq goes on sending after Stop
	farewellTime  = 400 * time.Millisecond // how long Stop waits for peers to confirm what was sent
	maxCoarseness = time.Second            // of the timers: an idle node wakes no more often
	retryShortest = 200 * time.Microsecond // between looks at a full channel or mailbox
	retryLongest  = 20 * time.Millisecond
)

// node is a running Zyre: an actor that alone owns peers, groups and sockets. Its
// goroutine executes run; everything else reaches it through the outbox. What it
// knows of the time it is told, by the argument now of its methods.
//
// A node runs once. Zyre.Start makes another.
type node struct {
	// set by newNode, then read-only
	uuid      [16]byte
	id        string
	identity  []byte // 1 and uuid: the routing id of our DEALERs
	log       *slog.Logger
	transport transport.Transport
	outbox    *outbox
	known     *acquaintances // shared with the goroutines that read beacons
	security  security
	bell      chan struct{} // what wakes a node that does not read its inbox

	// owned by run
	cfg       config
	inbox     transport.Inbox
	net       network
	gossip    gossiping
	lookup    *lookups
	standing  map[[16]byte]*standing // nodes known from gossip and RequirePeer
	peers     map[[16]byte]*Peer
	addressed map[string]*Peer     // peers by endpoint
	groups    map[string]*Group    // groups that peers have joined
	own       map[string]string    // groups that we have joined, each under its name: the one copy events share
	status    byte                 // count of our joins and leaves
	slow      map[*Peer]bool       // peers with a backlog
	elections map[string]*election // in groups that we have joined
	electing  bool                 // something changed in one of them
	history   map[[16]byte]*handshakes
	admission ratelimit.Bucket // for new half-open peers
	warnings  ratelimit.Bucket // of connections that cannot be made
	events    *eventQueue
	counters  counters

	coarse  time.Duration // timers are this exact
	tickAt  time.Time     // when a timer is due next
	retry   time.Duration // until the next look at what is full
	paused  bool          // the application is behind: the inbox is not read
	blind   int           // messages to read, after a pause, until silence means something again
	behind  bool          // something is left in the inbox
	leaving [][16]byte    // peers that said goodbye meanwhile
	closing time.Time     // Stop was called: when to wait no longer; else zero

	packet  transport.Packet // reused for each message
	view    zreView
	spoken  []*Peer   // reused for each batch of whispers: those they go to
	scratch []byte    // reused for each header that is sent
	single  [1][]byte // reused for each message of one frame
}

func newNode(uuid [16]byte, cfg config, tr transport.Transport, events *eventQueue) *node {
	id := uuidString(uuid)
	n := &node{
		uuid:      uuid,
		id:        id,
		identity:  appendIdentity(nil, uuid),
		log:       cfg.logger.With("node", id[:6]),
		transport: tr,
		known:     newAcquaintances(),
		bell:      make(chan struct{}, 1),
		cfg:       cfg,
		peers:     map[[16]byte]*Peer{},
		addressed: map[string]*Peer{},
		groups:    map[string]*Group{},
		own:       map[string]string{},
		slow:      map[*Peer]bool{},
		elections: map[string]*election{},
		history:   map[[16]byte]*handshakes{},
		admission: ratelimit.Bucket{Rate: halfOpenRate, Burst: halfOpenBurst},
		warnings:  ratelimit.NewWarnings(),
		lookup:    newLookups(),
		net:       network{advertised: cfg.advertised},
		standing:  map[[16]byte]*standing{},
		events:    events,
		coarse:    max(min(cfg.evasive, cfg.silent, cfg.expired)/5, minTimeout),
		retry:     retryShortest,
	}
	n.coarse = min(n.coarse, maxCoarseness)
	n.security = newSecurity(&n.cfg.curve, n.log)
	if n.security.enabled {
		n.cfg.headers[publicKeyHeader] = cfg.curve.publicKey
	}
	for _, g := range cfg.groups {
		n.own[g] = g
		n.status++
	}
	return n
}

// start opens the node's sockets. On an error it has closed them again.
func (n *node) start() error {
	in, err := n.transport.Listen(n.listenOptions())
	if err != nil {
		return errors.Join(err, n.transport.Close())
	}
	n.inbox = in
	n.outbox = newOutbox(n.wake)
	if err := n.startNetwork(); err != nil {
		n.lookup.close()
		return errors.Join(err, in.Close(), n.transport.Close())
	}
	n.log.Info("zyre: started", "uuid", n.id, "name", n.cfg.name, "endpoints", n.net.endpoints)
	return nil
}

// run is the node's goroutine: it looks at everything that may have work, in
// turn, and sleeps when nothing has. Nothing else in it blocks.
func (n *node) run() {
	defer close(n.outbox.done)
	var calls []call
	planned := time.Now()
	n.stand(planned)
	for {
		now := time.Now()
		if late := now.Sub(planned); late > n.coarse {
			n.excuse(late)
		}
		calls = n.outbox.take(calls)
		busy := n.drain(now) // first: what a peer sent before its goodbye comes before it
		n.handle(now, calls)
		if n.electing {
			n.elect(now)
		}
		n.unclog(now)
		if !now.Before(n.tickAt) {
			n.tick(now)
			n.watch(now)
		}
		moved, backlog := n.events.pump()
		if moved {
			n.retry = retryShortest // there is somebody at the other end
		}
		n.resume()
		if n.finished(now) {
			break
		}
		planned = now
		if !n.yield() && !busy {
			planned = n.nextWake(now, backlog)
			n.sleep(planned)
		}
	}
	n.shutdown()
}

// sleep parks the node until there may be work, at the latest until a given time.
// A node that does not read its inbox must not wait for it either: it would find
// it readable always, and spin.
func (n *node) sleep(until time.Time) {
	if !n.paused {
		n.inbox.Wait(until)
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-n.bell:
	case <-timer.C:
	}
}

// wake ends the present sleep, or the next. Any goroutine may call it.
func (n *node) wake() {
	n.inbox.Wake()
	select {
	case n.bell <- struct{}{}:
	default:
	}
}

// yield lets the application look at events just delivered, and says whether it has
// given the node work meanwhile. An answer that comes at once then finds the node
// awake, which is many times cheaper than to park and be woken.
func (n *node) yield() bool {
	if !n.events.fresh {
		return false
	}
	n.events.fresh = false
	runtime.Gosched()
	return n.outbox.pending()
}

// nextWake returns when there is something to do even if nothing arrives.
func (n *node) nextWake(now time.Time, backlog bool) time.Time {
	wake := n.tickAt
	if !n.closing.IsZero() && n.closing.Before(wake) {
		wake = n.closing
	}
	if !backlog && len(n.slow) == 0 && !n.paused {
		n.retry = retryShortest
		return wake
	}
	if again := now.Add(n.retry); again.Before(wake) {
		wake = again
	}
	n.retry = min(2*n.retry, retryLongest)
	return wake
}

// excuse moves all timers on by a time in which the node could not run, because
// the process or the machine was stopped: nobody's silence in it counts.
func (n *node) excuse(late time.Duration) {
	n.log.Debug("zyre: was not running for a while", "time", late)
	for _, p := range n.peers {
		p.born = p.born.Add(late)
		p.heard = p.heard.Add(late)
		if !p.pinged.IsZero() {
			p.pinged = p.pinged.Add(late)
		}
		if p.probe.pending() {
			p.probe.deadline = p.probe.deadline.Add(late)
		}
	}
}

// drain reads what has arrived, up to a batch, and says whether there may be
// more. It reads nothing while the application is too far behind.
func (n *node) drain(now time.Time) (more bool) {
	for range receiveBatch {
		if n.events.full() {
			n.pause()
			return false
		}
		err := n.inbox.Recv(&n.packet)
		if errors.Is(err, transport.ErrAgain) {
			if err != transport.ErrNotPolled {
				n.caughtUp(now)
			}
			return false
		}
		if err != nil {
			n.counters.receiveErrors++
			n.log.Warn("zyre: receive", "err", err)
			return false
		}
		n.receive(now, &n.packet)
		if n.blind > 0 {
			if n.blind--; n.blind == 0 {
				n.tick(now) // now: a short while later it may be paused again
			}
		}
	}
	n.behind = true
	return true
}

// pause stops reading the inbox. From then on nobody's silence counts, until so
// much has been read again that every peer had its turn.
func (n *node) pause() {
	if !n.paused {
		n.paused, n.behind = true, true
		if n.blind == 0 {
			n.blind = 2*len(n.peers) + receiveBatch
		}
		n.counters.pauses++
		n.log.Warn("zyre: the application does not keep up with its events; peers have to wait",
			"held", n.events.held, "limit", n.events.limit)
	}
}

// resume reads the inbox again once half of what was held has been taken.
func (n *node) resume() {
	if !n.paused {
		return
	}
	n.events.settle()
	if n.events.held <= n.events.limit/2 {
		n.paused, n.retry = false, retryShortest
	}
}

// caughtUp notes that nothing is left in the inbox: who is silent now is silent.
func (n *node) caughtUp(now time.Time) {
	n.blind, n.behind = 0, false
	for _, uuid := range n.leaving {
		if p := n.peers[uuid]; p != nil && p.entered() {
			n.doubt(now, p, probe{reason: "said goodbye"})
		}
	}
	n.leaving = nil
}

// handle does what was asked for, in turn, but whispers that follow each other peer by
// peer: the more wait for one, the more libzmq sends to it with a system call.
func (n *node) handle(now time.Time, calls []call) {
	for len(calls) > 0 {
		whispers := 0
		for whispers < len(calls) && calls[whispers].kind == callWhisper {
			whispers++
		}
		if whispers == 0 {
			n.handleOne(now, &calls[0])
			calls = calls[1:]
			continue
		}
		n.whisper(now, calls[:whispers])
		calls = calls[whispers:]
	}
}

// handleOne does what a goroutine of the application, or the beacon, asks for, other than
// to whisper.
func (n *node) handleOne(now time.Time, c *call) {
	switch c.kind {
	case callFunc:
		c.fn(now)
		if c.done != nil {
			close(c.done)
		}
	case callShout:
		n.shout(now, c)
	case callSignal:
		n.signal(now, c.signal)
	case callStop:
		n.beginFarewell(now)
	}
}

// do runs fn on the node's goroutine and returns when it has run, or with
// ErrNotRunning when it never will.
func (n *node) do(fn func(now time.Time)) error {
	c := call{kind: callFunc, fn: fn, done: make(chan struct{})}
	if err := n.outbox.put(c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-n.outbox.done:
	}
	select {
	case <-c.done:
		return nil
	default:
		return ErrNotRunning
	}
}

// deliver sends a message and returns what became of it.
func (n *node) deliver(ctx context.Context, c call) error {
	c.receipt = newReceipt()
	err := ctx.Err()
	if err == nil {
		err = n.outbox.messageContext(ctx, c)
	}
	if errors.Is(err, ErrNotRunning) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPushedBack, err)
	}
	select {
	case <-c.receipt.done:
	case <-n.outbox.done:
	case <-ctx.Done():
		_ = n.do(func(time.Time) { n.withdraw(c.receipt, fmt.Errorf("%w: %w", ErrPushedBack, ctx.Err())) })
	}
	select {
	case <-c.receipt.done:
		return c.receipt.err
	default:
		return ErrNotRunning
	}
}

// stop ends the node and returns when nothing of it is left.
func (n *node) stop() {
	_ = n.outbox.put(call{kind: callStop})
	<-n.outbox.done
}

// beginFarewell pings the peers to which something was sent lately: their answer
// shows that it has arrived, so that the goodbye cannot overtake it. Nothing else
// that they say shows it.
func (n *node) beginFarewell(now time.Time) {
	n.closing = now
	n.inbox.StopOffering()
	for _, p := range n.peers {
		if p.entered() && now.Sub(p.sentAt) < maxCoarseness {
			p.owedPing = false // one that waits already is older than what was sent
			n.ping(p, now)
			n.closing = now.Add(farewellTime)
		}
	}
}

// finished says whether the node may end: Stop was called, and the peers have
// confirmed what was sent or had the time to.
func (n *node) finished(now time.Time) bool {
	if n.closing.IsZero() {
		return false
	}
	if !now.Before(n.closing) {
		return true
	}
	for _, p := range n.peers {
		if p.entered() && p.pings > 0 && now.Sub(p.sentAt) < maxCoarseness {
			return false
		}
	}
	return true
}

// partsInPerson says whether the node says GOODBYE to its peers over their connections,
// which is quicker and surer than a beacon. Only libzyre and this package know the
// command, so it is sent only where there are no others: beside gossip, fixed endpoints,
// required peers and CURVE.
func (n *node) partsInPerson() bool {
	c := &n.cfg
	return c.gossip.enabled() || c.endpoint != "" || len(c.required) > 0 || n.security.enabled
}

// sayGoodbye tells everybody who has our HELLO, or will.
func (n *node) sayGoodbye() {
	if !n.partsInPerson() {
		return
	}
	now := time.Now()
	for _, p := range n.peers {
		if p.mailbox != nil {
			n.command(p, now, &ZreMsg{id: GoodbyeID})
		}
	}
}

// linger is how long what was sent to a peer may stay under way after Stop. Our HELLO
// must not reach one that has not entered, unless GOODBYE follows it.
func (n *node) linger(p *Peer) time.Duration {
	if p.entered() || n.partsInPerson() && time.Since(p.saidHello) < n.verifyTime() {
		return lingerTime
	}
	return 0
}

// shutdown says goodbye and closes everything, in the order that libzmq wants.
func (n *node) shutdown() {
	n.sayGoodbye()
	n.net.close(n)
	n.gossip.close(n)
	n.lookup.close()
	for _, c := range n.outbox.close() {
		if c.kind == callFunc { // its caller need not wait for what follows
			n.handleOne(time.Now(), &c)
			continue
		}
		c.receipt.finish(ErrNotRunning)
	}
	unsent := 0
	for _, p := range n.peers {
		for p.clogged() {
			unsent++
			p.backlog.pop().receipt.settle(ErrNotRunning)
		}
		if p.mailbox == nil {
			continue
		}
		if err := p.mailbox.Close(n.linger(p)); err != nil {
			n.log.Warn("zyre: close a mailbox", "peer", p.Identity, "err", err)
		}
	}
	if err := errors.Join(n.inbox.Close(), n.transport.Close()); err != nil {
		n.log.Warn("zyre: close", "err", err)
	}
	dropped := n.events.close(&Event{Type: eventStop, PeerUUID: n.id, PeerName: n.cfg.name})
	n.log.Info("zyre: stopped", "events dropped", dropped, "messages unsent", unsent)
}
