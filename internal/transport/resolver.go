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
	// What others name is looked up so often in a second, in the long run and at once.
	namedRate  = 10
	namedBurst = 32
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
	asked  map[string]bool  // endpoints under way that the application asked for
	named  map[string]bool  // and those that others have named
	names  ratelimit.Bucket // for those
	closed bool
}

// NewResolver returns a resolver that finds the addresses of a name by lookup; nil stands
// for the system's.
func NewResolver(lookup func(ctx context.Context, host string) (addrs []string, err error)) *Resolver {
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	r := &Resolver{
		lookup:  lookup,
		connect: connectOnce,
		results: make(chan Resolved, 2*maxLookups),
		asked:   map[string]bool{},
		named:   map[string]bool{},
		names:   ratelimit.Bucket{Rate: namedRate, Burst: namedBurst},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Start begins to look up the host name of a tcp endpoint for the application, and reports
// whether it did. It does not if the endpoint has no host name or one that cannot exist, if
// it is being looked up already, or if too many are. Who needs it tries again.
func (r *Resolver) Start(endpoint string) bool {
	return r.start(endpoint, nil)
}

// StartNamed is Start for an endpoint that others have named. It is limited in rate, and
// only endpoints that rule allows are connected to, or told.
func (r *Resolver) StartNamed(endpoint string, rule EndpointRule) bool {
	return r.start(endpoint, &rule)
}

// start is Start, or StartNamed with a rule.
func (r *Resolver) start(endpoint string, rule *EndpointRule) bool {
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
	if r.closed || pending[endpoint] || len(pending) >= maxLookups || named && !r.names.Take(time.Now()) {
		return false
	}
	pending[endpoint] = true
	result := Resolved{Endpoint: endpoint, Named: named}
	r.running.Go(func() {
		r.resolve(host, result, most, rule)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(pending, endpoint)
	})
	return true
}

// resolve looks a host name up and delivers the result.
func (r *Resolver) resolve(host string, result Resolved, most int, rule *EndpointRule) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupLimit)
	defer cancel()
	addrs, err := r.lookup(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	result.Err = err
	for _, addr := range addrs {
		numeric := numericEndpoint(result.Endpoint, addr)
		if CheckEndpoint(numeric) == nil && (rule == nil || rule.Allows(numeric)) && len(result.Numeric) < most {
			result.Numeric = append(result.Numeric, numeric)
		}
	}
	if len(result.Numeric) > 1 {
		result.Numeric = r.answering(result.Numeric)
	}
	select {
	case r.results <- result:
	case <-r.ctx.Done():
	}
}

// answering returns those of several endpoints that a connection can be made to, or all of
// them if there are none. A mailbox has one address, and would try a dead one for ever.
func (r *Resolver) answering(numeric []string) []string {
	ctx, cancel := context.WithTimeout(r.ctx, probeLimit)
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
