package zyre

import (
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/ratelimit"
	"github.com/go-zyre/zyre/internal/transport"
)

// maxTickInterval is how often timers are looked at at least.
const maxTickInterval = time.Second

// zre is the protocol: what RFC 36 says a node has to do, and what libzyre does beyond
// it. It holds the peers, groups and elections of one node.
//
// It has no goroutine, channel, lock, socket or clock. What happens is told to it by
// method calls, with the time as an argument; what it does leaves through its port. The
// node's goroutine makes all the calls. See docs/architecture.md for the states of a
// peer.
type zre struct {
	// set by newZRE, then read-only
	uuid           [16]byte
	id             string // uuid as 32 upper-case hexadecimal digits
	secure         bool   // CURVE: keys are checked
	timeouts       timeouts
	stalledTimeout time.Duration // in which a peer takes nothing of what is shouted to it, until EXIT
	sightingTime   time.Duration // since a node was last sighted, until it is given up if it is not there
	window         uint64        // bytes that may be under way to one peer
	backlogLimit   int           // bytes that may wait for a peer while the application is let go (see letGoShare), and for all stalled ones
	port           port
	log            *slog.Logger

	// what the application has set
	name     string
	headers  map[string]string
	contests []string          // groups in which this node stands for election
	own      map[string]string // groups that we have joined, each under its name: the one copy events share
	status   byte              // count of our joins and leaves

	location location
	inbox    inboxLag

	peers     map[[16]byte]*peer
	addressed map[string]*peer  // peers by endpoint
	groups    map[string]*group // groups that peers have joined
	elections map[string]*election
	known     map[[16]byte]*knownNode
	seeds     map[[16]byte]*knownNode           // those of known whose UUID is made from the endpoint
	keys      map[[16]byte]string               // public keys, Z85, of the nodes we have connected to, or will
	lookups   map[lookupKey]map[[16]byte]lookup // under way, by whom each is for
	throttles map[[16]byte]*throttle
	seedTest  seedTest

	sharing sharing

	refusedIDs map[refusedID]bool // routing ids that were refused and logged
	named      map[string]*peer   // of the peers that have entered, the last with each name
	sameNames  map[string]bool    // names of two nodes that were logged

	entered int // peers that have entered

	blocked          map[*peer]bool  // peers with a backlog
	blockedGroups    map[string]bool // groups with a blocked member that somebody shouts to
	stalledBytes     int             // that wait for stalled peers: see intake
	stalledHosts     map[netip.Addr]time.Time
	lettingGo        bool   // nobody is made to wait: see letGo
	electionsChanged bool   // an election has something to do
	enteredChanges   uint64 // counts ENTERs, EXITs and moves to another endpoint
	departures       uint64 // of these, the EXITs and moves

	unreached map[[16]byte]time.Time // peers that have exited without an answer to our HELLO, and when
	sightings admission              // of half-open peers by what is said of them
	hellos    admission              // of half-open peers by their own HELLO, of which sightings take nothing
	foreign   ratelimit.Bucket       // of messages of another version that are logged
	counters  counters

	tickInterval time.Duration
	tickAt       time.Time // when a timer is due next

	// reused
	view       zreView
	ordered    []*peer   // see inOrder
	whisperTo  []*peer   // whom a batch of whispers goes to
	header     []byte    // the header frame that is being sent
	pingHeader []byte    // likewise, of a PING or PING-OK
	oneFrame   [1][]byte // the content of a message of one frame
}

// port is the way from the protocol to the rest of the node. None of its methods calls
// back.
type port interface {
	// dial connects to a peer; serverKey is the peer's CURVE public key, in Z85.
	dial(endpoint, serverKey string) (transport.Mailbox, error)
	// resolve starts to look up the host name in an endpoint, which the application
	// requires or others have named, and reports whether it did. The answer comes to
	// zre.resolved.
	resolve(endpoint string, l lookup) bool
	// hostInterfaces lists the interfaces of this host that are known.
	hostInterfaces() []netif.Interface
	// isAuthorized reports whether the holder of a CURVE public key may talk with us.
	isAuthorized(key string) bool
	// deliver gives the application an event.
	deliver(e *Event)
	// blockPeer makes who sends to a peer wait, or lets them go on.
	blockPeer(uuid [16]byte, blocked bool)
	// blockGroup makes who shouts to a group wait, or lets them go on.
	blockGroup(name string, blocked bool)
}

// zreConfig is what newZRE needs to know.
type zreConfig struct {
	uuid         [16]byte
	name         string
	headers      map[string]string
	groups       []string // joined before Start
	contests     []string
	secure       bool
	shareView    bool // peers may ask how this node sees the network
	timeouts     timeouts
	stalled      time.Duration // see zre.stalledTimeout
	interval     time.Duration // of this node's beacons
	window       int           // bytes that may be under way to one peer
	backlogLimit int           // bytes that may wait for a peer while the application is let go: see letGoShare
	log          *slog.Logger
}

func newZRE(cfg zreConfig, out port) *zre {
	t := cfg.timeouts
	z := &zre{
		uuid:           cfg.uuid,
		id:             uuidString(cfg.uuid),
		secure:         cfg.secure,
		timeouts:       t,
		stalledTimeout: cfg.stalled,
		window:         defaultWindow,
		backlogLimit:   cfg.backlogLimit,
		port:           out,
		log:            cfg.log,

		name:     cfg.name,
		headers:  cfg.headers,
		contests: cfg.contests,
		own:      map[string]string{},

		peers:         map[[16]byte]*peer{},
		addressed:     map[string]*peer{},
		groups:        map[string]*group{},
		elections:     map[string]*election{},
		known:         map[[16]byte]*knownNode{},
		seeds:         map[[16]byte]*knownNode{},
		keys:          map[[16]byte]string{},
		lookups:       map[lookupKey]map[[16]byte]lookup{},
		throttles:     map[[16]byte]*throttle{},
		sharing:       newSharing(cfg.shareView),
		refusedIDs:    map[refusedID]bool{},
		named:         map[string]*peer{},
		sameNames:     map[string]bool{},
		blocked:       map[*peer]bool{},
		blockedGroups: map[string]bool{},
		stalledHosts:  map[netip.Addr]time.Time{},
		unreached:     map[[16]byte]time.Time{},

		sightings: newAdmission(), hellos: newAdmission(),
		foreign: ratelimit.Bucket{Rate: 1, Burst: 1},

		sightingTime: max(minSightingTime, sightingIntervals*cfg.interval),
		tickInterval: min(max(min(t.evasive, t.silent, t.expired)/5, minTimeout), maxTickInterval),
	}
	if cfg.window > 0 {
		z.window = uint64(cfg.window)
	}
	for _, g := range cfg.groups {
		z.own[g] = g
		z.status++
	}
	return z
}

// advance does what has become due: elections that changed, messages that waited for
// room, timers. It reports whether a blocked peer took any message.
func (z *zre) advance(now time.Time) (moved bool) {
	if z.electionsChanged {
		z.runElections(now)
	}
	moved = z.flushBacklogs(now)
	if z.isTickDue(now) {
		z.tick(now)
	}
	return moved
}

// isTickDue reports whether a timer is due.
func (z *zre) isTickDue(now time.Time) bool { return !now.Before(z.tickAt) }

// isWaitingForRoom reports whether messages wait for a mailbox, which does not tell when it
// has room.
func (z *zre) isWaitingForRoom() bool {
	for p := range z.blocked {
		if p.backlog.cause == waitsForRoom {
			return true
		}
	}
	return false
}

// wakeBy makes sure that tick runs at t.
func (z *zre) wakeBy(t time.Time) {
	if t.Before(z.tickAt) {
		z.tickAt = t
	}
}

// tick looks at all timers and plans the next time.
func (z *zre) tick(now time.Time) {
	z.tickAt = now.Add(z.tickInterval)
	for _, p := range z.inOrder() {
		if z.peers[p.uuid] != p {
			continue // it went when another one was looked at
		}
		z.tickPeer(now, p)
		if p.probe.isPending() && p.probe.deadline.After(now) && !z.inbox.isGrace() {
			z.wakeBy(p.probe.deadline)
		}
	}
	clear(z.ordered)
	z.runElections(now)
	z.retryKnownNodes(now)
	z.testSeeds(now)
	z.forgetKeys()
	z.forgetThrottles(now)
	z.forgetUnreached(now)
}

// inOrder lists the peers in the order of their UUIDs, in which things happen to several of
// them at one moment: with the same seed, a test of an application sees the same events.
// It is valid until the next call.
func (z *zre) inOrder() []*peer {
	z.ordered = slices.AppendSeq(z.ordered[:0], maps.Values(z.peers))
	slices.SortFunc(z.ordered, func(a, b *peer) int { return strings.Compare(a.id, b.id) })
	return z.ordered
}

// tickPeer looks at the timers of one peer. What ends it whatever it answers comes before its
// probe, which may begin again in each tick.
func (z *zre) tickPeer(now time.Time, p *peer) {
	grace := z.inbox.isGrace()
	switch {
	case z.endAtTimeout(now, p):
	case p.probe.isPending() && !now.Before(p.probe.deadline) && (!grace || p.probe.isRemoval()):
		if !z.continueProbe(now, p) {
			z.probeFailed(now, p)
		}
	case p.isEntered():
		z.checkPresence(now, p)
	case grace:
		// Its HELLO may be waiting in the inbox, and ours have reached it.
		if p.mailbox != nil {
			z.ping(now, p)
		}
	case p.handshake.state == helloHeld && !p.isInTest():
		z.lookUpHeld(now, p)
	}
	if !grace {
		z.reportNoAnswer(now, p)
	}
}

// endAtTimeout ends a peer whose time is over, and reports whether it did: one that has entered
// and takes nothing, or one that has not entered.
func (z *zre) endAtTimeout(now time.Time, p *peer) (ended bool) {
	switch {
	case p.isEntered():
		if z.blocked[p] {
			z.checkIntake(now, p)
		}
	case z.inbox.isGrace():
	case z.watchUnconfirmed(now, p):
	case p.halfOpenFor(now) >= z.timeouts.expired || z.isSightingOver(now, p):
		z.counters.neverEntered++
		z.forgetPeer(p)
	}
	return z.peers[p.uuid] != p
}

// watchUnconfirmed looks whether a peer is in helloUnconfirmed and not silent for too long: it may
// answer yet. Nobody knows yet what came after the last look.
func (z *zre) watchUnconfirmed(now time.Time, p *peer) (mayAnswer bool) {
	switch {
	case p.handshake.state != helloUnconfirmed:
		return false
	case p.presence.idle(now) < z.timeouts.watchAfter() || z.watchProgress(now, p):
		return true
	case p.presence.idle(p.progress.seenUntil(now)) >= z.timeouts.expired:
		return false
	case p.presence.idle(now) >= z.timeouts.expired:
		z.wakeBy(now.Add(lookAgain)) // it is judged when there was a look since
	}
	return true
}
