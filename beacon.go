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
	beaconMinInterval = 10 * time.Millisecond // the shortest that can be set
	beaconScan        = time.Second           // between two looks at the interfaces
	beaconMaxBackoff  = 5 * time.Second       // between two tries on a failing link
	beaconMaxSize     = 255                   // of a datagram, as in CZMQ
	beaconFarewells   = 3                     // UDP may lose one
	beaconSignals     = 256                   // room in the Signals channel
)

// errBeaconClosed answers commands to a Beacon after Close.
var errBeaconClosed = errors.New("zyre: beacon is closed")

// Beacon announces a small datagram on the local network at an interval, and
// hears those that others announce. It is CZMQ's zbeacon as an actor.
//
// Commands are given with SetBeaconCmd, or by sending them to Cmds and taking
// each answer from Replies (by one goroutine, or answers get mixed up). What is
// heard comes as Signals; when nobody takes them, the newest are dropped, since
// a beacon repeats. A Beacon sends and hears nothing before CONFIGURE; PUBLISH
// and SUBSCRIBE may come first.
//
//	CONFIGURE    int         open this UDP port; replies with the address (a
//	                         string) used, "" as long as no interface is up
//	INTERFACE    string      name or address of the interface; "" picks the
//	                         best (the default), "*" means all
//	INTERVAL     Duration    between two datagrams, 1 s by default, at least 10 ms
//	PUBLISH      []byte      announce this datagram, now and at each interval;
//	                         1 to 255 bytes
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
	linkSignals  bool
	awaitPublish bool
	dull         func(*Signal) bool
	calls        chan beaconCall
	quit         chan struct{} // closed to end the actor
	done         chan struct{} // closed when all has ended

	quitOnce sync.Once
	readers  sync.WaitGroup
	log      atomic.Pointer[slog.Logger]
	stats    beaconStats

	// written by the actor, read by the readers
	filter atomic.Pointer[[]byte] // nil: hear nothing
	own    atomic.Pointer[ownDatagrams]
	links  atomic.Pointer[[]netif.Link]
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

	src   netip.Addr   // Addr, parsed
	link  netif.Link   // that it came in on
	links []netif.Link // the links now in use, if Transmit is nil: see beaconConfig
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
	droppedLink   atomic.Uint64 // came in on an interface that is not ours
	droppedFilter atomic.Uint64 // not what was subscribed to
	droppedOwn    atomic.Uint64 // our own
	droppedFull   atomic.Uint64 // nobody takes the Signals
}

// ownDatagrams are those to ignore: what we announce and, for a while, what we
// announced before, which may still be in the socket.
type ownDatagrams struct {
	current []byte
	retired [2][]byte
	until   time.Time // when the retired are no longer ours
}

// beaconCall is a command with a place for its answer.
type beaconCall struct {
	cmd      *Cmd
	farewell []byte // instead of cmd
	reply    chan *Cmd
}

// beaconConfig is what a node, or a test, can ask of a Beacon at its start.
// Zero values mean the real network and no log.
type beaconConfig struct {
	logger     *slog.Logger
	listen     func(network string, port int) (beaconConn, error)
	interfaces func() ([]netif.Interface, error)
	// linkSignals asks for a Signal with a nil Transmit, and the links, after
	// CONFIGURE and whenever they change. It is never lost.
	linkSignals bool
	// awaitPublish makes a change of the links silence the Beacon until the next
	// PUBLISH: what it announced need not be true on the new ones.
	awaitPublish bool
	// dull says of a datagram that it tells nothing new and need not be signalled.
	// The goroutine that reads asks, so that many nodes that beacon each second wake
	// no other. May be nil.
	dull func(*Signal) bool
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
		linkSignals:  config.linkSignals,
		awaitPublish: config.awaitPublish,
		dull:         config.dull,
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
		silent:   config.logger == nil,
	}
	if b.interfaces == nil {
		b.interfaces = a.host.Interfaces
	}
	if a.silent {
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

// farewell sends a last datagram a few times on each link and then announces
// nothing any more. It returns when that is done, at once after Close.
func (b *Beacon) farewell(datagram []byte) {
	b.call(beaconCall{farewell: datagram})
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
// socket is closed; it says no farewell. Signals is closed, with what lies in
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
