package zgossip

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
)

// Errors of the API; test with errors.Is.
var (
	ErrClosed   = errors.New("zgossip: closed")
	ErrEndpoint = errors.New("zgossip: bad endpoint")
	ErrTuple    = errors.New("zgossip: key or value not allowed")
	ErrKeys     = errors.New("zgossip: bad CURVE key")
)

// Options of a Gossip. The zero value is good; each field has a default.
type Options struct {
	// Logger takes what happens, at level Debug. Default: nothing is logged.
	Logger *slog.Logger
	// PingInterval is the time between two PINGs to a hub. Default 500 ms; CZMQ's
	// hub forgets a client that is silent for one second.
	PingInterval time.Duration
	// ClientTimeout is how long a client that sends PING may be silent before a hub
	// forgets it and takes back its tuples. Default 10 s.
	ClientTimeout time.Duration
	// QuietTimeout is the same for a client that never sends PING, counted from the
	// loss of its connection. Default 60 s.
	QuietTimeout time.Duration
	// HubTimeout is how long the tuples of a lost hub are kept. Default 60 s.
	HubTimeout time.Duration
	// MaxTuples limits the tuples learnt, and MaxClients the clients of a hub. What
	// exceeds them is ignored and counted in Stats. The clients of one host may bring half
	// of the tuples, a hub all; if all places are taken, the host or hub that has most of
	// them gives way to one that has fewer. Defaults 10000 and 4096.
	MaxTuples, MaxClients int
	// PublicKey and SecretKey, in Z85, are the CURVE keys of this member. With a SecretKey
	// a bound Gossip is a CURVE server. A client uses them with a hub that has a key;
	// without them it makes a new pair for such hubs.
	PublicKey, SecretKey string
	// ZapDomain is the domain that a hub gives to the ZAP handler of the context.
	ZapDomain string
	// Allows reports whether the client of a CURVE hub that holds a key may go on: ZAP
	// asks only when it connects. Nil lets all go on. See Recheck.
	Allows func(publicKey string) bool
}

// Stats are counters since New, except for Tuples, Clients and Hubs.
type Stats struct {
	Tuples  int // tuples in the table that were not taken back, own ones included
	Clients int // clients of the hub
	Hubs    int // hubs that are connected

	Learnt     uint64 // tuples that were new
	Changed    uint64 // tuples that got another value
	Gone       uint64 // tuples that a neighbour took back
	Reflected  uint64 // values that a tuple had before its last change
	Defended   uint64 // own tuples that another member changed or took back
	Refused    uint64 // clients and tuples above a limit
	Evicted    uint64 // clients forgotten to make room for one of another host
	Malformed  uint64 // messages that are not of the protocol
	Unexpected uint64 // commands that make no sense from their sender
	NoHello    uint64 // tuples from clients that have not sent HELLO
	Expired    uint64 // clients that were forgotten
	Unsent     uint64 // PONG and INVALID that a client did not take
	Hellos     uint64 // HELLOs sent to hubs
	Pings      uint64 // PINGs sent to hubs
	Invalids   uint64 // INVALIDs received from hubs
	Reconnects uint64 // connections closed because the hub was silent
	Ended      uint64 // connections ended because they held more than they may
}

// Resolver looks up host names; it is a transport.Resolver but in tests.
type Resolver interface {
	// Start begins to look up the host name of an endpoint, and reports whether it did.
	Start(endpoint string) bool
	// Results returns the channel of what was found.
	Results() <-chan transport.Resolved
	// Close ends the look-ups under way.
	Close()
}

// Gossip is a member of a gossip network. Its methods may be called by many
// goroutines at once; none blocks for long, and after Close all of them return
// ErrClosed or do nothing.
type Gossip struct {
	// set by New, then read-only
	sockets  Sockets
	opts     Options
	log      *slog.Logger
	resolver Resolver // closed by run at its end

	cmds   chan func(now time.Time)
	tuples chan Tuple
	wake   chan struct{} // one slot: some socket may have something
	quit   chan struct{} // closed by Close
	done   chan struct{} // closed by run
	close  sync.Once

	// owned by run
	table        *table
	router       Router           // nil if this member is no hub
	guard        *transport.Guard // of its connections
	clients      map[string]*link
	hosts        map[string]*host // of the clients, by the address that it is counted by
	greedy       ranking          // of the hosts, by their clients
	hubs         []*hub
	clientPublic string // the keys for hubs that have a key
	clientSecret string
	dealers      uint32 // made so far
	buf          []byte
	stats        Stats
}

// New starts a member that is neither bound nor connected. Its sockets are made
// in ctx, which the caller terminates after Close. If the context is terminated before,
// the member closes itself.
func New(ctx *zmq.Context, opts Options) (*Gossip, error) {
	return NewOn(zmqSockets{ctx}, opts, transport.NewResolver(nil))
}

// NewOn is New with other sockets and another way to look up host names, which it closes
// at its end.
func NewOn(sockets Sockets, opts Options, res Resolver) (*Gossip, error) {
	if opts.PublicKey != "" || opts.SecretKey != "" {
		if err := transport.CheckKeyPair(opts.PublicKey, opts.SecretKey); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeys, err)
		}
	}
	setDefaults(&opts)
	g := &Gossip{
		sockets:  sockets,
		opts:     opts,
		log:      opts.Logger,
		resolver: res,
		cmds:     make(chan func(time.Time)),
		tuples:   make(chan Tuple),
		wake:     make(chan struct{}, 1),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		table:    newTable(opts.MaxTuples),
		clients:  map[string]*link{},
		hosts:    map[string]*host{},

		clientPublic: opts.PublicKey,
		clientSecret: opts.SecretKey,
	}
	go g.run() // ends by Close
	return g, nil
}

func setDefaults(o *Options) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&o.PingInterval, 500 * time.Millisecond},
		{&o.ClientTimeout, 10 * time.Second},
		{&o.QuietTimeout, time.Minute},
		{&o.HubTimeout, time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.unset
		}
	}
	if o.MaxTuples <= 0 {
		o.MaxTuples = 10000
	}
	if o.MaxClients <= 0 {
		o.MaxClients = 4096
	}
}

// do runs f in run's goroutine, which owns everything, and waits for it.
func (g *Gossip) do(f func(now time.Time)) error {
	ran := make(chan struct{})
	select {
	case g.cmds <- func(now time.Time) { f(now); close(ran) }:
		<-ran
		return nil
	case <-g.quit:
		return ErrClosed
	}
}

// Bind makes this member a hub at endpoint, tcp, ipc or inproc, and returns the endpoint
// that it is bound to: "tcp://127.0.0.1:*" becomes a port number. It may be called again
// for further endpoints. libzmq looks up a host name in the endpoint, and the member
// waits for it. Errors are libzmq's, wrapped, such as zmq4.EADDRINUSE.
func (g *Gossip) Bind(endpoint string) (bound string, err error) {
	if err := CheckBind(endpoint); err != nil {
		return "", err
	}
	closed := g.do(func(time.Time) { bound, err = g.bind(endpoint) })
	return bound, errors.Join(closed, err)
}

// Connect makes this member a client of the hub at endpoint, now or whenever the hub comes
// up, until Close. serverKey is the hub's CURVE key in Z85, empty for none. A tcp
// endpoint may have a host name, which is looked up outside libzmq, and again when
// the hub is lost. A hub that is connected already is left as it is.
func (g *Gossip) Connect(endpoint, serverKey string) (err error) {
	if err := CheckConnect(endpoint); err != nil {
		return err
	}
	if _, ok := transport.RawFromZ85(serverKey); !ok && serverKey != "" {
		return ErrKeys
	}
	if source, _ := splitSource(endpoint); source != "" {
		// libzmq looks whether it is the name of an interface, and aborts the process if it
		// cannot.
		if err := transport.CheckNetlink(); err != nil {
			return fmt.Errorf("zgossip: connect from %s: %w", source, err)
		}
	}
	closed := g.do(func(now time.Time) {
		for _, h := range g.hubs {
			if h.endpoint == endpoint {
				return
			}
		}
		if serverKey != "" && g.clientSecret == "" {
			err = g.makeKeys()
			if err != nil {
				return
			}
		}
		h := newHub(endpoint, serverKey, g.opts.PingInterval, now)
		g.hubs = append(g.hubs, h)
		g.open(h, now)
	})
	return errors.Join(closed, err)
}

// makeKeys makes a key pair for hubs that have a key.
func (g *Gossip) makeKeys() error {
	public, secret, err := zmq.NewCurveKeypair()
	if err != nil {
		return fmt.Errorf("zgossip: new CURVE keys: %w", err)
	}
	g.clientPublic, g.clientSecret = public, secret
	return nil
}

// Publish gives key a value, for every member, until Unpublish or Close.
// ErrTuple: a key has 1 to 255 bytes, a value up to 1024, none of them NUL, and a
// value does not begin with "|", which would take the tuple back.
func (g *Gossip) Publish(key, value string) error {
	if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue ||
		isTombstone(value) || strings.Contains(key+value, "\x00") {
		return fmt.Errorf("%w: %q", ErrTuple, key)
	}
	return g.do(func(now time.Time) { g.table.publish(key, value, now) })
}

// Unpublish takes back a tuple that this member published, everywhere. Another member's
// is only forgotten here, as CZMQ does: it comes back when somebody publishes it.
func (g *Gossip) Unpublish(key string) error {
	return g.do(func(now time.Time) { g.table.unpublish(key, now) })
}

// Tuples is the channel of news about the tuples of other members, for one reader. The
// reader may be slow: news wait for it, and only the latest of each key is kept. Close
// closes the channel.
func (g *Gossip) Tuples() <-chan Tuple { return g.tuples }

// Stats returns the counters; after Close those at the end.
func (g *Gossip) Stats() (s Stats) {
	if g.do(func(time.Time) { s = g.count() }) != nil {
		<-g.done
		s = g.stats
	}
	return s
}

func (g *Gossip) count() Stats {
	s := g.stats
	s.Tuples, s.Clients = g.table.live, len(g.clients)
	s.Ended += g.guard.Cut()
	for _, h := range g.hubs {
		if h.canSend() && h.downSince.IsZero() {
			s.Hubs++
		}
	}
	return s
}

// Recheck forgets the clients of the hub whose keys Allows does not allow any more, and
// takes their tuples back.
func (g *Gossip) Recheck() error {
	return g.do(func(now time.Time) {
		for key, c := range g.clients {
			if !g.mayGoOn(c.key) {
				g.forgetClient(key, c, now)
			}
		}
	})
}

// Close takes back the tuples that this member published, closes its sockets and waits
// until all is gone, a few ms at most. Tombstones that are still in a socket may delay the
// context's Term by another 250 ms. A second Close does nothing.
func (g *Gossip) Close() error {
	g.close.Do(func() { close(g.quit) })
	<-g.done
	return nil
}
