package foreignnet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/zmqwait"
)

// ErrClosed says that a peer has been closed.
var ErrClosed = errors.New("foreignnet: the peer is closed")

const (
	defaultInterval  = time.Second
	defaultHost      = "127.0.0.1"
	defaultBroadcast = "127.255.255.255"

	// tickInterval is how often the model looks at the clock.
	tickInterval = 50 * time.Millisecond
	// stopLinger is how long a GOODBYE may take to leave.
	stopLinger = 250 * time.Millisecond
)

// Options say what a peer is.
type Options struct {
	Kind    foreign.Kind     // "": no model, the peer does only what it is told
	Name    string           // in its HELLO
	UUID    [16]byte         // zero: a random one
	Headers []foreign.Header // in its HELLO
	Groups  []string         // that it has joined when it starts

	UDPPort  int           // of the beacons; 0: no beacons
	Interval time.Duration // of the beacons; 0: 1 s
	// Quiet has the model hear beacons and send none but those of Announce.
	Quiet bool

	Host      string // address that the mailbox is bound to; "": 127.0.0.1
	Broadcast string // address that beacons go to; "": 127.255.255.255

	// The rest is as in foreign.Config.
	RoutingByte      byte
	Gossip           bool
	Evasive, Expired time.Duration
}

// A Received is a message as it came to the mailbox.
type Received struct {
	From    []byte          // routing id
	Message foreign.Message // with its content; zero if Err is not nil
	Err     error           // what foreign.Parse says
	Frames  [][]byte        // all after the routing id
}

// A Sighting is where a node is, by its beacons.
type Sighting struct {
	UUID     [16]byte // of the node
	Endpoint string   // "" when it said goodbye
}

// A Peer is a node of foreign make. All its methods may be called by any goroutine.
type Peer struct {
	opts     Options
	endpoint string
	events   *history[foreign.Event]
	received *history[Received]
	sights   *history[Sighting]
	done     chan struct{} // closed when run has ended
	err      error         // of run; read after done

	mu        sync.Mutex // guards what follows
	commands  []func()
	datagrams []datagram
	at        map[[16]byte]string // where each node was last
	waiter    *zmqwait.Waiter
	closing   bool

	// Owned by the goroutine of run.
	zmq      *zmq.Context
	router   *zmq.Socket
	udp      *udpSocket
	model    *foreign.Model // nil if there is none
	dealers  map[[16]byte]*zmq.Socket
	conns    map[*Conn]bool
	linger   time.Duration // of the model's connections
	frozen   bool
	beaconAt time.Time
}

// Start makes a peer. It ends when ctx is done, or with Close or Stop.
func Start(ctx context.Context, opts Options) (*Peer, error) {
	if opts.Interval == 0 {
		opts.Interval = defaultInterval
	}
	if opts.Host == "" {
		opts.Host = defaultHost
	}
	if opts.Broadcast == "" {
		opts.Broadcast = defaultBroadcast
	}
	if opts.UUID == [16]byte{} {
		if _, err := rand.Read(opts.UUID[:]); err != nil {
			return nil, fmt.Errorf("foreignnet: make a UUID: %w", err)
		}
	}
	p := &Peer{
		opts: opts, events: newHistory[foreign.Event](), received: newHistory[Received](),
		sights: newHistory[Sighting](), at: map[[16]byte]string{}, done: make(chan struct{}),
		dealers: map[[16]byte]*zmq.Socket{}, conns: map[*Conn]bool{},
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		<-p.done
		return nil, errors.Join(err, p.err)
	}
	stop := context.AfterFunc(ctx, p.end)
	go func() { // ends with the peer
		<-p.done
		stop()
	}()
	return p, nil
}

// UUID is the UUID of the peer.
func (p *Peer) UUID() [16]byte { return p.opts.UUID }

// UUIDText is the UUID as events have it.
func (p *Peer) UUIDText() string { return foreign.UUIDText(p.opts.UUID) }

// Name is the name in its HELLO.
func (p *Peer) Name() string { return p.opts.Name }

// Endpoint is where its mailbox is.
func (p *Peer) Endpoint() string { return p.endpoint }

// RoutingID is the identity of its connections.
func (p *Peer) RoutingID() []byte {
	first := p.opts.RoutingByte
	if first == 0 {
		first = 1
	}
	return append([]byte{first}, p.opts.UUID[:]...)
}

// Events lists what the application of the peer has seen.
func (p *Peer) Events() []foreign.Event { return p.events.list() }

// CountEvents counts the events that match.
func (p *Peer) CountEvents(match func(foreign.Event) bool) int { return p.events.count(match) }

// WaitEvent waits for the nth event that matches, counted from 1 since the start.
func (p *Peer) WaitEvent(ctx context.Context, nth int, match func(foreign.Event) bool) (foreign.Event, error) {
	return p.events.wait(ctx, p.done, nth, match)
}

// Messages lists the messages that came.
func (p *Peer) Messages() []Received { return p.received.list() }

// CountMessages counts the messages that match.
func (p *Peer) CountMessages(match func(Received) bool) int { return p.received.count(match) }

// WaitMessage waits for the nth message that matches, counted from 1 since the start.
func (p *Peer) WaitMessage(ctx context.Context, nth int, match func(Received) bool) (Received, error) {
	return p.received.wait(ctx, p.done, nth, match)
}

// WaitBeacon waits for a beacon of a node and returns its endpoint. It returns at once if
// there was one before, and the node has not said goodbye since.
func (p *Peer) WaitBeacon(ctx context.Context, uuid [16]byte) (endpoint string, err error) {
	match := func(s Sighting) bool { return s.UUID == uuid && s.Endpoint != "" }
	p.mu.Lock() // so that none comes between the two
	endpoint = p.at[uuid]
	nth := 1 + p.sights.count(match)
	p.mu.Unlock()
	if endpoint != "" {
		return endpoint, nil
	}
	s, err := p.sights.wait(ctx, p.done, nth, match)
	return s.Endpoint, err
}

// Close ends the peer as kill -9 would: it says nothing. A second Close does nothing.
func (p *Peer) Close() error {
	p.end()
	<-p.done
	return p.err
}

// Stop ends the peer as its implementation does, with a goodbye if it says one.
func (p *Peer) Stop() error {
	err := p.do(func() error {
		if p.model == nil {
			return nil
		}
		p.linger = stopLinger
		p.model.Stop()
		p.linger = 0
		if p.udp != nil && p.model.Traits().SaysGoodbye && !p.model.HasCrashed() {
			return p.udp.send(foreign.AppendBeacon(nil, p.opts.UUID, 0))
		}
		return nil
	})
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	return errors.Join(err, p.Close())
}

// end asks the goroutine of run to end.
func (p *Peer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	if p.waiter != nil {
		p.waiter.Wake()
	}
}

// do runs f in the goroutine that owns the sockets, and waits for it.
func (p *Peer) do(f func() error) error {
	result := make(chan error, 1)
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		return ErrClosed
	}
	p.commands = append(p.commands, func() { result <- f() })
	p.waiter.Wake()
	p.mu.Unlock()
	select {
	case err := <-result:
		return err
	case <-p.done:
	}
	select {
	case err := <-result:
		return err
	default:
		return ErrClosed
	}
}

// port is the TCP port of the mailbox.
func (p *Peer) port() (uint16, error) {
	_, text, err := net.SplitHostPort(strings.TrimPrefix(p.endpoint, "tcp://"))
	if err != nil {
		return 0, fmt.Errorf("foreignnet: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("foreignnet: %w", err)
	}
	return uint16(port), nil
}
