package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqmsg"
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

	// A dead address is tried again after 100 ms, then ever more slowly.
	reconnectInterval    = 100 * time.Millisecond
	reconnectIntervalMax = 2 * time.Second
	connectTimeout       = 5 * time.Second

	// No peer has reason to send on the connections we make: nothing of ZRE comes
	// back on a mailbox. These bound what a hostile one can leave there.
	mailboxRecvLimit   = 1
	mailboxMaxMsgBytes = 64 << 10

	// An unusually long header does not stay in memory once it has been read.
	maxKeptHeader = 64 << 10

	errnoAgain = zmq.Errno(syscall.EAGAIN)
)

// A zmqContext is the libzmq context that all nodes of the process share: a
// context costs two threads, and inproc endpoints are visible only within one.
type zmqContext struct {
	ctx *zmq.Context

	// guarded by sharedContext.Mutex
	users int

	// making is held while a socket is made or closed. libzmq lets only one at a time
	// do most of that, and would hold a thread for each that waits.
	making sync.Mutex

	zap zapResponder

	shortcuts shortcuts
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
	if !zmqwait.Spare(descriptorReserve) {
		return nil, errNoDescriptors
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
	sharedContext.zmqContext = c
	return c, nil
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
	if err := c.ctx.Term(); err != nil {
		return fmt.Errorf("zyre: end zmq context: %w", err)
	}
	return nil
}

// zmqTransport makes ZeroMQ sockets in the shared context.
type zmqTransport struct {
	ctx    *zmqContext
	open   atomic.Int32 // sockets not yet closed
	closed atomic.Bool

	noShortcuts bool // neither offer any nor take those of others
}

// newZMQTransport returns a transport that holds the shared context until close.
func newZMQTransport() (*zmqTransport, error) {
	ctx, err := acquireContext()
	if err != nil {
		return nil, err
	}
	return &zmqTransport{ctx: ctx}, nil
}

// close releases the context. With a socket still open libzmq would wait for it
// for ever, so close refuses and may be called again.
func (t *zmqTransport) close() error {
	if n := t.open.Load(); n != 0 {
		return fmt.Errorf("zyre: close transport: %d sockets are open", n)
	}
	if t.closed.Swap(true) {
		return nil
	}
	return t.ctx.release()
}

// socket makes a socket and sets its options.
func (t *zmqTransport) socket(kind zmq.Type, configure func(*zmq.Socket) error) (*zmq.Socket, error) {
	if t.closed.Load() {
		return nil, errClosed
	}
	if !zmqwait.Spare(descriptorReserve) {
		return nil, errNoDescriptors
	}
	soc, err := t.ctx.ctx.NewSocket(kind)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(soc.SetLinger(0), configure(soc)); err != nil {
		return nil, errors.Join(err, soc.Close())
	}
	return soc, nil
}

// listen makes the inbox of a node: a ROUTER, bound to nothing yet.
func (t *zmqTransport) listen(opts listenOptions) (inbox, error) {
	in := &zmqInbox{transport: t, more: true}
	secure := opts.publicKey != "" || opts.secretKey != ""
	if secure {
		if err := checkKeyPair(opts.publicKey, opts.secretKey); err != nil {
			return nil, fmt.Errorf("zyre: listen: %w", err)
		}
		// Before the ROUTER: libzmq lets everyone in while nobody answers ZAP.
		domain, err := t.ctx.zap.register(t.ctx.ctx, opts.zapDomain, opts.allow)
		if err != nil {
			return nil, fmt.Errorf("zyre: listen: %w", err)
		}
		in.domain = domain
	}
	soc, err := t.socket(zmq.ROUTER, func(s *zmq.Socket) error {
		err := errors.Join(s.SetRouterHandover(true), s.SetRcvhwm(highWaterMark), s.SetSndhwm(1))
		if secure {
			err = errors.Join(err, s.SetCurveServer(1), s.SetCurveSecretkey(opts.secretKey),
				s.SetZapDomain(in.domain))
		}
		return err
	})
	if err == nil {
		in.soc = soc
		if err = in.attach(secure); err != nil {
			err = errors.Join(err, soc.Close())
		}
	}
	if err != nil {
		err = errors.Join(err, t.ctx.zap.unregister(in.domain))
		return nil, fmt.Errorf("zyre: listen: %w", err)
	}
	t.open.Add(1)
	return in, nil
}

// attach prepares to receive, and to wait for it.
func (in *zmqInbox) attach(secure bool) (err error) {
	if in.messages, err = zmqmsg.Of(in.soc, secure); err != nil {
		return err
	}
	in.check = in.readable
	in.waiter, err = waiterFor(in.soc)
	return err
}

func waiterFor(soc *zmq.Socket) (*zmqwait.Waiter, error) {
	fd, err := soc.GetFd()
	if err != nil {
		return nil, err
	}
	return zmqwait.New(uintptr(fd))
}

// zmqInbox is a ROUTER.
type zmqInbox struct {
	transport *zmqTransport
	soc       *zmq.Socket
	messages  *zmqmsg.Socket // of soc
	waiter    *zmqwait.Waiter
	check     func() bool // readable, made once
	domain    string      // its ZAP domain; empty without CURVE
	shortcut  *shortcut   // nil if it has never offered one
	retired   bool        // it offers none any more
	closed    bool

	// To ask libzmq in vain costs a system call, as much as several messages. So
	// recv does not ask again before wait has, and if the last messages came one by
	// one it leaves it to wait to find out about a second.
	more   bool // libzmq may have messages, and recv is to ask
	empty  bool // it had none when it was asked last
	single bool // they come one by one
	asked  bool // since wait was called
	taken  int  // messages since libzmq had none
}

func (in *zmqInbox) bind(endpoint string) (string, error) {
	if err := checkBindEndpoint(endpoint); err != nil {
		return "", fmt.Errorf("zyre: bind: %w", err)
	}
	if !zmqwait.Spare(descriptorReserve) {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, errNoDescriptors)
	}
	// An IPv6 socket would report an IPv4 address in its mapped form.
	v6 := strings.HasPrefix(endpoint, "tcp://[") || strings.HasPrefix(endpoint, "tcp://*")
	if err := in.soc.SetIpv6(v6); err != nil {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, err)
	}
	if err := in.soc.Bind(endpoint); err != nil {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, err)
	}
	bound, err := in.soc.GetLastEndpoint()
	if err != nil {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, err)
	}
	in.offerShortcut(bound)
	return bound, nil
}

func (in *zmqInbox) unbind(endpoint string) error {
	in.transport.ctx.shortcuts.remove(endpoint, in.shortcut)
	if err := in.soc.Unbind(endpoint); err != nil {
		return fmt.Errorf("zyre: unbind %s: %w", endpoint, err)
	}
	return nil
}

func (in *zmqInbox) recv(p *packet) error {
	clear(p.frames)
	p.frames, p.userID = p.frames[:0], ""
	if cap(p.header) > maxKeptHeader {
		p.header = nil
	}
	if !in.messages.Ready() {
		switch {
		case in.empty:
			return errAgain
		case !in.more:
			return errUnasked
		}
		if err := in.fill(); err != nil {
			return err
		}
	}
	frame := in.messages.Next()
	p.from, p.header = append(p.from[:0], frame.Data...), p.header[:0]
	content := false
	for i := 0; frame.More; i++ {
		if !in.messages.Ready() {
			if err := in.fill(); err != nil {
				return torn(err)
			}
		}
		frame = in.messages.Next()
		switch {
		case i == 0:
			p.header, p.userID = append(p.header, frame.Data...), frame.User
			content = hasContent(p.header)
		case content:
			p.frames = append(p.frames, bytes.Clone(frame.Data))
		}
	}
	return nil
}

// fill gets what libzmq has, or one message if they come one by one.
func (in *zmqInbox) fill() error {
	in.asked = true
	in.single = in.single && in.taken == 0
	count, more, err := in.messages.Fill(in.single)
	if err == nil {
		in.taken += count
		in.more = more && !in.single
	}
	in.empty = errors.Is(err, zmqmsg.ErrAgain) || err == nil && !more
	if in.empty {
		in.more, in.single, in.taken = false, in.taken <= 1, 0
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zmqmsg.ErrAgain):
		return errAgain
	}
	return fmt.Errorf("zyre: receive: %w", err)
}

// torn reports an error inside a message. libzmq hands out whole messages, so
// this happens only when the socket itself fails; it must not look like errAgain.
func torn(err error) error { return fmt.Errorf("%w: %w", errTorn, err) }

// hasContent reports whether frames of content follow header: those of WHISPER
// and SHOUT, whose ids stand after the two bytes of signature.
func hasContent(header []byte) bool {
	const whisper, shout = 2, 3
	return len(header) > 2 && (header[2] == whisper || header[2] == shout)
}

func (in *zmqInbox) wait(until time.Time) {
	in.asked = false
	err := in.waiter.Wait(in.check, until)
	if !in.asked {
		in.more, in.empty = true, false // or an owner that is always woken would never hear of a message
	}
	if err == nil || errors.Is(err, zmqwait.ErrClosed) {
		return
	}
	// The poller has given the descriptor up, which no system is known to do. Look
	// again soon rather than spin or go deaf.
	pause := 10 * time.Millisecond
	if !until.IsZero() {
		pause = min(pause, time.Until(until))
	}
	time.Sleep(pause)
}

// readable also reports true when the socket fails, so that recv says why.
func (in *zmqInbox) readable() bool {
	if in.messages.Ready() {
		return true
	}
	err := in.fill()
	if err != nil && !errors.Is(err, errAgain) {
		in.more, in.empty = true, false
	}
	return in.more || in.messages.Ready()
}

func (in *zmqInbox) wake() { in.waiter.Wake() }

func (in *zmqInbox) close() error {
	if in.closed {
		return nil
	}
	in.closed = true
	in.retire()
	if in.shortcut != nil {
		in.shortcut.gone.Store(true)
	}
	in.messages.Free()
	err := errors.Join(in.waiter.Close(), in.soc.Close())
	in.transport.open.Add(-1)
	// After the ROUTER, or it would let everyone in for its last moments.
	if err = errors.Join(err, in.transport.ctx.zap.unregister(in.domain)); err != nil {
		return fmt.Errorf("zyre: close inbox: %w", err)
	}
	return nil
}

// dial makes a mailbox: a DEALER that connects in the background, and again
// whenever the connection breaks.
func (t *zmqTransport) dial(endpoint string, opts dialOptions) (mailbox, error) {
	if err := checkEndpoint(endpoint); err != nil {
		return nil, fmt.Errorf("zyre: dial: %w", err)
	}
	secure := opts.serverKey != ""
	if secure && strings.HasPrefix(endpoint, "inproc:") { // libzmq would send in plain text
		return nil, fmt.Errorf("zyre: dial: %w: CURVE needs tcp or ipc, not %s", errBadEndpoint, endpoint)
	}
	t.ctx.making.Lock()
	defer t.ctx.making.Unlock()
	soc, err := t.socket(zmq.DEALER, func(s *zmq.Socket) error {
		err := errors.Join(
			s.SetIdentity(string(opts.identity)),
			s.SetIpv6(strings.HasPrefix(endpoint, "tcp://[")),
			s.SetSndhwm(highWaterMark),
			s.SetRcvhwm(mailboxRecvLimit),
			s.SetMaxmsgsize(mailboxMaxMsgBytes),
			s.SetReconnectIvl(reconnectInterval),
			s.SetReconnectIvlMax(reconnectIntervalMax),
			s.SetConnectTimeout(connectTimeout),
			s.SetImmediate(false), // queue from the start, before the connection stands
		)
		return errors.Join(err, setClientKeys(s, opts))
	})
	if err != nil {
		return nil, fmt.Errorf("zyre: dial %s: %w", endpoint, err)
	}
	m := &zmqMailbox{transport: t, soc: soc, endpoint: endpoint}
	if err = m.connect(!secure); err == nil {
		m.messages, err = zmqmsg.Of(soc, false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zyre: dial %s: %w", endpoint, err), soc.Close())
	}
	t.open.Add(1)
	return m, nil
}

func setClientKeys(s *zmq.Socket, opts dialOptions) error {
	if opts.serverKey == "" && opts.publicKey == "" && opts.secretKey == "" {
		return nil
	}
	if _, ok := rawFromZ85(opts.serverKey); !ok {
		return fmt.Errorf("%w: server key %q", errBadKey, opts.serverKey)
	}
	if err := checkKeyPair(opts.publicKey, opts.secretKey); err != nil {
		return err
	}
	return errors.Join(s.SetCurveServerkey(opts.serverKey), s.SetCurvePublickey(opts.publicKey),
		s.SetCurveSecretkey(opts.secretKey))
}

// zmqMailbox is a DEALER.
type zmqMailbox struct {
	transport *zmqTransport
	soc       *zmq.Socket
	messages  *zmqmsg.Socket // of soc
	endpoint  string
	shortcut  *shortcut // that it is connected by; nil if by endpoint
	closed    bool
}

func (m *zmqMailbox) send(header []byte, frames [][]byte) error {
	err := m.messages.Send(header, frames)
	if err != nil && m.reconnect() {
		err = m.messages.Send(header, frames)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zmqmsg.ErrAgain):
		return errAgain
	}
	return fmt.Errorf("zyre: send: %w", err)
}

func (m *zmqMailbox) close(linger time.Duration) error {
	if m.closed {
		return nil
	}
	m.closed = true
	m.transport.ctx.making.Lock()
	defer m.transport.ctx.making.Unlock()
	m.messages.Free()
	// Never negative: that would be for ever.
	err := errors.Join(m.soc.SetLinger(max(linger, 0)), m.soc.Close())
	m.transport.open.Add(-1)
	if err != nil {
		return fmt.Errorf("zyre: close mailbox: %w", err)
	}
	return nil
}
