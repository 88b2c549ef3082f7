package transport

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"
)

// Limits on looking up host names, which peers can make a node do.
const (
	maxLookups  = 8
	lookupLimit = 5 * time.Second
)

// Resolved is what became of an endpoint with a host name.
type Resolved struct {
	Endpoint string   // as it was given to Start
	Numeric  []string // with each address in place of the name, in the resolver's order
	Err      error    // why there is none
}

// Resolver looks up the host names of endpoints, each in a goroutine of its own: libzmq
// would do it in its only I/O thread, and every node of the process would stand still.
type Resolver struct {
	lookup  func(ctx context.Context, host string) (addrs []string, err error)
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	results chan Resolved

	mu      sync.Mutex
	pending map[string]bool // endpoints under way
	closed  bool
}

// NewResolver returns a resolver that uses the system's.
func NewResolver() *Resolver {
	r := &Resolver{
		lookup:  net.DefaultResolver.LookupHost,
		results: make(chan Resolved, maxLookups),
		pending: map[string]bool{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Start begins to look up the host name of a tcp endpoint and reports whether it did. It
// does not if the endpoint has no host name or one that cannot exist, if it is being looked
// up already, or if too many are. Who needs it tries again.
func (r *Resolver) Start(endpoint string) bool {
	if !errors.Is(CheckEndpoint(endpoint), ErrNeedsLookup) {
		return false
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil || strings.HasSuffix(strings.TrimSuffix(host, "."), ".invalid") { // RFC 6761: no such name
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.pending[endpoint] || len(r.pending) >= maxLookups {
		return false
	}
	r.pending[endpoint] = true
	r.running.Go(func() { r.resolve(endpoint, host) })
	return true
}

// resolve looks a host name up and delivers the result.
func (r *Resolver) resolve(endpoint, host string) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupLimit)
	defer cancel()
	addrs, err := r.lookup(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	result := Resolved{Endpoint: endpoint, Err: err}
	for _, addr := range addrs {
		result.Numeric = append(result.Numeric, NumericEndpoint(endpoint, addr))
	}
	select {
	case r.results <- result:
	case <-r.ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, endpoint)
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
