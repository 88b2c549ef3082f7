package zyre

import (
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// lookups has the host names of endpoints looked up beside the node. The node owns it.
type lookups struct {
	resolver *transport.Resolver
	pending  map[string]func(now time.Time, numeric string) // by endpoint under way
	told     sync.WaitGroup                                 // the goroutine that passes results on
	telling  bool                                           // it runs
}

func newLookups() *lookups {
	return &lookups{
		resolver: transport.NewResolver(),
		pending:  map[string]func(now time.Time, numeric string){},
	}
}

// start looks the host name of a tcp endpoint up and calls found, on the node's
// goroutine, with the endpoint that has the address in its place. Nothing happens if
// there is no such name, or too many are being looked up; who needs it tries again.
func (l *lookups) start(n *node, endpoint string, found func(now time.Time, numeric string)) {
	if l.pending[endpoint] != nil || !l.resolver.Start(endpoint) {
		return
	}
	l.pending[endpoint] = found
	if !l.telling {
		l.telling = true
		l.told.Go(func() { l.tell(n) })
	}
}

// tell passes results on to the node. It ends when the resolver is closed.
func (l *lookups) tell(n *node) {
	for r := range l.resolver.Results() {
		_ = n.outbox.put(call{kind: callFunc, fn: func(now time.Time) { l.resolved(n, now, r) }})
	}
}

// resolved handles a result.
func (l *lookups) resolved(n *node, now time.Time, r transport.Resolved) {
	found := l.pending[r.Endpoint]
	delete(l.pending, r.Endpoint)
	switch {
	case r.Err != nil:
		n.log.Debug("zyre: look up", "endpoint", r.Endpoint, "err", r.Err)
	case found != nil:
		found(now, r.Numeric[0])
	}
}

// close ends the look-ups under way.
func (l *lookups) close() {
	l.resolver.Close()
	l.told.Wait()
}
