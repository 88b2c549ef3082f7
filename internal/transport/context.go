package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqwait"
)

const (
	// maxSockets is the limit of the shared context; libzmq's own default of 1023
	// is used up by four nodes with 250 peers each.
	maxSockets = 65536

	// descriptorReserve is how many descriptors must be free before a socket is
	// made or bound. libzmq 4.3.4 takes 6 for a context and its first socket and
	// aborts the process if epoll_create is refused one, or the look at the
	// interfaces in zmq_bind. Where none is left for accept, its I/O thread spins
	// until there is: the rest of the reserve is for connections to come.
	descriptorReserve = 16
)

// A zmqContext is the libzmq context that all nodes of the process share: a
// context costs two threads, and inproc endpoints are visible only within one.
type zmqContext struct {
	ctx *zmq.Context

	// guarded by sharedContext.Mutex
	users int

	// socketMu is held while a socket is made or closed. libzmq lets only one at a time
	// do most of that, and would hold a thread for each that waits.
	socketMu sync.Mutex

	zap zapResponder

	inproc inprocOffers

	connections connections
}

// Version is the release of libzmq that is used.
func Version() [3]int {
	major, minor, patch := zmq.Version()
	return [3]int{major, minor, patch}
}

// sharedContext is the one context in use, nil when there is none.
var sharedContext struct {
	sync.Mutex
	*zmqContext
}

// acquireContext returns the shared context and counts its caller as a user; the
// first one makes it. Any goroutine may call it.
func acquireContext() (*zmqContext, error) {
	sharedContext.Lock()
	defer sharedContext.Unlock()
	if c := sharedContext.zmqContext; c != nil {
		c.users++
		return c, nil
	}
	if !zmqwait.HaveDescriptors(descriptorReserve) {
		return nil, ErrNoDescriptors
	}
	ctx, err := zmq.NewContext()
	if err != nil {
		return nil, fmt.Errorf("zyre: make zmq context: %w", err)
	}
	ctx.SetRetryAfterEINTR(true)
	// Not blocky: a socket whose linger nobody set must not hold up release.
	err = errors.Join(ctx.SetMaxSockets(maxSockets), ctx.SetBlocky(false))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zyre: make zmq context: %w", err), ctx.Term())
	}
	c := &zmqContext{ctx: ctx, users: 1}
	c.inproc.mark = rand.Text()
	keepFiles() // before anybody can connect
	sharedContext.zmqContext = c
	return c, nil
}

// connectionsOf returns what is known of the connections of the process: the sockets of the
// shared context share it.
func connectionsOf(ctx *zmq.Context) *connections {
	sharedContext.Lock()
	defer sharedContext.Unlock()
	if c := sharedContext.zmqContext; c != nil && c.ctx == ctx {
		return &c.connections
	}
	return &connections{}
}

// release ends one use of the context. The last one ends the context itself and
// returns when its threads and descriptors are gone, which takes no longer than
// the longest linger of the sockets closed before. Who acquires meanwhile gets a
// context of its own.
func (c *zmqContext) release() error {
	sharedContext.Lock()
	c.users--
	last := c.users == 0
	if last {
		sharedContext.zmqContext = nil
	}
	sharedContext.Unlock()
	if !last {
		return nil
	}
	defer releaseFiles()
	if err := c.ctx.Term(); err != nil {
		return fmt.Errorf("zyre: end zmq context: %w", err)
	}
	return nil
}
