package zyre

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
)

// The numbers of a Beacon.
const (
	beaconInterval    = time.Second           // between two datagrams, unless set
	beaconMinInterval = time.Millisecond      // the shortest that can be set
	beaconReadRetry   = 10 * time.Millisecond // after a failed read, at first
	beaconScan        = time.Second           // between two looks at the interfaces
	beaconMaxBackoff  = 5 * time.Second       // between two tries on a failing link
	beaconMaxSize     = 255                   // of a datagram, as in CZMQ
	beaconGoodbyes    = 3                     // UDP may lose one
	beaconSignals     = 256                   // room in the Signals channel

	// If none of so many own datagrams comes back in that time, it is logged.
	ownBeaconsMissed = 4
	ownBeaconsTime   = 10 * time.Second
)

// errBeaconClosed answers commands to a Beacon after Close.
var errBeaconClosed = errors.New("zyre: beacon is closed")

// Beacon announces a small datagram on the local network at an interval, and
// hears those that others announce. It is CZMQ's zbeacon as an actor.
//
// A [Zyre] has a Beacon of its own and hands out none; this one is for programs that speak
// ZRE by themselves, or need beacons alone.
//
// Commands are given with SetBeaconCmd, or by sending them to Cmds and taking
// each answer from Replies (by one goroutine, or answers get mixed up). What is
// heard comes as Signals; when nobody takes them, the newest are dropped, since
// a beacon repeats. A Beacon sends and hears nothing before CONFIGURE; PUBLISH
// and SUBSCRIBE may come first.
//
//	CONFIGURE    int         open this UDP port; replies with the address (a
//	                         string) used, "" as long as no interface is up
//	INTERFACE    string      name or address of the interface, or several with
//	                         commas; "" picks the best (the default), "*"
//	                         means all
//	INTERVAL     Duration    between two datagrams, 1 s by default, at least 1 ms
//	PUBLISH      []byte      announce this datagram, now and at each interval;
//	                         1 to 255 bytes. One that is announced already
//	                         keeps its times
//	SILENCE                  announce nothing
//	SUBSCRIBE    []byte or   hear datagrams that start so; before it, and after
//	             string      UNSUBSCRIBE, none are heard
//	UNSUBSCRIBE
//	VERBOSE      bool        log to standard error; true if there is no payload
//	$TERM                    end the Beacon, as Close does
//
// A datagram that is the same as ours is not heard. Network errors never end a
// Beacon: it tries again, and follows the interfaces as they come and go.
//
// A Beacon holds a goroutine from NewBeacon until Close, and a socket with a
// goroutine from CONFIGURE on. It comes from libzyre's use of zbeacon; RFC 36
// describes the datagram.
type Beacon struct {
	Signals chan *Signal // what was heard; closed by Close
	Cmds    chan *Cmd    // commands; not read any more after Close
	Replies chan *Cmd    // answers to Cmds, in order; closed by Close

	// set by newBeacon, then read-only
	listen       func(network string, port int) (beaconConn, error)
	interfaces   func() ([]netif.Interface, error)
	sightings    bool
	tellLinks    bool
	awaitPublish bool
	broadcasts   chan broadcast    // the latest one that a node wants; one slot
	linkChanges  chan []netif.Link // to a node: the links in use, after CONFIGURE and each change
	calls        chan beaconCall
	quit         chan struct{} // closed to end the actor
	done         chan struct{} // closed when all has ended

	quitOnce sync.Once
	readers  sync.WaitGroup
	log      atomic.Pointer[slog.Logger]
	stats    beaconStats
	warnedAt atomic.Int64 // when a beacon of another version was last logged; in seconds since 1970

	// written by the node, read by the readers
	ignored atomic.Pointer[map[beaconOrigin]struct{}]

	// written by the actor, read by the readers
	filter atomic.Pointer[[]byte]       // nil: hear nothing
	chosen atomic.Pointer[netif.Choice] // the links in use, and why
	own    atomic.Pointer[ownDatagrams]
	links  atomic.Pointer[[]netif.Link]
	onLink atomic.Pointer[map[int][]netip.Prefix] // IPv6 subnets of the links' interfaces
	looks  atomic.Pointer[[2][]netif.Interface]   // what the host's interfaces were at the last looks; the latest first
}

// Cmd is a command to a Beacon, or its answer: the same ID, with Err set if
// the command failed.
type Cmd struct {
	ID      string      // which command, such as "PUBLISH"
	Payload interface{} // its argument, or what it answers with
	Err     error       // in an answer: why the command failed
}

// Signal is a datagram that a Beacon heard, with the address that it came from
// (without port; with the zone if IPv6 link-local). Transmit is the receiver's
// to keep.
type Signal struct {
	Addr     string // where it came from
	Transmit []byte // the datagram

	sighting sighting // for a node: what the datagram says
}

// sighting is a node's beacon that was heard.
type sighting struct {
	beaconOrigin          // port 0 is a goodbye
	key          [32]byte // CURVE public key, raw, if secure
	secure       bool
}

// beaconOrigin is who sends a beacon, and where it says that it can be reached: at the
// datagram's source address and the port in it.
type beaconOrigin struct {
	uuid [16]byte
	at   netip.AddrPort
}

// beaconStats counts what happened to a Beacon. It is read while it runs.
type beaconStats struct {
	sent       atomic.Uint64
	sendErrors atomic.Uint64
	received   atomic.Uint64 // datagrams read, dropped ones included
	readErrors atomic.Uint64

	// why datagrams were dropped
	droppedSize   atomic.Uint64 // empty or longer than 255 bytes
	droppedSource atomic.Uint64 // no address that one could answer to
	droppedLink   atomic.Uint64 // came in on an interface, or from a subnet, that is not ours
	droppedFilter atomic.Uint64 // not what was subscribed to
	droppedOwn    atomic.Uint64 // our own
	droppedFull   atomic.Uint64 // nobody takes the Signals
	malformed     atomic.Uint64 // for a node: no beacon of a node
}

// ownDatagrams are those to ignore: what we announce and, for a while, what we
// announced before, which may still be in the socket.
type ownDatagrams struct {
	current []byte
	earlier [2][]byte
	until   time.Time // when the earlier are no longer ours
}

// beaconCall is a command with a place for its answer.
type beaconCall struct {
	cmd     *Cmd
	goodbye []byte // instead of cmd
	reply   chan *Cmd
}

// beaconConfig is what a node, or a test, can ask of a Beacon at its start.
// Zero values mean the real network and no log.
type beaconConfig struct {
	logger     *slog.Logger
	listen     func(network string, port int) (beaconConn, error)
	interfaces func() ([]netif.Interface, error)
	// sightings has each Signal carry a sighting; datagrams that are none are dropped and
	// counted.
	sightings bool
	// tellLinks has linkChanges tell the links in use, after CONFIGURE and each change.
	tellLinks bool
	// awaitPublish makes a change of the links silence the Beacon until the next datagram
	// is given to it: what it announced need not be true on the new ones.
	awaitPublish bool
}

// NewBeacon starts a Beacon. Close must be called to end it.
func NewBeacon() *Beacon { return newBeacon(beaconConfig{}) }

func newBeacon(config beaconConfig) *Beacon {
	b := &Beacon{
		Signals:      make(chan *Signal, beaconSignals),
		Cmds:         make(chan *Cmd),
		Replies:      make(chan *Cmd, 1),
		listen:       config.listen,
		interfaces:   config.interfaces,
		sightings:    config.sightings,
		tellLinks:    config.tellLinks,
		awaitPublish: config.awaitPublish,
		broadcasts:   make(chan broadcast, 1),
		linkChanges:  make(chan []netif.Link),
		calls:        make(chan beaconCall),
		quit:         make(chan struct{}),
		done:         make(chan struct{}),
	}
	if b.listen == nil {
		b.listen = openConn
	}
	a := &beaconActor{
		Beacon:   b,
		interval: beaconInterval,
		broken:   make(chan *beaconSocket),
		ownsLog:  config.logger == nil,
	}
	if b.interfaces == nil {
		b.interfaces = a.host.Interfaces
	}
	if a.ownsLog {
		config.logger = slog.New(slog.DiscardHandler)
	}
	b.log.Store(config.logger)
	go a.run() // ends by quit or $TERM, closes done
	return b
}

// SetBeaconCmd gives a command to the Beacon and returns its answer, which has
// Err set if the command is unknown, has the wrong type of payload or failed.
// It may be called by many goroutines, each gets the answer to its own command.
// After Close the answer is an error, at once.
func (b *Beacon) SetBeaconCmd(req *Cmd) *Cmd {
	if req == nil {
		return &Cmd{Err: errors.New("zyre: no beacon command")}
	}
	return b.call(beaconCall{cmd: req})
}

// broadcast is what a node announces, and where.
type broadcast struct {
	datagram []byte       // nil: silence
	on       []netif.Link // nil: all that are in use
}

// announceLatest has a datagram announced, as PUBLISH does, in place of one that was
// given before and not yet looked at. It never waits. Only one goroutine may call it.
func (b *Beacon) announceLatest(latest broadcast) {
	select {
	case <-b.broadcasts:
	default:
	}
	b.broadcasts <- latest // there is room: nobody else sends
}

// ignore says which datagrams tell the node nothing new and need not be signalled, so
// that many nodes that beacon each second wake no other. The map must not be changed
// afterwards. It never waits.
func (b *Beacon) ignore(known map[beaconOrigin]struct{}) { b.ignored.Store(&known) }

// goodbye sends a last datagram a few times on each link and then announces
// nothing any more. It returns when that is done, at once after Close.
func (b *Beacon) goodbye(datagram []byte) {
	b.call(beaconCall{goodbye: datagram})
}

func (b *Beacon) call(c beaconCall) *Cmd {
	closed := &Cmd{Err: errBeaconClosed}
	if c.cmd != nil {
		closed.ID = c.cmd.ID
	}
	if b.done == nil { // not made by NewBeacon
		return closed
	}
	c.reply = make(chan *Cmd, 1)
	select {
	case <-b.quit:
		return closed
	case b.calls <- c:
	case <-b.done:
		return closed
	}
	select {
	case reply := <-c.reply:
		return reply
	case <-b.done:
	}
	select { // the last call may have been answered, and then all ended
	case reply := <-c.reply:
		return reply
	default:
		return closed
	}
}

// Close ends the Beacon and waits until its goroutines have ended and its
// socket is closed; it says no goodbye. Signals is closed, with what lies in
// its buffer still to be had. Close may be called at any time, again, and by
// many goroutines.
func (b *Beacon) Close() {
	if b.done == nil { // not made by NewBeacon
		return
	}
	b.stop()
	<-b.done
}

func (b *Beacon) stop() { b.quitOnce.Do(func() { close(b.quit) }) }
