package zyre

import (
	"context"
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

// lookups resolves host names beside the node: libzmq would do it in its only I/O
// thread, and everybody would stand still. The node owns it.
type lookups struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	pending map[string]bool // endpoints under way
}

func newLookups() *lookups {
	l := &lookups{pending: map[string]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start looks the host name of a tcp endpoint up and calls found, on the node's
// goroutine, with the endpoint that has the address in its place. Nothing happens if
// there is no such name, or too many are being looked up; who needs it tries again.
func (l *lookups) start(n *node, endpoint string, found func(now time.Time, numeric string)) {
	if l.pending[endpoint] || len(l.pending) >= maxLookups {
		return
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	if err != nil || strings.HasSuffix(strings.TrimSuffix(host, "."), ".invalid") { // RFC 6761: no such name
		return
	}
	l.pending[endpoint] = true
	l.running.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, lookupLimit)
		defer cancel()
		addrs, err := net.DefaultResolver.LookupHost(ctx, host)
		_ = n.outbox.put(call{kind: callFunc, fn: func(now time.Time) {
			delete(l.pending, endpoint)
			if err != nil || len(addrs) == 0 {
				n.log.Debug("zyre: look up", "host", host, "err", err)
				return
			}
			found(now, numericEndpoint(endpoint, addrs[0]))
		}})
	})
}

// close ends the look-ups under way.
func (l *lookups) close() {
	l.cancel()
	l.running.Wait()
}

// numericEndpoint puts an address in place of the host name of a tcp endpoint.
func numericEndpoint(endpoint, addr string) string {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(endpoint, "tcp://"))
	return "tcp://" + net.JoinHostPort(addr, port)
}
