package zyre

import (
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// Limits of a node that are not settings.
const (
	receiveBatch  = 256                   // messages read before everything else gets a turn
	receiveFrames = 16 << 10              // and the frames in them
	receiveBytes  = 16 << 20              // and their bytes, with those of routing ids
	pollShortest  = 50 * time.Microsecond // between looks at a full channel or mailbox
	pollLongest   = 20 * time.Millisecond
	watchInterval = time.Second // between looks at the interfaces where no beacon does
)

// node is a running Zyre: the actor that drives the protocol. Its goroutine executes run
// and alone touches the protocol and the sockets; everything else reaches it through the
// command queue.
//
// A node runs once. Zyre.Start makes another.
type node struct {
	// set by newNode, then read-only
	uuid     [16]byte
	identity []byte // the routing id of our connections
	log      *slog.Logger
	seams    seams
	policy   *transport.Policy
	commands *commandQueue
	wakeup   chan struct{} // wakes a node that does not read its inbox
	counted  chan struct{} // closed when end holds what the node counted

	// owned by run
	cfg      config
	zre      *zre
	inbox    transport.Inbox
	binder   binder
	beacon   *Beacon      // nil if gossip or required peers take its place
	base     []netif.Link // the links chosen, without those of routes
	host     netif.View   // the interfaces, for a node without a beacon or with routes
	routing  routing
	watchAt  time.Time  // when to look at the interfaces again
	gossip   *gossiping // nil without gossip
	resolver *transport.Resolver
	events   *eventQueue
	edges    edges
	guard    *transport.Guard // nil where there is nothing to guard
	waits    peerWaits
	warned   addressWarnings
	alone    solitude
	chosen   netif.Choice // why these links, without a beacon
	ignored  ignoredPeers

	beganAt   time.Time       // when the last round began
	plannedAt time.Time       // when the next round was to begin
	stopped   time.Duration   // how long the process was stopped in the last round, see plan
	poll      backoff.Backoff // until the next look at what is full
	pace      pace
	stall     stall
	paused    bool      // the application is behind: the queue was full, and not half of it has been taken since
	stopAt    time.Time // Stop was called: when to wait no longer; else zero
	end       Stats     // once counted is closed, read-only

	packet transport.Packet // reused for each message
	taken  []command        // reused for each round
}

func newNode(uuid [16]byte, cfg config, s seams, events *eventQueue) *node {
	n := &node{
		uuid:     uuid,
		identity: appendIdentity(nil, uuid),
		log:      cfg.logger.With("node", uuidString(uuid)[:6]),
		seams:    s,
		wakeup:   make(chan struct{}, 1),
		counted:  make(chan struct{}),
		cfg:      cfg,
		resolver: transport.NewResolver(s.lookup),
		events:   events,
		poll:     backoff.Backoff{Min: pollShortest, Max: pollLongest},
	}
	n.routing.localAddr = s.localAddr
	n.policy = transport.NewPolicy(n.log, cfg.curve.restricted, cfg.curve.authorized)
	n.commands = newCommandQueue(n.wake)
	if cfg.curve.enabled() {
		n.cfg.headers[publicKeyHeader] = cfg.curve.publicKey
	}
	if cfg.shareView {
		n.cfg.headers[viewHeader] = viewVersion
	}
	n.zre = newZRE(zreConfig{
		uuid: uuid, name: cfg.name, headers: n.cfg.headers, groups: cfg.groups, contests: cfg.contests,
		secure: cfg.curve.enabled(), shareView: cfg.shareView, log: n.log, window: cfg.window, backlogLimit: cfg.queueLimit,
		timeouts: timeouts{evasive: cfg.evasive, silent: cfg.silent, expired: cfg.expired},
		stalled:  cfg.stalled, interval: cfg.interval,
	}, n)
	return n
}

// start opens the node's sockets. On an error it has closed them again.
func (n *node) start(now time.Time) error {
	in, err := n.seams.transport.Listen(n.cfg.listenOptions(n.policy))
	if err != nil {
		return errors.Join(err, n.seams.transport.Close())
	}
	n.inbox = in
	n.guard = in.Guard()
	n.binder = newBinder(&n.cfg, in, n.log)
	n.plannedAt = now
	if err := n.startDiscovery(now); err != nil {
		n.resolver.Close()
		return errors.Join(err, in.Close(), n.seams.transport.Close())
	}
	n.zre.startElections(now)
	warnOfOldLibzmq(n.log, transport.Version())
	n.log.Info("started", "uuid", n.zre.id, "name", n.zre.name, "endpoints", n.binder.endpoints)
	return nil
}

// run is the node's goroutine: it does a round of work, and sleeps when there is none.
// Nothing else in it blocks.
func (n *node) run() {
	defer close(n.commands.done)
	n.startEdges()
	n.plannedAt = time.Now()
	for {
		now := time.Now()
		busy := n.step(now)
		if n.isFinished(now) {
			break
		}
		busy = n.yield() || busy // yield also when busy: the application has to keep up
		if wake := n.plan(time.Now(), busy); !busy {
			n.sleep(wake)
		}
	}
	n.shutdown(time.Now())
}

// step is a round: it looks at everything that may have work, in turn, and reports
// whether there may be more at once. Production, simulation and fuzzing all run it.
func (n *node) step(now time.Time) (busy bool) {
	stopped := n.stopped
	if late := now.Sub(n.plannedAt); late > n.zre.tickInterval {
		stopped += late
	}
	if stopped > 0 {
		n.zre.shiftTimers(stopped)
	}
	n.beganAt = now
	n.guard.Look(now)
	n.taken = n.commands.take(n.taken)
	busy, drained := n.drain(now) // first: what a peer sent before its goodbye comes before it
	n.handle(now, n.taken)
	n.guard.Judge(now, drained, n.zre.heard)
	if n.zre.isTickDue(now) {
		n.watch(now)
	}
	if n.zre.advance(now) {
		n.poll.Reset() // the rest will not take long
	}
	if n.events.pump() {
		n.poll.Reset() // there is somebody at the other end
	}
	n.resume(now)
	n.ignored.update(now, n.zre, n.beacon)
	n.waits.check(now, n.zre)
	return busy
}

// plan ends a round. It returns when the next one has to begin even if nothing arrives, and
// remembers it: a round that begins much later shows that the process was stopped.
func (n *node) plan(now time.Time, busy bool) time.Time {
	n.plannedAt, n.stopped = now, 0
	if took := now.Sub(n.beganAt); took > n.zre.longestRound() {
		n.stopped = took
	}
	if busy {
		return now
	}
	wake := n.zre.tickAt
	if !n.stopAt.IsZero() && n.stopAt.Before(wake) {
		wake = n.stopAt
	}
	if !n.events.isBehind() && !n.zre.isWaitingForRoom() && !n.paused && !n.pace.waiting {
		n.poll.Reset()
	} else if again := now.Add(n.poll.Next()); again.Before(wake) {
		wake = again
	}
	if wake = n.guard.WakeAt(wake); wake.Before(now) {
		wake = now
	}
	n.plannedAt = wake
	return wake
}

// sleep parks the node until there may be work, at the latest until a given time. A node
// that does not read its inbox must not wait for it either: it would find it readable
// always, and spin.
func (n *node) sleep(until time.Time) {
	if n.events.countTaken(); !n.events.isFull() && !n.pace.waiting {
		n.inbox.Wait(until)
		return
	}
	wait := time.Until(until)
	if n.seams.nap != nil && wait < time.Millisecond {
		n.seams.nap(wait)
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-n.wakeup:
	case <-timer.C:
	}
}

// wake ends the present sleep, or the next. Any goroutine may call it.
func (n *node) wake() {
	n.inbox.Wake()
	select {
	case n.wakeup <- struct{}{}:
	default:
	}
}

// yield lets the application look at events just delivered, and reports whether it has
// given the node work meanwhile. An answer that comes at once then finds the node awake,
// which is many times cheaper than to park and be woken.
func (n *node) yield() bool {
	if !n.events.fresh {
		return false
	}
	n.events.fresh = false
	runtime.Gosched()
	return n.commands.isPending()
}

// drain reads what has arrived, up to a batch, and reports whether there may be more, and
// whether it is known that nothing is left. It reads nothing while the queue of events is full.
// As the application takes them it reads on, for its peers have to see that: to one that takes
// nothing for the stalled timeout they stop talking.
func (n *node) drain(now time.Time) (more, drained bool) {
	n.events.countTaken()
	if n.keepPace(now) {
		return false, false
	}
	frames, bytes := 0, 0
	for range receiveBatch {
		if n.events.isFull() {
			n.events.countTaken() // some may have been taken in this round
		}
		if n.events.isFull() {
			n.pause(now)
			return false, false
		}
		err := n.inbox.Recv(&n.packet)
		if errors.Is(err, transport.ErrPartial) {
			break // of a message of very many frames; everything else gets its turn first
		}
		if errors.Is(err, transport.ErrAgain) {
			if drained = !errors.Is(err, transport.ErrNotPolled); drained {
				n.zre.inboxDrained(now)
			}
			return false, drained
		}
		if err != nil {
			n.zre.counters.receiveErrors++
			n.log.Warn("cannot receive", "err", err)
			return false, false
		}
		n.zre.receive(now, &n.packet)
		n.zre.inboxRead(now, n.packet.From)
		p := &n.packet
		frames, bytes = frames+len(p.Frames), bytes+len(p.From)+p.Cut+len(p.Header)+frameBytes(p.Frames)
		if n.keepPace(now) {
			return false, false
		}
		if frames > receiveFrames || bytes > receiveBytes {
			break
		}
	}
	n.zre.inboxBacklogged()
	return true, false
}

// keepPace has the node stop reading for a moment where the application has to catch up, and
// reports whether it does.
func (n *node) keepPace(now time.Time) bool {
	before := n.pace.waiting
	n.pace.update(now, n.events.held, n.events.taken)
	if n.pace.waiting && !before {
		n.zre.inboxBacklogged()
		n.poll.Reset()
	}
	return n.pace.waiting
}

// pause notes that the inbox is not read because the queue of events is full. The application is
// told once until it has caught up; silence means nothing whenever it happens.
func (n *node) pause(now time.Time) {
	n.zre.inboxPaused(now, receiveBatch, transport.MaxStrangers)
	if n.paused {
		return
	}
	n.paused = true
	n.zre.counters.pauses++
	n.log.Warn("the application does not keep up with its events; peers have to wait",
		"held", n.events.held, "limit", n.events.limit)
}

// resume notes that the application has caught up: it has taken half of a full queue. One that
// takes nothing while it waits for peers does not wait any more.
func (n *node) resume(now time.Time) {
	n.events.countTaken()
	if !n.stall.observe(now, n.events.isFull(), n.events.taken, n.cfg.evasive) {
		n.zre.holdBack()
	} else if n.commands.isAwaited() {
		n.zre.letGo()
		n.waits.letGo()
	}
	if n.paused && n.events.held <= n.events.limit/2 {
		n.paused = false
		n.poll.Reset()
	}
}
