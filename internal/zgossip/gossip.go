package zgossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	zmq "github.com/pebbe/zmq4"
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
	// Logger takes what happens at level Debug. Default: nowhere.
	Logger *slog.Logger
	// PingInterval is the time between two PINGs to a hub. Default 500 ms; CZMQ's
	// hub forgets who is quiet for one second.
	PingInterval time.Duration
	// ClientTimeout is how long a client that pings may be silent before a hub
	// drops it and its tuples. Default 10 s.
	ClientTimeout time.Duration
	// QuietTimeout is the same for a client that never pings, counted from the
	// loss of its connection. Default 60 s.
	QuietTimeout time.Duration
	// HubTimeout is how long the tuples of a hub that is away are kept. Default 60 s.
	HubTimeout time.Duration
	// MaxTuples bounds the tuples learnt, and MaxClients the clients of a hub.
	// What is above is counted in Stats and ignored. One client may bring half
	// of the tuples. Defaults 10000 and 4096.
	MaxTuples, MaxClients int
	// PublicKey and SecretKey, Z85, are our CURVE keys. With a SecretKey a bound
	// Gossip is a CURVE server, and they are what a hub with a key is shown; without
	// them a fresh pair is made for such a hub.
	PublicKey, SecretKey string
	// ZapDomain is the domain that the hub tells the ZAP handler of the context.
	ZapDomain string
}

// Stats are counters since New, but for Tuples, Clients and Hubs.
type Stats struct {
	Tuples  int // live tuples in the table, own ones included
	Clients int // clients of the hub
	Hubs    int // hubs that are connected

	Learnt     uint64 // tuples that were new
	Changed    uint64 // tuples that got another value
	Gone       uint64 // tuples that a neighbour took back
	Echoes     uint64 // former values that a client of CZMQ's kind sent back
	Defended   uint64 // own tuples that somebody published otherwise
	Refused    uint64 // clients and tuples above a limit
	Malformed  uint64 // frames that are none of the protocol
	Unexpected uint64 // commands that make no sense from where they came
	Strangers  uint64 // tuples from clients that have not said HELLO
	Expired    uint64 // clients that were dropped
	Unsent     uint64 // PONG and INVALID that a client did not take
	Hellos     uint64 // HELLOs said to hubs
	Pings      uint64 // PINGs sent to hubs
	Invalids   uint64 // INVALIDs from hubs
	Reconnects uint64 // connections given up because the hub was silent
}

// Gossip is a member of a gossip network. Its methods may be called by many
// goroutines at once; none blocks for long, and after Close all of them return
// ErrClosed or do nothing.
type Gossip struct {
	// set by New, then read-only
	ctx    *zmq.Context
	opts   Options
	log    *slog.Logger
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

	// the keys that hubs are shown; owned by run
	clientPublic, clientSecret string

	cmds      chan func(now time.Time)
	tuples    chan Tuple
	addresses chan address
	wake      chan struct{} // one slot: some socket may have something
	quit      chan struct{} // closed by Close
	done      chan struct{} // closed by run
	close     sync.Once
	lookups   context.Context // cancelled by run at its end
	wg        sync.WaitGroup  // look-ups

	// owned by run
	table   *table
	router  *source
	clients map[string]*link
	hubs    []*hub
	sockets uint32
	buf     []byte
	stats   Stats
}

// New starts a member that is neither bound nor connected. Its sockets are made
// in ctx, which the caller terminates after Close; doing so before is a Close.
func New(ctx *zmq.Context, opts Options) (*Gossip, error) {
	if (opts.PublicKey == "") != (opts.SecretKey == "") || !isKey(opts.PublicKey) || !isKey(opts.SecretKey) {
		return nil, ErrKeys
	}
	setDefaults(&opts)
	g := &Gossip{
		ctx:       ctx,
		opts:      opts,
		log:       opts.Logger,
		lookup:    net.DefaultResolver.LookupNetIP,
		cmds:      make(chan func(time.Time)),
		tuples:    make(chan Tuple),
		addresses: make(chan address),
		wake:      make(chan struct{}, 1),
		quit:      make(chan struct{}),
		done:      make(chan struct{}),
		table:     newTable(opts.MaxTuples),
		clients:   map[string]*link{},

		clientPublic: opts.PublicKey,
		clientSecret: opts.SecretKey,
	}
	var cancel context.CancelFunc
	g.lookups, cancel = context.WithCancel(context.Background())
	go g.run(cancel)
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

// isKey tells whether s is empty or looks like a key in Z85.
func isKey(s string) bool {
	return s == "" || len(s) == 40 && zmq.Z85decode(s) != ""
}

// do runs f on the owner of everything and waits for it.
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

// Bind makes us a hub at endpoint, tcp, ipc or inproc, and returns where that is
// in fact: "tcp://127.0.0.1:*" becomes a port number. It may be called again for
// further endpoints. A host name is resolved by libzmq, while we wait. Errors are libzmq's, wrapped, such as zmq4.EADDRINUSE.
func (g *Gossip) Bind(endpoint string) (bound string, err error) {
	if !knownTransport(endpoint) {
		return "", fmt.Errorf("%w: %q", ErrEndpoint, endpoint)
	}
	closed := g.do(func(time.Time) { bound, err = g.bind(endpoint) })
	return bound, errors.Join(closed, err)
}

// Connect makes us a client of the hub at endpoint, now or whenever it comes up,
// until Close. serverKey is the hub's CURVE key in Z85, empty for none. A tcp
// endpoint may have a host name: it is resolved outside libzmq, and again when
// the hub is lost. A hub that is connected already is left as it is.
func (g *Gossip) Connect(endpoint, serverKey string) (err error) {
	if !knownTransport(endpoint) {
		return fmt.Errorf("%w: %q", ErrEndpoint, endpoint)
	}
	if !isKey(serverKey) {
		return ErrKeys
	}
	closed := g.do(func(now time.Time) {
		for _, h := range g.hubs {
			if h.endpoint == endpoint {
				return
			}
		}
		if serverKey != "" && g.clientSecret == "" {
			err = g.freshKeys()
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

// knownTransport also refuses what libzmq would take for something else: a port
// above 65535, and what ends early in C.
func knownTransport(endpoint string) bool {
	scheme, rest, ok := strings.Cut(endpoint, "://")
	if !ok || rest == "" || strings.Contains(rest, "\x00") {
		return false
	}
	switch scheme {
	case "tcp":
		port := rest[strings.LastIndexByte(rest, ':')+1:]
		_, err := strconv.ParseUint(port, 10, 16)
		return err == nil || port == "*"
	case "ipc", "inproc":
		return true
	}
	return false
}

// Publish gives key a value, for us and everybody, until Unpublish or Close.
// ErrTuple: a key has 1 to 255 bytes, a value up to 1024, none of them NUL, and a
// value does not begin with "|", which would take the tuple back.
func (g *Gossip) Publish(key, value string) error {
	if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue ||
		isTombstone(value) || strings.Contains(key+value, "\x00") {
		return fmt.Errorf("%w: %q", ErrTuple, key)
	}
	return g.do(func(now time.Time) { g.table.publish(key, value, now) })
}

// Unpublish takes back a tuple of our own, everywhere. Another's is only
// forgotten here, as CZMQ does: it comes back when somebody publishes it.
func (g *Gossip) Unpublish(key string) error {
	return g.do(func(now time.Time) { g.table.unpublish(key, now) })
}

// Tuples is the channel on which news about others' tuples come, for one
// reader. A reader may be slow: news wait, and only the latest of each key is
// kept. It is closed by Close.
func (g *Gossip) Tuples() <-chan Tuple { return g.tuples }

// Stats gives the counters; those at the end after Close.
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
	for _, h := range g.hubs {
		if h.up() && h.down.IsZero() {
			s.Hubs++
		}
	}
	return s
}

// Close takes back our own tuples, closes the sockets and waits until all is
// gone. Never longer than some ms; a farewell still on its way may hold up the
// context's Term for another 250 ms. Closing twice is harmless.
func (g *Gossip) Close() error {
	g.close.Do(func() { close(g.quit) })
	<-g.done
	return nil
}
