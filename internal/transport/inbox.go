package transport

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zmqmsg"
	"github.com/go-zyre/zyre/internal/zmqwait"
)

// An unusually long header or list of frames does not stay in memory once it has been read.
const (
	maxKeptHeader = 64 << 10
	maxKeptFrames = 256
)

// Listen makes the inbox of a node: a ROUTER, bound to nothing yet.
func (t *ZMQ) Listen(opts ListenOptions) (Inbox, error) {
	secure := opts.PublicKey != "" || opts.SecretKey != ""
	in := &zmqInbox{transport: t, maxMessage: cmp.Or(opts.MaxMessage, DefaultMaxMessage), more: true,
		mark: []byte(t.context.inproc.mark)}
	in.guard = NewGuard(t.context.ctx, in.maxMessage, secure)
	if secure {
		if err := CheckKeyPair(opts.PublicKey, opts.SecretKey); err != nil {
			return nil, fmt.Errorf("zyre: listen: %w", err)
		}
		// Before the ROUTER: libzmq lets everyone in while nobody answers ZAP.
		domain, err := t.RegisterPolicy(opts.ZapDomain, opts.Policy)
		if err != nil {
			return nil, fmt.Errorf("zyre: listen: %w", err)
		}
		in.domain = domain
	}
	soc, err := t.socket(zmq.ROUTER, func(s *zmq.Socket) error {
		err := errors.Join(s.SetRouterHandover(true), s.SetRcvhwm(HighWaterMark), s.SetSndhwm(1), SetKeepalive(s),
			SetListenLimits(s, in.maxMessage))
		if secure {
			err = errors.Join(err, s.SetCurveServer(1), s.SetCurveSecretkey(opts.SecretKey),
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
		err = errors.Join(err, t.UnregisterPolicy(in.domain))
		return nil, fmt.Errorf("zyre: listen: %w", err)
	}
	t.open.Add(1)
	return in, nil
}

// attach prepares to receive, and to wait for it.
func (in *zmqInbox) attach(secure bool) (err error) {
	if in.messages, err = in.transport.messages(in.soc, secure); err != nil {
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
	transport  *ZMQ
	soc        *zmq.Socket
	messages   *zmqmsg.Socket // of soc
	waiter     *zmqwait.Waiter
	check      func() bool // readable, made once
	domain     string      // its ZAP domain; empty without CURVE
	maxMessage int         // bytes of content, all frames together
	guard      *Guard
	mark       []byte // of who connects by inproc: see inprocOffers

	bound           []string     // the endpoints that it is bound to
	offer           *inprocOffer // of connections by inproc; nil if it has never made one
	stoppedOffering bool         // StopOffering was called
	closed          bool

	// To ask libzmq in vain costs a system call, as much as several messages. So
	// Recv does not ask again before Wait has, and if the last messages came one by
	// one it leaves it to Wait to find out about a second.
	more   bool // libzmq may have messages, and Recv is to ask
	empty  bool // it had none when it was asked last
	single bool // they come one by one
	polled bool // since Wait was called
	taken  int  // messages since libzmq had none

	// The message of which Recv has read a part.
	inside  bool // it has further frames
	inproc  bool // it came by inproc
	content bool // they are content, and wanted
	index   int  // the next of them; 0 is the header
	bytes   int  // of content so far
}

func (in *zmqInbox) Bind(endpoint string) (string, error) {
	if err := CheckBindEndpoint(endpoint); err != nil {
		return "", fmt.Errorf("zyre: bind: %w", err)
	}
	bound, err := Bind(in.soc, endpoint, true)
	if err != nil {
		return "", fmt.Errorf("zyre: bind %s: %w", endpoint, err)
	}
	in.bound = append(in.bound, bound)
	in.guard.Bound(bound)
	in.offerInproc(bound)
	return bound, nil
}

func (in *zmqInbox) Unbind(endpoint string) error {
	in.transport.context.inproc.remove(endpoint, in.offer)
	in.bound = slices.DeleteFunc(in.bound, func(b string) bool { return b == endpoint })
	in.guard.Unbound(endpoint)
	return Unbind(in.transport.context.ctx, in.soc, endpoint)
}

func (in *zmqInbox) Recv(p *Packet) error {
	if !in.inside {
		if err := in.begin(p); err != nil {
			return err
		}
	}
	for range recvFrames {
		if !in.inside {
			return nil
		}
		if !in.messages.Ready() {
			if err := in.fill(); err != nil {
				in.inside = false
				return incomplete(err)
			}
		}
		in.takeFrame(p)
	}
	if in.inside {
		return ErrPartial
	}
	return nil
}

// begin reads the routing id of the next message into p, in place of what p held.
func (in *zmqInbox) begin(p *Packet) error {
	if in.guard.wasLooked {
		in.guard.wasLooked = false
		in.askAgain()
	}
	clear(p.Frames)
	p.Frames, p.Excess = p.Frames[:0], false
	if cap(p.Header) > maxKeptHeader {
		p.Header = nil
	}
	if cap(p.Frames) > maxKeptFrames {
		p.Frames = nil
	}
	if !in.messages.Ready() {
		switch {
		case in.empty:
			return ErrAgain
		case !in.more:
			return ErrNotPolled
		}
		if err := in.fill(); err != nil {
			return err
		}
	}
	frame := in.messages.Next()
	whole := frame.Data
	if p.Cut = 0; len(whole) > maxIdentity { // no socket sets that, so it is not by inproc
		p.Cut, whole = len(whole)-maxIdentity, whole[:maxIdentity]
	}
	identity, inproc := bytes.CutSuffix(whole, in.mark)
	p.From, p.Header, in.inproc = append(p.From[:0], identity...), p.Header[:0], inproc
	in.inside, in.content, in.index, in.bytes = frame.More, false, 0, 0
	if !in.inside || p.Cut > 0 {
		p.UserID, p.Conn, p.Address = "", Conn{}, netip.Addr{}
	}
	return nil
}

// takeFrame reads one further frame into p, or drops it: nobody wants the content of other
// messages than WHISPER and SHOUT, nor of one that is too large; and nothing of one under a routing
// id that is too long.
func (in *zmqInbox) takeFrame(p *Packet) {
	frame := in.messages.Next()
	if p.Cut > 0 {
		in.guard.Refuse(frame.Source, maxIdentity+p.Cut)
		in.inside = frame.More
		return
	}
	if in.index > 0 {
		in.bytes += len(frame.Data)
	}
	switch {
	case in.index == 0:
		in.guard.Source(frame.Source, frame.Data, in.inproc)
	case frame.Source > 0:
		in.guard.Source(frame.Source, nil, false)
	}
	in.guard.Read(len(frame.Data))
	switch {
	case in.index == 0:
		p.Header, p.UserID, p.Address = append(p.Header, frame.Data...), frame.User, netip.Addr{}
		in.content = HasContent(p.Header)
		switch {
		case in.inproc:
			p.Address = thisHost
		case frame.Address != "":
			p.Address = senderOf(frame.Address)
		}
	case in.index > MaxFrames || in.bytes > in.maxMessage:
		p.Excess, p.Frames, in.content = true, nil, false
	case in.content:
		p.Frames = append(p.Frames, bytes.Clone(frame.Data))
	}
	in.index++
	in.inside = frame.More
	if c := in.guard.Conn(); !in.inside && p.Conn != c { // to write it costs more
		p.Conn = c
	}
}

// fill gets what libzmq has, or one message if they come one by one.
func (in *zmqInbox) fill() error {
	in.polled = true
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
		return ErrAgain
	}
	return fmt.Errorf("zyre: receive: %w", err)
}

// incomplete reports an error inside a message. libzmq hands out whole messages, so
// this happens only when the socket itself fails; it must not look like ErrAgain.
func incomplete(err error) error { return fmt.Errorf("%w: %w", errIncompleteMessage, err) }

func (in *zmqInbox) Wait(until time.Time) {
	in.polled = false
	err := in.waiter.Wait(in.check, until)
	if !in.polled {
		in.askAgain() // or an owner that is always woken would never hear of a message
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

// readable also reports true when the socket fails, so that Recv says why.
func (in *zmqInbox) readable() bool {
	if in.inside || in.messages.Ready() {
		return true
	}
	err := in.fill()
	if err != nil && !errors.Is(err, ErrAgain) {
		in.askAgain()
	}
	return in.more || in.messages.Ready()
}

// askAgain has Recv find out whether there is more, instead of relying on what libzmq had when
// it was asked last.
func (in *zmqInbox) askAgain() { in.more, in.empty = true, false }

func (in *zmqInbox) Guard() *Guard { return in.guard }

func (in *zmqInbox) Wake() { in.waiter.Wake() }

func (in *zmqInbox) Close() error {
	if in.closed {
		return nil
	}
	in.closed = true
	in.StopOffering()
	if in.offer != nil {
		in.offer.withdrawn.Store(true)
	}
	in.messages.Free()
	in.guard.Close()
	err := errors.Join(Unbind(in.transport.context.ctx, in.soc, in.bound...), in.waiter.Close(), in.soc.Close())
	in.transport.open.Add(-1)
	// After the ROUTER, or it would let everyone in for its last moments.
	if err = errors.Join(err, in.transport.UnregisterPolicy(in.domain)); err != nil {
		return fmt.Errorf("zyre: close inbox: %w", err)
	}
	return nil
}

// thisHost is the address of who is known to be on this host.
var thisHost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// senderOf returns the address of the host that libzmq tells of. Over ipc it tells of a process
// of this one.
func senderOf(address string) netip.Addr {
	if strings.HasPrefix(address, "localhost:") {
		return thisHost
	}
	addr, _ := netip.ParseAddr(address)
	return addr
}
