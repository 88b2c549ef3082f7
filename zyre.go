package zyre

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/google/uuid"

	"github.com/go-zyre/zyre/internal/hostnet"
)

// Zyre is one node: it finds the other nodes on its network, joins groups, and
// exchanges messages with them. Make one with [NewZyre], configure it with the Set
// methods, call Start, and range over Events.
//
// Any number of goroutines may call any method at any time. No method panics or
// blocks for ever. Before Start, after Stop and after the context is cancelled, a
// method that needs a running node does nothing, returns nothing, or returns
// [ErrNotRunning]. It is the zyre class of libzyre.
//
// A Set method that is given a value that makes no sense changes nothing, and Start
// returns an error that names it, until the method is called with a better one. One whose
// comment says "No effect after Start" changes nothing on a running node, now or for the
// next Start, and logs a warning.
type Zyre struct {
	init sync.Once // sets what NewZyre sets, for a Zyre that it has not made

	// set by NewZyre, then read-only
	ctx   context.Context
	seams func() (seams, error) // what nodes stand on

	node atomic.Pointer[node] // the running node, or nil

	mu     sync.Mutex // guards what follows; never held while waiting for a node
	uuid   [16]byte
	id     string  // uuid as 32 upper-case hexadecimal digits
	cfg    *config // a pointer, so that who prints a Zyre sees no key
	last   *Stats  // as the node ended; nil if none has
	events chan *Event
	ended  bool // events is closed: a run has ended, or the context was cancelled

	// lifecycle has a token, which Start and Stop hold for as long as they take. It is no
	// mutex: in a bubble of testing/synctest the clock stands still for who waits for one.
	lifecycle chan struct{}
	forget    func() bool // ends the watch on ctx, which would keep a stopped node in memory
}

// NewZyre makes a node with a fresh UUID. The node does nothing until Start.
// Cancelling ctx stops the node as Stop does, and it cannot be started again. A nil
// ctx is a context that is never cancelled; a zero Zyre is a node made with that. It is
// zyre_new of libzyre.
func NewZyre(ctx context.Context) *Zyre {
	z := &Zyre{}
	z.init.Do(func() { z.setUp(ctx) })
	return z
}

func (z *Zyre) setUp(ctx context.Context) {
	if ctx == nil {
		ctx = context.Background()
	}
	cfg := defaultConfig()
	z.ctx, z.seams, z.cfg, z.events = ctx, zmqSeams, &cfg, newEventChannel()
	id, err := uuid.NewRandom()
	if err != nil {
		z.cfg.bad["make a UUID"] = opError("make a UUID", "", err)
	}
	if network := hostnet.From(ctx); network != nil {
		host := network.NewHost(z, z.kill)
		z.seams, id = func() (seams, error) { return seamsOn(host), nil }, host.NewUUID()
	}
	z.uuid, z.id = id, uuidString(id)
	z.lifecycle = make(chan struct{}, 1)
	// A node that never runs is not kept in memory by its context.
	it := weak.Make(z)
	z.forget = context.AfterFunc(ctx, func() {
		if z := it.Value(); z != nil {
			z.cancelled()
		}
	})
	runtime.AddCleanup(z, func(forget func() bool) { forget() }, z.forget)
}

// lock locks z.mu.
func (z *Zyre) lock() {
	z.init.Do(func() { z.setUp(context.Background()) })
	z.mu.Lock()
}

// cancelled ends the node for good, and the Events channel of one that never ran.
func (z *Zyre) cancelled() {
	z.Stop()
	z.lock()
	defer z.mu.Unlock()
	if !z.ended {
		z.ended = true
		close(z.events)
	}
}

// UUID returns the node's UUID as 32 upper-case hexadecimal digits. It is the same
// before Start, after Stop and when the node is started again. It is zyre_uuid of
// libzyre.
func (z *Zyre) UUID() string {
	z.lock()
	defer z.mu.Unlock()
	return z.id
}

// Name returns the name set by SetName, or else the first six characters of the
// UUID. It works at any time. It is zyre_name of libzyre.
func (z *Zyre) Name() string {
	z.lock()
	defer z.mu.Unlock()
	if z.cfg.name == "" {
		return z.id[:6]
	}
	return z.cfg.name
}

// Start brings the node up: it binds the node's mailbox, starts the beacon and
// returns. From then on peers enter. Having no network is not an error: the node waits
// for one. Start returns an error if a setting is invalid, an interface does not exist
// ([ErrNoInterface]), a port is taken, the context is cancelled ([ErrNotRunning]), or
// the node runs already ([ErrRunning]). After Stop, Start starts the node again, with
// the same UUID, name, headers and groups, and with a fresh Events channel. It is
// zyre_start of libzyre.
func (z *Zyre) Start() error {
	defer z.lockLifecycle()()
	if err := z.startNode(); err != nil {
		return opError("start", "", err)
	}
	z.forget()
	z.forget = context.AfterFunc(z.ctx, z.cancelled)
	return nil
}

// startNode makes a node of what has been set and lets it run. It holds the
// setters off meanwhile, so that each of them reaches either the copy or the
// running node.
func (z *Zyre) startNode() error {
	z.lock()
	defer z.mu.Unlock()
	if z.node.Load() != nil {
		return ErrRunning
	}
	if z.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNotRunning, z.ctx.Err())
	}
	cfg := z.cfg.clone()
	if err := cfg.complete(); err != nil {
		return err
	}
	if cfg.name == "" {
		cfg.name = z.id[:6]
	}
	events := z.events
	if z.ended {
		events = newEventChannel()
	}
	s, err := z.seams()
	if err != nil {
		return err
	}
	cfg.logs.warnings.reset()
	n := newNode(z.uuid, cfg, s, newEventQueue(events, cfg.queueLimit))
	if err := n.start(time.Now()); err != nil {
		return err
	}
	z.events, z.ended = events, false
	z.node.Store(n)
	go n.run()
	return nil
}

// Stop ends the node: messages already accepted are given time to arrive, the peers
// are told (they see EXIT at once), and the Events channel delivers a STOP event and
// is closed. When Stop returns, no goroutine, socket or thread of the node is left.
// It takes about a millisecond, and at most a second if peers do not answer. Events
// that the application had not read stay in the channel, up to 1,024 of them; those
// behind them are dropped, and their number is logged. Stop does nothing before Start
// or when called again; calls at the same time all return once the node has ended. It
// is zyre_stop of libzyre.
func (z *Zyre) Stop() {
	defer z.lockLifecycle()()
	z.stopNode(cmdStop)
}

// kill ends the node as if its process had died: the peers are not told.
func (z *Zyre) kill() {
	defer z.lockLifecycle()()
	z.stopNode(cmdKill)
}

// lockLifecycle takes the token of lifecycle; the result gives it back.
func (z *Zyre) lockLifecycle() (unlock func()) {
	z.init.Do(func() { z.setUp(context.Background()) })
	z.lifecycle <- struct{}{}
	return func() { <-z.lifecycle }
}

// stopNode ends the running node; the caller has the token of lifecycle.
func (z *Zyre) stopNode(how commandKind) {
	n := z.node.Load()
	if n == nil {
		return
	}
	n.stop(how)
	z.forget()
	z.lock()
	defer z.mu.Unlock()
	z.last, z.ended = n.final(), true
	z.node.Store(nil)
}

// Events returns the channel on which the node reports what happens. When the node
// stops, the channel delivers a STOP event and is closed, so that a range over it
// ends. Start after Stop makes a fresh channel. Before Start, Events returns the
// channel that Start will use.
//
// Read it steadily. The node keeps the events that are not read, up to the queue
// limit; beyond that it stops reading what its peers send, so that they wait. See
// [Zyre.SetQueueLimit].
//
// Only receive from the channel. If the application closes it, the node panics at its
// next event, and what the application sends on it comes back as an event. It takes the
// place of zyre_recv and zyre_event_new of libzyre.
func (z *Zyre) Events() chan *Event {
	z.lock()
	defer z.mu.Unlock()
	return z.events
}

// Join joins a group: the node then receives what peers shout to the group, and its
// peers see a JOIN event. A group joined before Start is part of the first HELLO.
// Joining a group twice is harmless. A name longer than 255 bytes is ignored and
// logged, and so is what would be more than peers take: 10,000 groups, or 1 MiB with the
// headers. It is zyre_join of libzyre.
func (z *Zyre) Join(group string) {
	var err error
	z.setLive(change{op: "join", apply: func(c *config) {
		if err = c.checkJoin(group); err == nil && !slices.Contains(c.groups, group) {
			c.groups = append(c.groups, group)
		}
	}})
	if err != nil {
		z.warn("not joined", "err", opError("join", group, err))
		return
	}
	z.followGroups(group)
}

// Leave leaves a group, and the peers see a LEAVE event. Leaving a group that the node
// has not joined does nothing. It works at any time. It is zyre_leave of libzyre.
func (z *Zyre) Leave(group string) {
	z.setLive(change{op: "leave", apply: func(c *config) {
		c.groups = slices.DeleteFunc(c.groups, func(g string) bool { return g == group })
	}})
	z.followGroups(group)
}

// followGroups brings the running node's membership in a group in line with what is
// set: that is looked up on the node's goroutine, so that Join and Leave of several
// goroutines, whose requests may overtake each other, end the same in both places.
func (z *Zyre) followGroups(group string) {
	z.configure(func(n *node, now time.Time) {
		z.lock()
		joined := slices.Contains(z.cfg.groups, group)
		z.mu.Unlock()
		if joined {
			n.zre.join(now, group)
		} else {
			n.zre.leave(now, group)
		}
	})
}

// Whisper sends a message of one frame to one peer, given by its UUID. It copies the
// payload before it returns. Messages from one goroutine arrive in order. If the peer
// does not keep up, Whisper waits until there is room, the peer exits or the node
// stops; [Zyre.WhisperContext] limits the wait and reports what happened. A message to
// a peer that has not entered is dropped, and so is every message before Start and
// after Stop. What no peer can have as its UUID, such as a name, is logged. It is
// zyre_whisper of libzyre.
//
// Whisper may be called from the loop that reads Events. If that loop then takes no event
// for the evasive timeout, although the node holds as many as it may ([Zyre.SetQueueLimit]),
// Whisper does not wait any longer: messages wait in the node. For each peer these are as
// many bytes again, and more as long as it is less than eight times as many for all peers
// together; but no more than 16,384 messages. Beyond that the peer is given up, which shows
// as EXIT and ENTER and in the log.
func (z *Zyre) Whisper(peer string, payload []byte) {
	z.WhisperFrames(peer, payload)
}

// WhisperFrames sends a message of any number of frames to one peer as Whisper does.
// Without frames it sends one empty frame. Peers of other implementations may take the
// first frame only. Libzyre's zyre_whisper sends any number of frames too.
func (z *Zyre) WhisperFrames(peer string, frames ...[]byte) {
	n := z.node.Load()
	if n == nil {
		return
	}
	var c command
	if err := c.whisper(peer, frames); err != nil {
		n.log.Warn("not sent", "err", opError("whisper", peer, err))
		return
	}
	_ = n.commands.message(context.Background(), &c)
}

// Whispers sends a text to one peer as Whisper does. The text is formatted as by
// fmt.Sprintf; without args it is sent as it is. It is zyre_whispers of libzyre.
func (z *Zyre) Whispers(peer, format string, args ...interface{}) {
	z.Whisper(peer, []byte(sprintf(format, args...)))
}

// Shout sends a message of one frame to every peer in a group. This node need not have
// joined the group, and does not receive the message itself. If one of the members
// does not keep up, Shout waits as Whisper does, but for a member that reads nothing at all
// only a second ([Zyre.SetStalledTimeout]); [Zyre.ShoutContext] limits the wait
// and reports what happened. A message to a group without peers is dropped, and so is
// every message before Start and after Stop. One with a name that no group can have, of more
// than 255 bytes, is logged. It is zyre_shout of libzyre.
func (z *Zyre) Shout(group string, payload []byte) {
	z.ShoutFrames(group, payload)
}

// ShoutFrames sends a message of any number of frames to every peer in a group as Shout
// does. Without frames it sends one empty frame. Peers of other implementations may take
// the first frame only. Libzyre's zyre_shout sends any number of frames too.
func (z *Zyre) ShoutFrames(group string, frames ...[]byte) {
	n := z.node.Load()
	if n == nil {
		return
	}
	var c command
	if err := c.shout(group, frames); err != nil {
		n.log.Warn("not sent", "err", opError("shout", group, err))
		return
	}
	_ = n.commands.message(context.Background(), &c)
}

// Shouts sends a text to a group as Shout does. The text is formatted as by
// fmt.Sprintf; without args it is sent as it is. It is zyre_shouts of libzyre.
func (z *Zyre) Shouts(group, format string, args ...interface{}) {
	z.Shout(group, []byte(sprintf(format, args...)))
}

// WhisperContext sends a message of any number of frames to one peer, and returns nil
// once libzmq has taken the message. Without frames it sends one empty frame. It
// returns
//
//   - [ErrUnknownPeer] if the peer has not entered, or exits first;
//   - [ErrPushedBack], together with the context's error, if the peer takes no more
//     messages until ctx ends: the message was not sent and will not be. Without the
//     context's error if the application takes none of its events, as at [Zyre.Whisper];
//   - the context's error alone if ctx has ended before;
//   - [ErrTooLarge] if there are more than 10,000 frames;
//   - [ErrNotRunning] before Start and after Stop.
//
// A nil ctx never ends. It is zyre_whisper of libzyre, whose messages have any number of frames too.
func (z *Zyre) WhisperContext(ctx context.Context, peer string, frames ...[]byte) error {
	n := z.node.Load()
	if n == nil {
		return opError("whisper", peer, ErrNotRunning)
	}
	var c command
	if err := c.whisper(peer, frames); err != nil {
		return opError("whisper", peer, err)
	}
	return opError("whisper", peer, n.send(orBackground(ctx), &c))
}

// ShoutContext sends a message of any number of frames to every peer in a group, and
// returns nil once libzmq has taken it for all of them but those that read nothing at all,
// for which the node keeps it ([Zyre.SetStalledTimeout]). Without frames it sends one
// empty frame. It returns
//
//   - [ErrUnknownGroup] if no peer has joined the group;
//   - [ErrPushedBack], together with the context's error, if some members take no more
//     messages until ctx ends: they will not get the message, the others have it. Without the
//     context's error if the application takes none of its events, as at [Zyre.Whisper];
//   - the context's error alone if ctx has ended before;
//   - [ErrTooLarge] if there are more than 10,000 frames;
//   - [ErrTooLong] if the name of the group is longer than 255 bytes;
//   - [ErrNotRunning] before Start and after Stop.
//
// A member that exits in the meantime is no error: the application sees its EXIT. A nil
// ctx never ends. It is zyre_shout of libzyre, whose messages have any number of frames
// too.
func (z *Zyre) ShoutContext(ctx context.Context, group string, frames ...[]byte) error {
	n := z.node.Load()
	if n == nil {
		return opError("shout", group, ErrNotRunning)
	}
	var c command
	if err := c.shout(group, frames); err != nil {
		return opError("shout", group, err)
	}
	return opError("shout", group, n.send(orBackground(ctx), &c))
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// configure runs fn on the running node, if there is one.
func (z *Zyre) configure(fn func(n *node, now time.Time)) {
	if n := z.node.Load(); n != nil {
		_ = n.do(func(now time.Time) { fn(n, now) })
	}
}

func (z *Zyre) warn(msg string, args ...any) {
	z.lock()
	log := z.cfg.logger
	z.mu.Unlock()
	log.Warn(msg, args...)
}
