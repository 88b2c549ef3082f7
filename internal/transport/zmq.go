package transport

import (
	"errors"
	"fmt"
	"sync/atomic"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqmsg"
	"github.com/go-zyre/zyre/internal/zmqwait"
)

// ZMQ makes ZeroMQ sockets, in the one context that all nodes of the process share.
type ZMQ struct {
	context *zmqContext
	open    atomic.Int32 // sockets not yet closed
	closed  atomic.Bool

	noInproc   bool // neither offer connections by inproc nor take those of others
	publicOnly bool // move messages by what zmq4 exports, as with a release of it that is not known
}

// NewZMQ returns a transport that holds the shared context until Close.
func NewZMQ() (*ZMQ, error) {
	ctx, err := acquireContext()
	if err != nil {
		return nil, err
	}
	return &ZMQ{context: ctx}, nil
}

// Close releases the context. With a socket still open libzmq would wait for it
// for ever, so Close refuses and may be called again.
func (t *ZMQ) Close() error {
	if n := t.open.Load(); n != 0 {
		return fmt.Errorf("zyre: close transport: %d sockets are open", n)
	}
	if t.closed.Swap(true) {
		return nil
	}
	return t.context.release()
}

// DisableInproc keeps the transport's sockets from connecting by inproc to those of the
// same process, in both directions. It is to be called before the first socket is made.
func (t *ZMQ) DisableInproc() { t.noInproc = true }

// Context returns the context of libzmq, for sockets that the caller makes itself and
// closes before Close.
func (t *ZMQ) Context() *zmq.Context { return t.context.ctx }

// RegisterPolicy has a policy decide about the clients of a CURVE server that the caller
// makes itself, and returns the ZAP domain that its socket must carry. A nil policy lets
// all in that have proven their key.
func (t *ZMQ) RegisterPolicy(domain string, p *Policy) (unique string, err error) {
	return t.context.zap.register(t.context.ctx, domain, p)
}

// UnregisterPolicy takes back what RegisterPolicy has returned, once the server's socket
// is closed: while nobody answers for a domain, libzmq lets everyone in. It does nothing
// for an empty domain.
func (t *ZMQ) UnregisterPolicy(unique string) error { return t.context.zap.unregister(unique) }

// messages returns what moves whole messages for a socket; with users it tells who sent
// each.
func (t *ZMQ) messages(soc *zmq.Socket, users bool) (*zmqmsg.Socket, error) {
	if t.publicOnly {
		return zmqmsg.OfPublic(soc, users)
	}
	return zmqmsg.Of(soc, users)
}

// socket makes a socket and sets its options.
func (t *ZMQ) socket(kind zmq.Type, configure func(*zmq.Socket) error) (*zmq.Socket, error) {
	if t.closed.Load() {
		return nil, ErrClosed
	}
	if !zmqwait.HaveDescriptors(descriptorReserve) {
		return nil, ErrNoDescriptors
	}
	soc, err := t.context.ctx.NewSocket(kind)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(soc.SetLinger(0), configure(soc)); err != nil {
		return nil, errors.Join(err, soc.Close())
	}
	return soc, nil
}
