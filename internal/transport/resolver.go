package transport

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
)

// Limits on looking up host names. What the application asks for and what peers and gossip
// name have places of their own, so that neither waits for the other.
const (
	maxLookups  = 8
	lookupLimit = 5 * time.Second
	// What others name is looked up so often in a second, in the long run and at once: for
	// each of those who name it, and beyond that for all of them together.
	ownRate    = 1
	ownBurst   = 4
	namedRate  = 10
	namedBurst = 32
	// maxNamers is how many of those who name something are told apart.
	maxNamers = 1024
	// maxNamedAddresses is how many addresses are used of a name that others have named.
	maxNamedAddresses = 4
	// maxAddresses is how many addresses of one name are used.
	maxAddresses = 16
	// probeLimit is how long they have to answer, and othersTime how long the others have
	// once one has.
	probeLimit = 2 * time.Second
	othersTime = 250 * time.Millisecond
)

// Resolved is what became of an endpoint with a host name.
type Resolved struct {
	Endpoint string // as it was given to Start or StartNamed
	Named    bool   // it was StartNamed
	// Numeric has the endpoint with an address in place of the name, for each address that
	// a connection can be made to, or for all if there is none such. They are in the
	// resolver's order.
	Numeric []string
	Err     error // why there is none
}

// Resolver looks up the host names of endpoints, each in a goroutine of its own: libzmq
// would do it in its only I/O thread, and every node of the process would stand still.
type Resolver struct {
	lookup  func(ctx context.Context, host string) (addrs []string, err error)
	connect func(ctx context.Context, hostPort string) error
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	results chan Resolved

	mu     sync.Mutex
	asked  map[string]*pendingLookup // those under way that the application asked for, by their endpoint
	named  map[string]*pendingLookup // and those that others have named
	namers map[string]*namer         // those others; "" stands for all beyond maxNamers, too
	names  ratelimit.Bucket          // for what is beyond their own
	closed bool
}

// pendingLookup is one that is under way.
type pendingLookup struct {
	by      *namer // who has named it; nil if the application asks
	begun   time.Time
	giveWay context.CancelFunc
}

// namer is somebody who has endpoints looked up, by naming them to the node.
type namer struct {
	places int              // look-ups under way
	own    ratelimit.Bucket // what others cannot use up
}

// ErrGaveWay is the error of a look-up that was given up, so that somebody else who names
// fewer endpoints gets its place.
var ErrGaveWay = errors.New("zyre: look-up gave way to that of another")

// NewResolver returns a resolver that finds the addresses of a name by lookup; nil stands
// for the system's.
func NewResolver(lookup func(ctx context.Context, host string) (addrs []string, err error)) *Resolver {
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	r := &Resolver{
		lookup:  lookup,
		connect: connectOnce,
		results: make(chan Resolved),
		asked:   map[string]*pendingLookup{},
		named:   map[string]*pendingLookup{},
		namers:  map[string]*namer{},
		names:   ratelimit.Bucket{Rate: namedRate, Burst: namedBurst},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Start begins to look up the host name of a tcp endpoint for the application, and reports
// whether it did. It does not if the endpoint has no host name or one that cannot exist, if
// it is being looked up already, or if too many are. Who needs it tries again.
func (r *Resolver) Start(endpoint string) bool {
	return r.start(endpoint, "", nil)
}

// StartNamed is Start for an endpoint that somebody else has named. It is limited in rate, and
// only endpoints that rule allows are connected to, or told. If all places are taken, who has
// most of them gives way to one that has fewer.
func (r *Resolver) StartNamed(endpoint, by string, rule EndpointRule) bool {
	return r.start(endpoint, by, &rule)
}

// start is Start, or StartNamed with a rule.
func (r *Resolver) start(endpoint, by string, rule *EndpointRule) bool {
	named := rule != nil
	if !errors.Is(CheckEndpoint(endpoint), ErrNeedsLookup) {
		return false
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil || strings.HasSuffix(strings.TrimSuffix(host, "."), ".invalid") { // RFC 6761: no such name
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pending, most := r.asked, maxAddresses
	if named {
		pending, most = r.named, maxNamedAddresses
	}
	now := time.Now()
	l := &pendingLookup{begun: now}
	switch {
	case r.closed, pending[endpoint] != nil, !named && len(pending) >= maxLookups:
		return false
	case named:
		if l.by = r.admit(by, now); l.by == nil {
			return false
		}
		l.by.places++
	}
	var ctx context.Context
	ctx, l.giveWay = context.WithCancel(r.ctx)
	pending[endpoint] = l
	result := Resolved{Endpoint: endpoint, Named: named}
	r.running.Go(func() {
		r.resolve(ctx, host, result, most, rule)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.end(pending, endpoint, l)
	})
	return true
}

// end frees the place of a look-up, unless it has given way before. The caller holds mu.
func (r *Resolver) end(pending map[string]*pendingLookup, endpoint string, l *pendingLookup) {
	l.giveWay()
	if pending[endpoint] != l {
		return
	}
	delete(pending, endpoint)
	if l.by != nil {
		l.by.places--
	}
}

// admit returns who names an endpoint if there is a place for a look-up, and it is not too
// early; else nil. The caller holds mu.
func (r *Resolver) admit(by string, now time.Time) *namer {
	n := r.namer(by, now)
	isFull := len(r.named) >= maxLookups
	latest := ""
	for endpoint, l := range r.named {
		if l.by.places > n.places+1 && (latest == "" || l.isBefore(r.named[latest])) {
			latest = endpoint
		}
	}
	if isFull && latest == "" || !n.own.Take(now) && !r.names.Take(now) {
		return nil
	}
	if isFull {
		r.end(r.named, latest, r.named[latest])
	}
	return n
}

// isBefore reports whether a look-up gives way before another one: that of who has more, and
// then the later one, which has had less time.
func (l *pendingLookup) isBefore(other *pendingLookup) bool {
	if l.by.places != other.by.places {
		return l.by.places > other.by.places
	}
	return l.begun.After(other.begun)
}

// namer returns who goes by a name. Those who have named nothing for so long that it makes no
// difference are forgotten. The caller holds mu.
func (r *Resolver) namer(by string, now time.Time) *namer {
	if r.namers[by] == nil && len(r.namers) >= maxNamers {
		for other, n := range r.namers {
			if n.places == 0 && now.Sub(n.own.Last()) >= ownBurst*time.Second/ownRate {
				delete(r.namers, other)
			}
		}
		if len(r.namers) >= maxNamers {
			by = ""
		}
	}
	n := r.namers[by]
	if n == nil {
		n = &namer{own: ratelimit.Bucket{Rate: ownRate, Burst: ownBurst}}
		r.namers[by] = n
	}
	return n
}

// resolve looks a host name up and delivers the result.
func (r *Resolver) resolve(ctx context.Context, host string, result Resolved, most int, rule *EndpointRule) {
	limited, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	addrs, err := r.lookup(limited, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	if err != nil && ctx.Err() != nil {
		err = ErrGaveWay // or Close was called, and nobody waits for it
	}
	result.Err = err
	for _, addr := range addrs {
		numeric := numericEndpoint(result.Endpoint, addr)
		if CheckEndpoint(numeric) == nil && (rule == nil || rule.Allows(numeric)) && len(result.Numeric) < most {
			result.Numeric = append(result.Numeric, numeric)
		}
	}
	if len(result.Numeric) > 1 {
		result.Numeric = r.answering(ctx, result.Numeric)
	}
	select {
	case r.results <- result:
	case <-r.ctx.Done():
	}
}

// answering returns those of several endpoints that a connection can be made to, or all of
// them if there are none. A mailbox has one address, and would try a dead one for ever.
func (r *Resolver) answering(ctx context.Context, numeric []string) []string {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var probes sync.WaitGroup
	answered := make(chan int, len(numeric)) // -1: there was no answer
	for i, e := range numeric {
		probes.Go(func() {
			if r.connect(ctx, strings.TrimPrefix(e, "tcp://")) != nil {
				i = -1
			}
			answered <- i
		})
	}
	var over <-chan time.Time // never, before the first answer
	good := make([]bool, len(numeric))
	for pending := len(numeric); pending > 0; pending-- {
		select {
		case i := <-answered:
			if i < 0 {
				continue
			}
			good[i] = true
			if over == nil {
				over = time.After(othersTime)
			}
		case <-over:
			pending = 0
		}
	}
	cancel()
	probes.Wait()
	var those []string
	for i, e := range numeric {
		if good[i] {
			those = append(those, e)
		}
	}
	if len(those) == 0 {
		return numeric
	}
	return those
}

// connectOnce makes a TCP connection, and ends it at once.
func connectOnce(ctx context.Context, hostPort string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return err
	}
	return c.Close()
}

// Results returns the channel of what was found. It is closed by Close.
func (r *Resolver) Results() <-chan Resolved { return r.results }

// Close ends the look-ups under way. A second Close does nothing.
func (r *Resolver) Close() {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return
	}
	r.cancel()
	r.running.Wait()
	close(r.results)
}
